package tui

import (
	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

var keyMoveVM = bind("m", "", "move to another hypervisor; what that does is asked about first", "m").by(model.RoleAdmin)

// moveVMs asks where VMs are to be moved to, with the room that there is, and
// then about what that does.
func moveVMs(a *app, rows []*vmRow, marks *list) tea.Cmd {
	need := 0
	on, carried := map[string]string{}, map[string]bool{}
	for _, vm := range rows {
		need += vm.MemoryMiB
		on[vm.Name] = vm.Hypervisor
		carried[vm.Name] = noGuest(a.cache, vm) == ""
	}
	lines := moveLines(rows, carried)
	names := namesOf(rows)
	var options []option
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		if len(rows) == 1 && r.Name == rows[0].Hypervisor {
			continue
		}
		options = append(options, option{label: r.Name, note: roomFor(r, need), do: func(a *app) tea.Cmd {
			return bulk{
				verb: "Move to " + r.Name + ":", yes: plural(len(names), "move it", "move them"), thing: "VM", state: "on " + r.Name,
				names: names, least: stops, list: marks, lines: lines,
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

// roomFor says whether a hypervisor has the memory.
func roomFor(r *hvRow, need int) line {
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
	var with, without []string
	for _, vm := range rows {
		if carried[vm.Name] {
			with = append(with, vm.Name)
		} else {
			without = append(without, vm.Name)
		}
	}
	var out []line
	if len(with) > 0 {
		out = append(out, text(inkText, sentence(with)+plural(len(with), " is", " are")+" shut down, the disks are copied, and the guest is started there. Until then it can be cancelled."))
	}
	if len(without) > 0 {
		out = append(out, text(inkWarn, sentence(without)+plural(len(without), " has", " have")+" no domain now: only the placement is changed, and no disk goes along."))
	}
	return out
}
