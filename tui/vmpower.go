package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// What starts and stops guests, restarts and rebuilds them.

// startStop starts a guest, or shuts it down; one that shuts down already can be
// switched off at once.
func startStop(a *app, vm *vmRow) tea.Cmd {
	want := !vm.Running
	c := change{
		title: map[bool]string{true: "Start ", false: "Stop "}[want] + vm.Name, verb: "stop it",
		edit: changeVM(vm.Name, func(v *model.VM) { v.Running = want }),
	}
	why := noGuest(a.cache, vm)
	switch {
	case why != "":
		c.least, c.verb = stops, either(want, "start it then", "leave it stopped then")
		c.lines = []line{
			text(inkWarn, vm.Name+" has no guest now: "+why+"."),
			text(inkText, "Nothing changes until it gets one, which will then be "+either(want, "running.", "stopped.")),
		}
	case want && vm.guest.offBy.IsZero():
		c.noted = sharesOff(a.cache, vm)
	case want:
		return goingDown(a, vm, c.edit)
	default:
		c.lines = []line{text(inkText, "It is asked to shut down, and switched off "+graceWords(a)+" later if it has not gone by then.")}
		c.also = &also{key: "f", verb: "switch it off now", do: func(a *app) tea.Cmd { return forceOff(a, vm.Name, c.edit) }}
	}
	return a.propose(c)
}

// goingDown asks what to do with a guest that shuts down: no more waiting, or on
// again.
func goingDown(a *app, vm *vmRow, start model.Edit) tea.Cmd {
	name := vm.Name
	a.overlay = &confirm{
		title: "Switch " + name + " off now?", level: stops, verb: "switch it off now",
		lines: []line{
			text(inkText, name+" was asked to shut down, and is forced off "+model.Guest{OffBy: vm.guest.offBy}.OffIn(a.now)+" if it has not gone by then."),
			text(inkWarn, "Switched off now it loses what it has not written yet."),
		},
		do:   func(a *app) tea.Cmd { return forceOff(a, name, nil) },
		also: &also{key: "s", verb: "start it again", edit: start},
	}
	return nil
}

// forceOff stops a VM, unless stop is nil as that is done, and switches its guest
// off.
func forceOff(a *app, name string, stop model.Edit) tea.Cmd {
	return a.order(name+" is switched off", func(ctx context.Context) error {
		if stop != nil {
			if _, err := a.lab.Commit(ctx, "dashboard: Stop "+name, stop); err != nil {
				return err
			}
		}
		return a.lab.CutGuest(ctx, name)
	})
}

// graceWords say how long guests have to shut down.
func graceWords(a *app) string {
	return strconv.Itoa(cmp.Or(a.cache.state.Settings.GuestGraceSeconds, model.DefaultGuestGrace)) + " s"
}

// sharesOff says which shares a VM does not get, as the machine that serves them
// is off.
func sharesOff(c *cache, vm *vmRow) string {
	for _, share := range vm.Shares {
		if why, remedy := c.state.ShareOff(share, c.status); why != "" {
			return "its share " + share + " is not to be had, " + why + ": " + remedy
		}
	}
	return ""
}

// sharesLost says which running guests lose what outlets and machines serve.
func sharesLost(c *cache, outlets, machines []string) []line {
	var out []line
	for _, lost := range c.state.SharesLost(c.status, outlets, machines) {
		out = append(out, text(inkWarn, upper(lost)+"."))
	}
	return out
}

// noGuest says why a VM is to have no guest, or nothing.
func noGuest(c *cache, vm *vmRow) string {
	active := c.state.ActiveProfile()
	switch {
	case !vm.Enabled:
		return "it is disabled"
	case !slices.Contains(vm.Profiles, active):
		return "it is not in the active profile " + active
	}
	return ""
}

func restartVM(a *app, vm *vmRow) tea.Cmd { return restartVMs(a, []*vmRow{vm}, &list{}) }

