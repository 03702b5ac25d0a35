package tui

import (
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// profiles lists the profiles and their members.
type profiles struct {
	list    list
	members map[string][]int // into cache.vms
	seen    *model.State
	name    int
}

func (s *profiles) title() string { return "Profiles" }
func (s *profiles) rows() *list   { return &s.list }

func (s *profiles) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.state {
		return nil
	}
	s.seen = a.cache.state
	keys := model.Names(s.seen.Profiles)
	s.members = map[string][]int{}
	for i := range a.cache.vms {
		for _, p := range a.cache.vms[i].Profiles {
			s.members[p] = append(s.members[p], i)
		}
	}
	s.list.set(keys, nil)
	s.name = widest(keys, 10, 24)
	return nil
}

func (s *profiles) actions(a *app) []action {
	on := func(b binding, f func(a *app, p model.Profile) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if name, ok := s.list.key(); ok {
				return f(a, a.cache.state.Profiles[name])
			}
			return nil
		}}
	}
	return []action{
		on(keyActivate, activate),
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newProfileForm(a)) }},
		on(keyCompare, compareProfile),
		on(keyRemove, func(a *app, p model.Profile) tea.Cmd {
			return a.propose(change{title: "Remove profile " + p.Name, edit: model.Remove[model.Profile](p.Name)})
		}),
	}
}

// activate switches the profile: always asked, with all that appears and goes,
// and with the machines that may go on or off by it.
func activate(a *app, p model.Profile) tea.Cmd {
	if p.Active {
		return a.say(inkDim, signNone, p.Name+" is the active profile already")
	}
	c := change{
		title: "Switch to profile " + p.Name, verb: "switch", name: p.Name, least: stops,
		lines: []line{text(inkText, "From "+orNone(a.cache.state.ActiveProfile())+" to "+p.Name+".")},
		edit:  model.Activate(p.Name),
	}
	on, off := model.SwitchPower(a.cache.state, a.cache.status, p.Name)
	if len(on) > 0 {
		c.lines = append(c.lines, text(inkText, "p also powers on "+sentence(on)+"."))
	}
	for _, name := range off {
		said := "p also shuts down " + name + " and cuts its power"
		if r, ok := a.cache.hypervisor(name); ok {
			if up := a.cache.runningOn(r); len(up) > 0 {
				said += ", with " + count(len(up), "running guest") + " (" + sentence(up) + ")"
			}
		}
		c.lines = append(c.lines, text(inkWarn, said+"."))
	}
	if len(on)+len(off) > 0 {
		c.also = &also{key: "p", verb: "with power", edit: model.ActivateWithPower(p.Name, on, off)}
	}
	return a.propose(c)
}

func (s *profiles) draw(a *app, w, h int) []line {
	lw := w
	if w >= 70 {
		lw = w * 45 / 100
	}
	cols := []column{
		{head: "PROFILE", w: s.name},
		{head: "ACTIVE", w: 8},
		{head: "VMS", w: 4, right: true},
	}
	left := s.list.draw(lw, h, cols, func(i int) []line {
		p := a.cache.state.Profiles[s.list.keys[i]]
		active := text(inkDim, "")
		if p.Active {
			active = text(inkGood, signOn+" active")
		}
		return []line{text(inkName, p.Name), active, text(inkText, strconv.Itoa(len(s.members[p.Name])))}
	})
	if lw == w {
		return left
	}
	return beside(left, s.pane(a, w-lw-2, h), lw, w-lw, h)
}

// pane lists the members of the chosen profile.
func (s *profiles) pane(a *app, w, h int) []line {
	name, ok := s.list.key()
	if !ok {
		return nil
	}
	out := []line{{{" MEMBERS OF ", inkHead}, {name, inkHead}}}
	all := s.members[name]
	if len(all) == 0 {
		out = append(out, wrapped(inkDim, " none: a VM's own form says which profiles it is in", w-1, 1)...)
	}
	names, on := s.widths(a, all)
	for n, i := range all {
		if len(out) == h-1 && n < len(all)-1 {
			return append(out, text(inkDim, "   and "+strconv.Itoa(len(all)-n)+" more"))
		}
		if i >= len(a.cache.vms) {
			break
		}
		vm := &a.cache.vms[i]
		l := append(line{{" " + vm.guest.sign + " ", vm.guest.ink}}, text(inkText, vm.Name).fit(names+2)...)
		l = append(l, text(inkDim, vm.Hypervisor).fit(on+2)...)
		if others := slices.DeleteFunc(slices.Clone(vm.Profiles), func(p string) bool { return p == name }); len(others) > 0 {
			l = append(l, span{"also " + sentence(others), inkDim})
		}
		out = append(out, l)
	}
	return out
}

// widths are the columns that names of members and of their hypervisors take.
func (s *profiles) widths(a *app, members []int) (names, on int) {
	for _, i := range members {
		if i < len(a.cache.vms) {
			names, on = max(names, width(a.cache.vms[i].Name)), max(on, width(a.cache.vms[i].Hypervisor))
		}
	}
	return min(names, 24), min(on, 18)
}
