package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// conflictBox says that somebody else has changed what is being edited, field
// by field, and offers theirs, or mine over theirs.
type conflictBox struct {
	f      *form
	err    *model.ConflictError
	now    *model.State
	theirs values
	gone   bool
}

func newConflictBox(f *form, err *model.ConflictError, now *model.State) *conflictBox {
	c := &conflictBox{f: f, err: err, now: now, theirs: values{}}
	fields, _, ok := f.load(now)
	c.gone = !ok
	for _, fl := range fields {
		c.theirs[fl.key] = fl.value()
	}
	return c
}

// again is the box once the others have saved again, or have removed it.
func (c *conflictBox) again(version uint64, who string, now *model.State) *conflictBox {
	err := *c.err
	if version > err.Version {
		err.Version, err.Who = version, who
	}
	return newConflictBox(c.f, &err, now)
}

func (c *conflictBox) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		a.overlay = nil
	case "t":
		if c.gone {
			return nil
		}
		a.overlay = nil
		c.f.reload(c.now)
		c.f.serial++
		return tea.Batch(c.f.preview(a), a.say(inkDim, signNone, "these are the values as they are now"))
	case "o":
		if c.gone {
			return nil
		}
		a.overlay = nil
		c.rebase()
		return c.f.save(a)
	}
	return nil
}

// rebase puts what I typed over what they saved: their other changes stay.
func (c *conflictBox) rebase() {
	mine, start, at := c.f.values(), c.f.start, c.f.at
	c.f.reload(c.now)
	c.f.at = at
	put := func() {
		for _, fl := range c.f.fields {
			if mine[fl.key] != start[fl.key] {
				fl.set(mine[fl.key])
				fl.touched = true
			}
		}
	}
	put()
	if c.f.depend != nil {
		c.f.depend(c.f, c.now)
		put() // what has become a field by the others
		c.f.at = min(at, len(c.f.fields)-1)
	}
	c.f.serial++
}

func (c *conflictBox) paste(*app, string) {}

func (c *conflictBox) draw(a *app, w, h int) (string, []line, ink) {
	who := c.err.Who
	if who == "" {
		who = "Somebody"
	}
	body := wrapped(inkText, fmt.Sprintf("%s changed %s in revision %d while you were editing. Nothing has been saved.", who, c.f.ref.Name, c.err.Version), w, 0)
	if c.gone {
		body = append(body, nil, text(inkBad, "It is not there any more under that name."))
	}
	body = append(body, nil)
	mine := c.f.values()
	for _, fl := range c.f.fields {
		t, s, m := c.theirs[fl.key], c.f.start[fl.key], mine[fl.key]
		name, say := text(inkDim, fl.label).fit(14), func(v string) string { return orNone(fl.shown(v)) }
		switch {
		case c.gone || t == s && m == s:
		case t == m:
			body = append(body, append(name, span{"both: " + say(m), inkText}))
		case m == s:
			body = append(body, append(name, span{"theirs ", inkDim}, span{say(t), inkText}, span{", you left it at " + say(s), inkDim}))
		case t == s:
			body = append(body, append(name, span{"yours ", inkDim}, span{say(m), inkText}, span{", they left it at " + say(s), inkDim}))
		default:
			body = append(body, append(name, span{"theirs ", inkDim}, span{say(t), inkWarn}, span{"  yours ", inkDim}, span{say(m), inkWarn}))
		}
	}
	top := 0
	foot := []line{nil, {{"t", inkKey}, {" take theirs   ", inkText}, {"o", inkKey}, {" save yours over theirs   ", inkText}, {"esc", inkKey}, {" go on editing", inkDim}}}
	if c.gone {
		foot = []line{nil, {{"esc", inkKey}, {" go on editing", inkDim}}}
	}
	return "Changed by somebody else", append(window(body, &top, h-len(foot)), foot...), inkWarn
}