// restartVMs asks, and restarts the guests that can be, all at once.
func restartVMs(a *app, rows []*vmRow, marks *list) tea.Cmd {
	var names, refused []string
	for _, vm := range rows {
		if why := noRestart(a.cache, vm); why != "" {
			refused = append(refused, why)
		} else {
			names = append(names, vm.Name)
		}
	}
	if len(names) == 0 {
		return a.fail(errors.New(refused[0]))
	}
	what := names[0]
	if len(names) > 1 {
		what = count(len(names), "VM")
	}
	lines := []line{
		text(inkText, sentence(names)+": asked to shut down, switched off "+graceWords(a)+" later if still up, and started again. Nothing else changes."),
	}
	for _, why := range refused {
		lines = append(lines, text(inkWarn, why+"."))
	}
	do := func(force bool) func(a *app) tea.Cmd {
		return func(a *app) tea.Cmd {
			marks.unmark()
			return restartAll(a, names, what, force)
		}
	}
	a.overlay = &confirm{
		title: "Restart " + what + "?", level: stops, verb: plural(len(names), "restart it", "restart them"), lines: lines, do: do(false),
		also: &also{key: "f", verb: "without a shutdown", do: do(true)},
	}
	return nil
}

// noRestart says why the guest of a VM cannot be restarted, or nothing.
func noRestart(c *cache, vm *vmRow) string {
	if why := noGuest(c, vm); why != "" {
		return vm.Name + " has no guest: " + why
	}
	st := c.status.Hypervisors[vm.Hypervisor]
	if err := model.CanRestart(vm.VM, st); err != nil {
		return err.Error()
	}
	if _, there := st.Guest(vm.ID); !there {
		return vm.Name + " has no guest yet"
	}
	return ""
}

func restartAll(a *app, names []string, what string, force bool) tea.Cmd {
	cmds := []tea.Cmd{a.say(inkBusy, signRun, "restarting "+what+" …")}
	for _, name := range names {
		cmds = append(cmds, a.order(name+" is restarted", func(ctx context.Context) error {
			return a.lab.RestartGuest(ctx, name, force)
		}))
	}
	return tea.Batch(cmds...)
}

func rebuildVM(a *app, vm *vmRow) tea.Cmd { return rebuildVMs(a, []*vmRow{vm}, &list{}) }

// rebuildVMs asks for a name to be typed, says what is lost, and leaves those
// alone that are protected.
func rebuildVMs(a *app, rows []*vmRow, marks *list) tea.Cmd {
	todo := slices.DeleteFunc(slices.Clone(rows), func(vm *vmRow) bool { return vm.Protected })
	lines := []line{text(inkWarn, "A new root disk from the image: all that is on the old one is lost. It starts as a new machine does, with cloud-init, and the minion's key stays.")}
	if slices.ContainsFunc(todo, func(vm *vmRow) bool { return vm.ExtraDiskGiB > 0 }) {
		lines = append(lines, text(inkText, "Extra disks stay as they are."))
	}
	off := slices.DeleteFunc(slices.Clone(todo), func(vm *vmRow) bool { return noGuest(a.cache, vm) == "" })
	if n := len(off); n > 0 {
		lines = append(lines, text(inkText, sentence(namesOf(off))+plural(n, " has no guest now; its root disk is made anew when it appears.", " have no guests now; their root disks are made anew when those appear.")))
	}
	return bulk{
		verb: "Rebuild", yes: plural(len(todo), "rebuild it", "rebuild them"), thing: "VM", names: namesOf(rows), least: stops, list: marks, lines: lines,
		refused: func(name string) string {
			if vm, ok := a.cache.vm(name); ok && vm.Protected {
				return fmt.Sprintf("%s is protected, so its root disk stays: x lifts that first", name)
			}
			return ""
		},
		edit: func(names []string) model.Edit { return changeVMs(names, func(vm *model.VM) { vm.Rebuild++ }) },
	}.run(a)
}
