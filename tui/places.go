package tui

import (
	"slices"

	tea "charm.land/bubbletea/v2"
)

// place is somewhere in the dashboard that one can come back to.
type place struct {
	tab   int
	stack []screen
}

// mostPlaces bounds how far back one can go.
const mostPlaces = 50

func (a *app) here() place { return place{a.tab, slices.Clone(a.stack)} }

// going notes where one is before going elsewhere. A form is no place to come
// back to: it was saved or left.
func (a *app) going() {
	a.filter = nil
	if _, form := a.top().(typist); form {
		return
	}
	a.ahead = nil
	a.past = append(a.past, a.here())
	if n := len(a.past) - mostPlaces; n > 0 {
		a.past = slices.Delete(a.past, 0, n)
	}
}

// goBack goes to where one was before, goForward back to where that left from,
// as a browser does.
func (a *app) goBack() tea.Cmd { return a.travel(&a.past, &a.ahead, "this is where you began") }

func (a *app) goForward() tea.Cmd { return a.travel(&a.ahead, &a.past, "there is nothing further on") }

func (a *app) travel(from, to *[]place, end string) tea.Cmd {
	n := len(*from) - 1
	if n < 0 {
		return a.say(inkDim, signNone, end)
	}
	a.filter = nil
	*to = append(*to, a.here())
	p := (*from)[n]
	*from = (*from)[:n]
	a.tab, a.stack = p.tab, p.stack
	return a.top().refresh(a, nil)
}

func (a *app) top() screen { return a.stack[len(a.stack)-1] }

// open puts a screen over the ones that are open.
func (a *app) open(s screen) tea.Cmd {
	switch f, ok := s.(*form); {
	case !ok:
		a.going()
	case len(f.fields) == 0:
		return a.say(inkWarn, signWarn, "there is no "+string(f.ref.Kind)+" "+f.ref.Name)
	}
	a.filter = nil
	a.stack = append(slices.Clip(a.stack), s)
	return s.refresh(a, nil)
}

// back closes the front screen.
func (a *app) back() tea.Cmd {
	if len(a.stack) == 1 {
		return nil
	}
	a.going()
	if f, ok := a.top().(*form); ok && f.release != nil {
		f.release()
	}
	a.stack = a.stack[:len(a.stack)-1]
	return a.top().refresh(a, nil)
}

// leave closes a screen if it is the front one still.
func (a *app) leave(s screen) tea.Cmd {
	if a.top() == s {
		return a.back()
	}
	return nil
}

// show goes to one of the tabs.
func (a *app) show(tab int) tea.Cmd {
	tab = (tab + len(tabs)) % len(tabs)
	if tab != a.tab || len(a.stack) > 1 {
		a.going()
	}
	a.tab = tab
	if a.roots[a.tab] == nil {
		a.roots[a.tab] = tabs[a.tab].make()
	}
	a.filter = nil
	a.stack = []screen{a.roots[a.tab]}
	return a.top().refresh(a, nil)
}
