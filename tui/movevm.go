package tui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

var keyMoveVM = bind("m", "", "move to another hypervisor, or give a move up; what that does is asked about first", "m").by(model.RoleAdmin)

// moveVMs asks where VMs are to be moved to, with the room that there is, and
// then about what that does.
func moveVMs(a *app, rows []*vmRow, marks *list) tea.Cmd {
	if len(rows) == 1 && (rows[0].MovingTo != "" || rows[0].MovedFrom != "") {
		return moveBack(a, rows[0])
	}
	on, carried := map[string]string{}, map[string]bool{}
	for _, vm := range rows {
		on[vm.Name] = vm.Hypervisor
		carried[vm.Name] = noGuest(a.cache, vm) == ""
	}
	names := namesOf(rows)
	var options []option
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		if len(rows) == 1 && r.Name == rows[0].Hypervisor {
			continue
		}
		going := slices.DeleteFunc(slices.Clone(rows), func(vm *vmRow) bool { return vm.Hypervisor == r.Name })
		options = append(options, option{label: r.Name, note: roomFor(r, going), do: func(a *app) tea.Cmd {
			return bulk{
				verb: "Move", to: " to " + r.Name, yes: plural(len(going), "move it", "move them"), thing: "VM", state: "on " + r.Name,
				names: names, least: stops, list: marks, lines: moveLines(going, carried),
				so: func(name string) bool { return on[name] == r.Name },
				edit: func(names []string) model.Edit {
					edits := make([]model.Edit, len(names))
					for i, n := range names {
						edits[i] = moveTo(n, r.Name, carried[n])
					}
					return model.Edits(edits...)
				},
			}.run(a)
		}})
	}
	if len(options) == 0 {
		return a.say(inkDim, signNone, "there is no other hypervisor")
	}
	a.overlay = &chooser{title: "Move " + either(len(rows) == 1, names[0], count(len(rows), "VM")) + " to", options: options}
	return nil
}

// moveBack asks whether to give a move up: while the disks are copied nothing has
// changed where the VM is; afterwards the old copy is there still.
func moveBack(a *app, vm *vmRow) tea.Cmd {
	if vm.MovingTo != "" {
		return a.propose(change{
			title: "Cancel the move of " + vm.Name, verb: "cancel it", least: stops, edit: model.CancelMove(vm.Name),
			lines: []line{text(inkText, vm.Name+" is on its way from "+vm.Hypervisor+" to "+vm.MovingTo+". It stays where it is, with its disks as they are.")},
		})
	}
	lines := []line{
		text(inkText, vm.Name+" has been moved to "+vm.Hypervisor+" and is not known to be up there yet. Its old disks are on "+vm.MovedFrom+" still."),
		text(inkWarn, "What it has written on "+vm.Hypervisor+" since it arrived is lost once it is up on "+vm.MovedFrom+" again."),
	}
	if a.cache.status.Hypervisors[vm.Hypervisor].Agent != model.AgentOnline {
		lines = append(lines, text(inkWarn, "The agent of "+vm.Hypervisor+" is away: the guest may run there, too, until that is back."))
	}
	return a.propose(change{
		title: "Take " + vm.Name + " back to " + vm.MovedFrom, verb: "take it back", least: stops, edit: model.TakeBack(vm.Name), lines: lines,
	})
}

// roomFor says whether a hypervisor has the memory for VMs that come to it.
func roomFor(r *hvRow, going []*vmRow) line {
	need := 0
	for _, vm := range going {
		need += vm.MemoryMiB
	}
	if r.st.Facts.MemoryMiB == 0 {
		return text(inkDim, "room unknown ")
	}
	free := r.st.Facts.MemoryMiB - r.given
	if free < need {
		return text(inkWarn, signWarn+" "+mebibytes(max(free, 0))+" free, "+mebibytes(need)+" needed ")
	}
	return text(inkDim, mebibytes(free)+" free ")
}

// moveTo moves a VM with its disks, which needs a domain; one without is placed
// elsewhere, and what that loses is asked about.
func moveTo(name, to string, carried bool) model.Edit {
	if carried {
		return model.MoveTo(name, to)
	}
	return changeVM(name, func(vm *model.VM) { vm.Hypervisor = to })
}

// moveLines say what a move does.
func moveLines(rows []*vmRow, carried map[string]bool) []line {
	var with, off, without []string
	for _, vm := range rows {
		switch {
		case !carried[vm.Name]:
			without = append(without, vm.Name)
		case !vm.Running:
			off = append(off, vm.Name)
		default:
			with = append(with, vm.Name)
		}
	}
	var out []line
	if len(with) > 0 {
		out = append(out, text(inkText, sentence(with)+plural(len(with), " is", " are")+" shut down, the disks are copied, and "+plural(len(with), "the guest is", "the guests are")+" started there."))
	}
	if len(off) > 0 {
		out = append(out, text(inkText, sentence(off)+plural(len(off), " stays stopped; its disks", " stay stopped; their disks")+" are copied."))
	}
	if len(with)+len(off) > 0 {
		out = append(out, text(inkText, "Until the disks are there, m gives it up."))
	}
	if len(without) > 0 {
		out = append(out, text(inkWarn, sentence(without)+plural(len(without), " has", " have")+" no domain now: only the placement is changed, and no disk goes along."))
	}
	return out
}

// placeOf is where a VM is, and how far its move to another place is.
func placeOf(a *app, vm *vmRow, w int) []line {
	st, known := a.cache.status.Moves[vm.ID]
	out := []line{fact("on", text(inkText, vm.Hypervisor))}
	switch {
	case vm.MovingTo != "":
		out = append(out, fact("moves to", text(inkBusy, vm.MovingTo+"; m gives that up")))
	case vm.MovedFrom != "":
		out = append(out, fact("from", text(inkBusy, vm.MovedFrom+", whose copy is kept; m goes back")))
	default:
		return out
	}
	if !known {
		return append(out, fact("", text(inkDim, "about to begin")))
	}
	switch {
	case st.Phase == model.MoveCopying && st.Total > 0:
		out = append(out, fact("", text(inkText, "copying "+st.Disk+" disk")), fact("", transferred(st.Done, st.Total, min(max(w-32, 4), 20))))
	case st.Note != "":
		out = append(out, fact("", text(inkText, "waits "+st.Note)))
	default:
		out = append(out, fact("", text(inkText, st.Phase)))
	}
	if st.Error != "" {
		for _, l := range wrapped(inkBad, st.Error, w-13, 0) {
			out = append(out, fact("", l))
		}
	}
	return out
}
