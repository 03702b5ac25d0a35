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
	on := map[string]string{}
	for _, vm := range rows {
		need += vm.MemoryMiB
		on[vm.Name] = vm.Hypervisor
	}
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
				names: names, least: stops, list: marks,
				so: func(name string) bool { return on[name] == r.Name },
				edit: func(names []string) model.Edit {
					edits := make([]model.Edit, len(names))
					for i, n := range names {
						edits[i] = moveTo(n, r.Name)
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

func moveTo(name, to string) model.Edit {
	return changeVM(name, func(vm *model.VM) { vm.Hypervisor = to })
}
