package tui

import (
	"fmt"
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// compared is what two profiles have in common and what not: what a switch
// from one to the other makes appear and go.
type compared struct {
	reel
	from, to string
}

func (s *compared) title() string                                { return s.from + " and " + s.to }
func (s *compared) refresh(*app, map[model.Ref]struct{}) tea.Cmd { return nil }

func (s *compared) actions(a *app) []action {
	return []action{
		{binding: keySwap, do: func(*app) tea.Cmd {
			s.from, s.to = s.to, s.from
			return nil
		}},
		action{binding: keyActivateOther, do: func(a *app) tea.Cmd { return activate(a, a.cache.state.Profiles[s.to]) }}.only(!a.cache.state.Profiles[s.to].Active),
		{binding: keyScroll},
	}
}

// compareProfile asks with which other profile one is to be compared; the active one
// comes first.
func compareProfile(a *app, p model.Profile) tea.Cmd {
	names := slices.DeleteFunc(model.Names(a.cache.state.Profiles), func(n string) bool { return n == p.Name })
	if len(names) == 0 {
		return a.say(inkDim, signNone, "there is no other profile to compare "+p.Name+" with")
	}
	if active := a.cache.state.ActiveProfile(); active != p.Name {
		return a.open(&compared{from: active, to: p.Name})
	}
	var options []option
	for _, n := range names {
		options = append(options, option{label: n, do: func(a *app) tea.Cmd { return a.open(&compared{from: p.Name, to: n}) }})
	}
	if len(options) == 1 {
		return options[0].do(a)
	}
	return a.ask("Compare "+p.Name+" with", options...)
}

func (s *compared) draw(a *app, w, h int) []line {
	in := func(vm *vmRow, profile string) bool { return slices.Contains(vm.Profiles, profile) }
	var only, both, other []*vmRow
	for i := range a.cache.vms {
		switch vm := &a.cache.vms[i]; {
		case in(vm, s.from) && in(vm, s.to):
			both = append(both, vm)
		case in(vm, s.from):
			only = append(only, vm)
		case in(vm, s.to):
			other = append(other, vm)
		}
	}
	out := append(s.balance(a, w), nil)
	section := func(sign string, colour ink, title string, vms []*vmRow) {
		out = append(out, line{{" " + sign + " " + strconv.Itoa(len(vms)), colour}, {" " + title, inkHead}}.wrap(w, 3)...)
		for _, vm := range vms {
			out = append(out, comparedVM(vm, w))
		}
		out = append(out, nil)
	}
	section("−", inkWarn, "ONLY IN "+s.from+": they go, their disks are kept", only)
	section("+", inkGood, "ONLY IN "+s.to+": they appear", other)
	section("=", inkDim, "IN BOTH: they stay as they are", both)
	return s.show(out, h)
}

// comparedVM is a VM in a comparison.
func comparedVM(vm *vmRow, w int) line {
	l := append(line{{"   " + vm.guest.sign + " ", vm.guest.ink}}, text(inkName, vm.Name).fit(min(18, w/3))...)
	l = append(l, text(inkText, " "+vm.Hypervisor).fit(14)...)
	l = append(l, cell(text(inkText, mebibytes(vm.MemoryMiB)), 8, true)...)
	if !vm.Enabled {
		l = append(l, span{"  disabled", inkDim})
	}
	return append(l, span{"  " + vm.Role, inkDim})
}

// balance is what each profile asks of each hypervisor.
func (s *compared) balance(a *app, w int) []line {
	var out []line
	l := line{{" ", inkText}}
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		var from, to int
		for _, n := range r.vms {
			vm := &a.cache.vms[n]
			if !vm.Enabled || !vm.Running {
				continue
			}
			if slices.Contains(vm.Profiles, s.from) {
				from += vm.MemoryMiB
			}
			if slices.Contains(vm.Profiles, s.to) {
				to += vm.MemoryMiB
			}
		}
		if from == 0 && to == 0 {
			continue
		}
		colour := inkText
		if total := r.st.Facts.MemoryMiB; total > 0 && to > total {
			colour = inkBad
		}
		part := line{{r.Name + " ", inkName}, {fmt.Sprintf("%s → %s", mebibytes(from), mebibytes(to)), colour}}
		if total := r.st.Facts.MemoryMiB; total > 0 {
			part = append(part, span{" of " + mebibytes(total), inkDim})
		}
		switch {
		case len(l) == 1:
		case l.size()+3+part.size() > w:
			out, l = append(out, l), line{{" ", inkText}}
		default:
			l = append(l, span{"   ", inkText})
		}
		l = append(l, part...)
	}
	return append(out, l)
}
