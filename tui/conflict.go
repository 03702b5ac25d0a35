package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// conflictBox says that somebody else has changed what is being edited, field
// by field, and offers theirs, or mine over theirs.
type conflictBox struct {
	reel
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
	switch s := k.String(); {
	case s == "esc":
		a.overlay = nil
	case c.arrows(k):
	case s == "t":
		if c.gone {
			return nil
		}
		a.overlay = nil
		c.f.reload(c.now)
		c.f.serial++
		return tea.Batch(c.f.preview(a), a.say(inkDim, signNone, "these are the values as they are now"))
	case s == "o":
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
	body = append(append(body, nil), c.differing(w)...)
	keys := line{{"t", inkKey}, {" theirs   ", inkText}, {"o", inkKey}, {either(w < 50, " yours   ", " yours over theirs   "), inkText}}
	if c.gone {
		keys = nil
	}
	foot := []line{nil, append(keys, span{"esc", inkKey}, span{either(w < 50, " back", " go on editing"), inkDim})}
	return "Changed by somebody else", append(c.window(body, h-len(foot)), foot...), inkWarn
}

// differing are the fields that somebody has changed, with both values.
func (c *conflictBox) differing(w int) []line {
	if c.gone {
		return nil
	}
	var out []line
	mine := c.f.values()
	for _, fl := range c.f.fields {
		t, s, m := c.theirs[fl.key], c.f.start[fl.key], mine[fl.key]
		say := func(v string) string { return orNone(fl.shown(v)) }
		words, colour := "", inkText
		switch {
		case t == s && m == s:
			continue
		case t == m:
			words = "both: " + say(m)
		case m == s:
			words = "theirs " + say(t) + ", you left it at " + say(s)
		case t == s:
			words = "yours " + say(m) + ", they left it at " + say(s)
		default:
			words, colour = "theirs "+say(t)+", yours "+say(m), inkWarn
		}
		name := text(inkDim, fl.label)
		for _, l := range wrap(words, w-14) {
			out = append(out, append(name.fit(14), span{l, colour}))
			name = nil
		}
	}
	return out
}
