package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// Things are the kinds of things that [Options].Open takes with a name or a
// number, and whose names the palette finds.
func Things() []string {
	names := make([]string, len(things))
	for i, t := range things {
		names[i] = t.kind
	}
	return names
}

// thing is a kind of things: the tab that lists them and what opens one.
type thing struct {
	kind, tab string
	names     func(s *model.State) []string // nil: numbers, which are not listed
	open      func(a *app, tab int, name string) tea.Cmd
}

var things = []thing{
	{"vm", "VMs", func(s *model.State) []string { return model.Names(s.VMs) }, func(a *app, tab int, name string) tea.Cmd {
		return a.jump(tab, &vmDetail{name: name})
	}},
	{"hypervisor", "Hypervisors", func(s *model.State) []string { return model.Names(s.Hypervisors) }, func(a *app, tab int, name string) tea.Cmd {
		return a.jump(tab, newHypervisor(name))
	}},
	{"profile", "Profiles", func(s *model.State) []string { return model.Names(s.Profiles) }, (*app).point},
	{"outlet", "Outlets", func(s *model.State) []string { return model.Names(s.Outlets) }, (*app).point},
	{"image", "Images", func(s *model.State) []string { return model.Names(s.Images) }, (*app).point},
	{"share", "Shares", func(s *model.State) []string { return model.Names(s.Shares) }, (*app).point},
	{"salt_master", "Salt", func(s *model.State) []string { return model.Names(s.SaltMasters) }, (*app).point},
	{"role", "Roles", func(s *model.State) []string { return roleNames(s) }, (*app).point},
	{"run", "Runs", nil, openRun},
	{"revision", "History", nil, openRevision},
}

func thingOf(kind string) (thing, bool) {
	i := slices.IndexFunc(things, func(t thing) bool { return t.kind == kind })
	if i < 0 {
		return thing{}, false
	}
	return things[i], true
}

// tabNamed finds a tab.
func tabNamed(name string) (int, bool) {
	for i, t := range tabs {
		if strings.EqualFold(t.name, name) {
			return i, true
		}
	}
	return 0, false
}

// openThing opens a thing by its kind and name; false: there is none.
func (a *app) openThing(kind, name string) (tea.Cmd, bool) {
	t, ok := thingOf(kind)
	if !ok || name == "" {
		return nil, false
	}
	tab, ok := tabNamed(t.tab)
	if !ok {
		return nil, false
	}
	if t.names == nil {
		if _, err := strconv.ParseUint(name, 10, 64); err != nil {
			return nil, false
		}
	} else if _, there := slices.BinarySearch(t.names(a.cache.state), name); !there {
		return nil, false
	}
	return t.open(a, tab, name), true
}

// jump goes to a screen that lies over a tab.
func (a *app) jump(tab int, s screen) tea.Cmd {
	a.going()
	if a.roots[tab] == nil {
		a.roots[tab] = tabs[tab].make()
	}
	a.tab, a.stack = tab, []screen{a.roots[tab], s}
	return tea.Batch(a.roots[tab].refresh(a, nil), s.refresh(a, nil))
}

// point goes to a tab and chooses a row of its list.
func (a *app) point(tab int, name string) tea.Cmd {
	cmd := a.show(tab)
	if l, ok := a.top().(listed); ok {
		l.rows().setFilter("")
		if !l.rows().choose(name) {
			l.rows().want = name
		}
	}
	return tea.Batch(cmd, a.moved())
}

func openRun(a *app, tab int, name string) tea.Cmd {
	id, _ := strconv.ParseUint(name, 10, 64)
	return a.jump(tab, newRunScreen(id))
}

func openRevision(a *app, tab int, name string) tea.Cmd {
	n, _ := strconv.ParseUint(name, 10, 64)
	return tea.Batch(a.show(tab), a.async(func(context.Context) done {
		revs, err := a.lab.History(n+1, 1)
		return func(a *app) tea.Cmd {
			switch {
			case err != nil:
				return a.fail(err)
			case len(revs) == 0 || revs[0].Number != n:
				return a.fail(fmt.Errorf("there is no revision %d", n))
			}
			return a.open(&revision{rev: revs[0]})
		}
	}))
}
