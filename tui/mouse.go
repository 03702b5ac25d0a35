package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// doubleClick is how soon a second click on the same row must come.
const doubleClick = 400 * time.Millisecond

// wheelStep is how many lines one notch of the wheel is.
const wheelStep = 3

// lastClick is where and when was clicked last.
type lastClick struct {
	at   time.Time
	x, y int
}

// wheel moves as the arrows do.
func (a *app) wheel(m tea.MouseWheelMsg) tea.Cmd {
	var k tea.Key
	switch m.Button {
	case tea.MouseWheelUp:
		k.Code = tea.KeyUp
	case tea.MouseWheelDown:
		k.Code = tea.KeyDown
	default:
		return nil
	}
	if _, form := a.top().(typist); form && a.overlay == nil {
		return a.key(tea.KeyPressMsg(k))
	}
	var cmds []tea.Cmd
	for range wheelStep {
		cmds = append(cmds, a.key(tea.KeyPressMsg(k)))
	}
	return tea.Batch(cmds...)
}

// click chooses what is clicked on: a tab, a row, a column to sort by, a key in
// the bottom line. Twice opens it.
func (a *app) click(m tea.MouseClickMsg) tea.Cmd {
	if m.Button == tea.MouseRight {
		return a.key(tea.KeyPressMsg{Code: tea.KeyEscape})
	}
	if m.Button != tea.MouseLeft {
		return nil
	}
	now := a.opts.Now()
	twice := a.clicked.x == m.X && a.clicked.y == m.Y && now.Sub(a.clicked.at) <= doubleClick
	a.clicked = lastClick{now, m.X, m.Y}
	if a.overlay != nil {
		return a.clickOverlay(m.X, m.Y)
	}
	if _, form := a.top().(typist); form && m.Y != a.h-1 {
		return nil // what is clicked on would be typed
	}
	if m.Y == 0 || m.Y == a.h-1 {
		if k, ok := a.keyAt(m.X, m.Y); ok {
			return a.key(k)
		}
	}
	l, ok := a.top().(listed)
	if !ok || a.filter != nil {
		return nil
	}
	switch n := m.Y - a.bodyAt - l.rows().y; {
	case n == 0:
		l.rows().clickHead(m.X)
	case n > 0 && l.rows().clickRow(n-1, m.X):
		if twice {
			a.clicked = lastClick{}
			return a.key(tea.KeyPressMsg{Code: tea.KeyEnter})
		}
		return a.moved()
	}
	return nil
}

// clickOverlay hands a click to what can be clicked in what lies in front.
func (a *app) clickOverlay(x, y int) tea.Cmd {
	box := a.box
	if x < box.x || x >= box.x+box.w || y <= box.y || y >= box.y+box.h-1 {
		return nil
	}
	if k, ok := a.keyAt(x, y); ok {
		return a.key(k)
	}
	if c, ok := a.overlay.(interface {
		click(a *app, y int) tea.Cmd
	}); ok {
		return c.click(a, y-box.y-1)
	}
	return nil
}

// keyAt is the key that is named at a place of the screen: on it, or on the
// words after it.
func (a *app) keyAt(x, y int) (tea.KeyPressMsg, bool) {
	lines := a.frame()
	if y < 0 || y >= len(lines) {
		return tea.KeyPressMsg{}, false
	}
	at, name := 0, ""
	for _, s := range lines[y] {
		at += width(s.text)
		switch {
		case s.ink == inkKey:
			name = strings.TrimSpace(s.text)
		case strings.TrimSpace(s.text) == "":
			name = ""
		}
		if x < at {
			return a.keyCalled(name)
		}
		if s.ink != inkKey {
			name = ""
		}
	}
	return tea.KeyPressMsg{}, false
}

// keyCalled is the press of a key by the name that people read.
func (a *app) keyCalled(name string) (tea.KeyPressMsg, bool) {
	if name == "" {
		return tea.KeyPressMsg{}, false
	}
	for _, b := range a.bindings() {
		if b.show == name {
			name = b.keys[0]
			break
		}
	}
	if k, ok := keyNames[name]; ok {
		return tea.KeyPressMsg(k), true
	}
	r := []rune(name)
	if len(r) != 1 {
		return tea.KeyPressMsg{}, false
	}
	return tea.KeyPressMsg{Code: r[0], Text: name}, true
}

var keyNames = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "space": {Code: tea.KeySpace, Text: " "},
	"tab": {Code: tea.KeyTab}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "up": {Code: tea.KeyUp},
	"down": {Code: tea.KeyDown}, "f1": {Code: tea.KeyF1}, "ctrl+s": {Code: 's', Mod: tea.ModCtrl}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl},
}

// box is where the overlay was drawn.
type box struct{ x, y, w, h int }

// clickHead sorts by the column that is clicked on.
func (l *list) clickHead(x int) {
	at := 2
	for i, w := range l.ws {
		if w == 0 {
			continue
		}
		if x >= at && x < at+w+gap {
			if c := l.cols[i]; !c.unsortable {
				l.sortBy(c.head)
			}
			return
		}
		at += w + gap
	}
}

// clickRow chooses the n-th drawn row, if there is one.
func (l *list) clickRow(n, x int) bool {
	if n >= l.page || l.top+n >= len(l.shown) || x >= l.w {
		return false
	}
	l.sel = l.top + n
	return true
}

func (p *palette) click(a *app, y int) tea.Cmd {
	n := p.top + y - 1
	if y < 1 || n >= len(p.found) {
		return nil
	}
	p.sel = n
	return p.key(a, tea.KeyPressMsg{Code: tea.KeyEnter})
}
