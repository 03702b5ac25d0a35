package tui

import (
	"strconv"

	tea "charm.land/bubbletea/v2"
)

// chooser asks for one of some things: by its key, by moving to it, or by a
// click.
type chooser struct {
	title   string
	lines   []line // said first
	options []option
	sel     int
	top     int
	h       int // options drawn
	y       int // line of the first option
}

// option is one thing that can be chosen.
type option struct {
	key   string // that chooses it at once; may be empty
	label string
	note  line // beside it, such as what is free there
	do    func(a *app) tea.Cmd
}

func (c *chooser) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	for i, o := range c.options {
		if o.key != "" && o.key == k.String() {
			return c.take(a, i)
		}
	}
	switch k.String() {
	case "esc", "q":
		a.overlay = nil
	case "up", "k", "shift+tab":
		c.sel = max(c.sel-1, 0)
	case "down", "j", "tab":
		c.sel = min(c.sel+1, len(c.options)-1)
	case "pgup", "home", "g":
		c.sel = 0
	case "pgdown", "end", "G":
		c.sel = len(c.options) - 1
	case "enter", "space":
		return c.take(a, c.sel)
	}
	return nil
}

func (c *chooser) take(a *app, i int) tea.Cmd {
	a.overlay = nil
	if i < 0 || i >= len(c.options) {
		return nil
	}
	return c.options[i].do(a)
}

// click chooses what is in a line of the body.
func (c *chooser) click(a *app, y int) tea.Cmd {
	if n := y - c.y; n >= 0 && n < c.h {
		return c.take(a, c.top+n)
	}
	return nil
}

func (c *chooser) paste(*app, string) {}

func (c *chooser) draw(_ *app, w, h int) (string, []line, ink) {
	var body []line
	for _, l := range c.lines {
		for _, s := range l {
			body = append(body, wrapped(s.ink, s.text, w, 0)...)
		}
	}
	if len(body) > 0 {
		body = append(body, nil)
	}
	whole := c.whole(w, h-len(body)-len(c.options)-2)
	c.y, c.h = len(body), max(min(h-len(body)-2-len(whole), len(c.options)), 1)
	c.top = max(min(c.top, c.sel), c.sel-c.h+1)
	for i := c.top; i < min(c.top+c.h, len(c.options)); i++ {
		o := c.options[i]
		l := append(line{{either(i == c.sel, signChosen, " ") + " ", inkBusy}}, o.name()...)
		if room := w - l.size() - 2; room > 8 {
			l = spread(l, o.note.fit(min(o.note.size(), room)), w)
		}
		if i == c.sel {
			l = l.fit(w).selected()
		}
		body = append(body, l)
	}
	foot := line{{"enter", inkKey}, {" choose   ", inkDim}, {"esc", inkKey}, {" leave it", inkDim}}
	if more := len(c.options) - c.h; more > 0 {
		foot = append(foot, span{"   ↑↓ " + strconv.Itoa(more) + " more", inkDim})
	}
	return c.title, append(append(body, whole...), nil, foot), inkRule
}

func (o option) name() line {
	l := text(inkText, o.label)
	if o.key != "" {
		l = append(line{{o.key + "  ", inkKey}}, l...)
	}
	return l
}

// fits tells whether an option and its note have room in a line.
func (o option) fits(w int) bool { return o.name().size()+o.note.size()+4 <= w }

// whole says the note of the chosen option where that does not fit beside it, in
// as many of h lines as the longest such note needs.
func (c *chooser) whole(w, h int) []line {
	rows := 0
	for _, o := range c.options {
		if !o.fits(w) {
			rows = max(rows, 1+len(wrap(textOf([]line{o.note}), w)))
		}
	}
	if rows == 0 || rows > h {
		return nil
	}
	out := make([]line, rows)
	if o := c.options[c.sel]; !o.fits(w) {
		for i, t := range wrap(textOf([]line{o.note}), w) {
			out[i+1] = text(inkDim, t)
		}
	}
	return out
}
