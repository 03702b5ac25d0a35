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
