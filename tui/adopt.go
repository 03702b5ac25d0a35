package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

var keyAdopt = bind("O", "", "adopt the guest or the disk that is not ours and in the way of this VM; says what that takes, and asks", "O").by(model.RoleAdmin)

// adoption says what it takes to adopt what is in the way of a VM; nothing if
// nothing is.
func adoption(a *app, vm *vmRow) []string {
	return a.cache.state.Adoption(vm.VM, a.cache.status.Hypervisors[vm.Hypervisor])
}

func isInTheWay(a *app, vm *vmRow) bool { return vm != nil && len(adoption(a, vm)) > 0 }

// inTheWay says what that is, for the detail of a VM.
func inTheWay(a *app, vm *vmRow, w int) []line {
	takes := adoption(a, vm)
	if len(takes) == 0 {
		return nil
	}
	out := []line{nil, text(inkBad, " NOT OURS, AND IN THE WAY")}
	out = append(out, wrapped(inkText, " "+takes[0], w-2, 1)...)
	return append(out, line{{" O", inkKey}, {" says what adopting it takes, and asks", inkDim}})
}

func adopt(a *app, vm *vmRow) tea.Cmd {
	takes := adoption(a, vm)
	if len(takes) == 0 {
		return a.say(inkDim, signNone, "no domain is in the way of "+vm.Name)
	}
	var lines []line
	for _, what := range takes {
		lines = append(lines, text(inkText, upper(what)+"."))
	}
	name := vm.Name
	a.overlay = &confirm{
		title: "Adopt what is in the way of " + name + "?", level: stops, verb: "adopt it", lines: lines,
		do: func(a *app) tea.Cmd {
			return a.order(name+" is adopted; the next run brings it under control", func(ctx context.Context) error { return a.lab.Adopt(ctx, name) })
		},
	}
	return nil
}

// foreignLines are the guests and the volumes of a machine that are not ours.
func foreignLines(r *hvRow, w int) []line {
	var out []line
	for _, g := range r.st.Guests {
		if g.ID == "" {
			out = append(out, wrapped(inkText, g.Name+": "+g.About(), w, 2)...)
		}
	}
	for _, v := range r.st.ForeignVolumes {
		out = append(out, wrapped(inkWarn, "volume "+v.Name+" in pool "+v.Pool+", of the name of a VM's disk", w, 2)...)
	}
	if len(out) == 0 {
		return nil
	}
	return append([]line{nil, text(inkHead, "NOT OURS, AND LEFT ALONE")}, out...)
}
