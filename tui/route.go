package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
	"homelab/tui/display"
)

// key routes a key: to what lies in front, then to the screen, then to what
// works everywhere.
func (a *app) key(k tea.KeyPressMsg) tea.Cmd {
	a.toast, a.alarmed = nil, ""
	if k.String() == "ctrl+c" {
		if c, asked := a.overlay.(*confirm); asked && c.quits {
			return a.end() // a second time means it
		}
		return a.quit()
	}
	if keyRedraw.is(k) { // in forms and dialogs too
		return display.Redraw
	}
	if a.overlay != nil {
		return a.overlay.key(a, k)
	}
	if a.filter != nil {
		return a.filterKey(k)
	}
	if t, ok := a.top().(typist); ok {
		return t.key(a, k)
	}
	if keyGo.is(k) {
		a.overlay = &goMenu{}
		return nil
	}
	if sc, ok := a.top().(scroller); ok && sc.scroll(k) {
		return nil
	}
	for _, act := range a.top().actions(a) {
		switch {
		case act.do == nil || !act.is(k):
		case !a.may(act.need):
			return a.refuse(act.need)
		default:
			return act.do(a)
		}
	}
	if l, ok := a.top().(listed); ok && l.rows().press(k) {
		return a.moved()
	}
	return a.globalKey(k)
}

// refuse says why a key does nothing.
func (a *app) refuse(need model.Role) tea.Cmd {
	u := a.lab.User()
	return a.say(inkWarn, signWarn, u.Name+" is "+string(u.Role)+" here, and this needs "+string(need))
}

// moved tells a screen that the choice has moved, so that it reads what it
// shows of the chosen row.
func (a *app) moved() tea.Cmd {
	if m, ok := a.top().(interface{ moved(*app) tea.Cmd }); ok {
		return m.moved(a)
	}
	return nil
}

func (a *app) globalKey(k tea.KeyPressMsg) tea.Cmd {
	s := k.String()
	switch {
	case keyQuit.is(k):
		return a.quit()
	case keyBack.is(k):
		if l, ok := a.top().(listed); ok && l.rows().clear() {
			return a.moved()
		}
		return a.back()
	case keyBefore.is(k):
		return a.goBack()
	case keyAhead.is(k):
		return a.goForward()
	case keyCopy.is(k):
		return a.copyMenu()
	case keyMouse.is(k), keySigns.is(k), keyTell.is(k):
		return a.prefer(k)
	case keyHelp.is(k):
		a.overlay = &help{}
	case keyPalette.is(k):
		a.overlay = newPalette(a)
	case keyFilter.is(k):
		if l, ok := a.top().(listed); ok {
			in := newInput(l.rows().filter)
			a.filter = &in
		}
	case keyUndoLast.is(k):
		if !a.may(keyUndoLast.need) {
			return a.refuse(keyUndoLast.need)
		}
		if a.last.Number == 0 {
			return a.say(inkDim, signNone, "you changed nothing in this session; 7 shows the history")
		}
		return a.proposeUndo(a.last)
	case s == "tab":
		return a.show(a.tab + 1)
	case s == "shift+tab":
		return a.show(a.tab - 1)
	case len(s) == 1 && s[0] >= '1' && int(s[0]-'1') < digits:
		return a.show(int(s[0] - '1'))
	}
	return nil
}

// filterKey edits the filter of the front list.
func (a *app) filterKey(k tea.KeyPressMsg) tea.Cmd {
	if s, ok := a.top().(searcher); ok {
		a.findKey(s, k)
		return nil
	}
	l, ok := a.top().(listed)
	if !ok {
		a.filter = nil
		return nil
	}
	switch k.String() {
	case "esc":
		a.filter = nil
		l.rows().setFilter("")
		return a.moved()
	case "enter":
		a.filter = nil
		return nil
	case "up", "down", "pgup", "pgdown":
		l.rows().move(k)
		return a.moved()
	}
	a.filter.key(k)
	return a.filtered()
}

// filtered puts into effect what is typed as a filter, or searched.
func (a *app) filtered() tea.Cmd {
	switch s := a.top().(type) {
	case searcher:
		s.find(a.filter.value())
	case listed:
		s.rows().setFilter(strings.TrimSpace(a.filter.value()))
		return a.moved()
	}
	return nil
}

// findKey edits what is searched on the front screen.
func (a *app) findKey(s searcher, k tea.KeyPressMsg) {
	switch k.String() {
	case "esc":
		a.filter = nil
		s.find("")
	case "enter":
		a.filter = nil
	default:
		a.filter.key(k)
		a.filtered()
	}
}

func (a *app) paste(s string) tea.Cmd {
	if a.overlay != nil {
		a.overlay.paste(a, s)
		return nil
	}
	if a.filter != nil {
		a.filter.insert(s)
		return a.filtered()
	}
	if t, ok := a.top().(typist); ok {
		return t.paste(a, s)
	}
	return nil
}
