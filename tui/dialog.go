package tui

import (
	"cmp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// message is something that has to be read before going on.
type message struct {
	reel
	title, text string
}

func (m *message) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	if !m.arrows(k) {
		a.overlay = nil
	}
	return nil
}

func (m *message) paste(*app, string) {}

func (m *message) draw(a *app, w, h int) (string, []line, ink) {
	whole := wrapped(inkText, m.text, w, 0)
	body := m.window(whole, h-2)
	return m.title, append(body, nil, text(inkDim, either(len(body) < len(whole), "any other key closes this", "any key closes this"))), inkBad
}

// confirm asks before something is done: for a yes, or for a name to be typed
// where something is lost for good. It lists all that will happen.
type confirm struct {
	reel
	title   string
	lines   []line         // what is said first
	impacts []model.Impact // and what happens
	level   damage
	name    string // to be typed when level is loses
	verb    string // what y does
	do      func(a *app) tea.Cmd
	no      string // what n does, where that is not to leave it as it is
	also    *also  // where a yes is enough: another key that does more
	quits   bool   // the question is whether to quit

	in    input
	wrong bool // another name was entered
}

func (c *confirm) typed() bool { return c.level == loses && c.name != "" }

func (c *confirm) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	c.wrong = false
	switch s := k.String(); {
	case s == "esc", s == "n" && !c.typed():
		a.overlay = nil
		return nil
	case c.arrows(k):
	case c.typed() && s == "enter":
		if c.in.value() == c.name {
			return c.yes(a)
		}
		c.wrong = true
	case c.typed():
		c.in.key(k)
	case s == "y":
		return c.yes(a)
	case c.also != nil && s == c.also.key:
		a.overlay = nil
		if c.also.do != nil {
			return c.also.do(a)
		}
		return a.commit(change{title: c.title[:len(c.title)-1] + ", " + c.also.verb, edit: c.also.edit})
	}
	return nil
}

func (c *confirm) yes(a *app) tea.Cmd {
	a.overlay = nil
	return c.do(a)
}

func (c *confirm) paste(_ *app, s string) {
	if c.typed() {
		c.in.insert(s)
	}
}

func (c *confirm) draw(a *app, w, h int) (string, []line, ink) {
	var body []line
	for _, l := range c.lines {
		for _, s := range l {
			body = append(body, wrapped(s.ink, s.text, w, 0)...)
		}
	}
	if len(c.impacts) > 0 && len(body) > 0 {
		body = append(body, nil)
	}
	body = append(body, impactLines(c.impacts, w)...)
	if len(body) == 0 {
		body = append(body, text(inkText, "It changes no guest."))
	}
	edge := inkWarn
	foot := append([]line{nil}, c.keys(w)...)
	if c.typed() {
		edge = inkBad
		ask := line{{"Type ", inkText}, {c.name, inkName}, {" to " + c.verb + ": ", inkText}}
		entry := []line{append(ask, c.in.draw(inkField, w-ask.size())...)}
		if w-ask.size() < width(c.name)+2 {
			entry = append(wrapped(inkText, "Type "+c.name+" to "+c.verb+":", w, 0), c.in.draw(inkField, w))
		}
		foot = append(append([]line{nil}, entry...), line{
			{"enter", inkKey}, {" once typed   ", inkDim}, {"esc", inkKey}, {" leave it", inkDim},
		})
		if c.wrong {
			foot[len(foot)-1] = line{{signFailed + " that is not " + c.name + "   ", inkBad}, {"esc", inkKey}, {" leave it", inkDim}}
		}
	}
	return c.title, append(c.window(body, h-len(foot)), foot...), edge
}

// keys are those that answer, beside one another where they have room.
func (c *confirm) keys(w int) []line {
	no := cmp.Or(c.no, "leave it as it is")
	all := []line{{{"y", inkKey}, {" " + c.verb, inkText}}, {{"n", inkKey}, {" " + no, inkDim}}}
	if c.also != nil {
		all = slices.Insert(all, 1, line{{c.also.key, inkKey}, {" " + c.also.verb, inkText}})
	}
	rows := []line{all[0]}
	for _, l := range all[1:] {
		last := &rows[len(rows)-1]
		if joined := append(append(*last, span{"   ", inkText}), l...); joined.size() <= w {
			*last = joined
			continue
		}
		rows = append(rows, l)
	}
	return rows
}

// help lists the keys of the screen that it lies over.
type help struct{ reel }

func (h *help) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch s := k.String(); {
	case h.scroll(k):
	case s == "g":
		h.top = 0
	case s == "esc" || s == "q" || s == "?" || s == "enter":
		a.overlay = nil
	}
	return nil
}

func (h *help) paste(*app, string) {}

func (h *help) draw(a *app, w, height int) (string, []line, ink) {
	var body []line
	if a.opts.Notice != "" {
		body = append(wrapped(inkDim, a.opts.Notice, w, 0), nil)
	}
	for _, b := range a.bindings() {
		name := line{{b.show, inkKey}}.fit(11)
		for n, t := range wrap(b.long, w-11) {
			if n > 0 {
				name = text(inkText, blanks(11))
			}
			body = append(body, append(name, span{t, inkText}))
		}
	}
	return "Keys: " + a.top().title() + " · esc closes", h.window(body, height), inkRule
}

// plural picks the word for a number of things.
func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// upper begins a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
