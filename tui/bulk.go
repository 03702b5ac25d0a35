package tui

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// bulk is one thing done to several rows at once, as one change.
type bulk struct {
	verb  string // "Stop": the title of the question, before what it is about
	to    string // and after that
	yes   string // what y does: "stop them"
	thing string // "VM"
	state string // what is said of those that are so already: "stopped"
	names []string
	so    func(name string) bool // it is so already
	// refused says why one is left as it is; nil, or "", is that it is not.
	refused func(name string) string
	edit    func(names []string) model.Edit
	lines   []line // said first
	least   damage
	list    *list // whose marks go when it is done
}

// run asks about a bulk change in proportion to what it does, all of which is
// listed, and says what was so already.
func (b bulk) run(a *app) tea.Cmd {
	todo, so, refused := b.sort()
	if len(todo) == 0 && len(refused) > 0 {
		return a.fail(errors.New(strings.Join(refused, "; ")))
	}
	if len(todo) == 0 {
		return a.say(inkDim, signNone, "already "+b.state+": "+sentence(so))
	}
	c := change{
		title: b.verb + " " + todo[0] + b.to, verb: b.yes, name: todo[0], lines: slices.Clone(b.lines), least: b.least,
		edit: b.edit(todo), after: b.list.unmark,
	}
	for _, why := range refused {
		c.lines = append(c.lines, text(inkWarn, why+"."))
	}
	if b.thing == "VM" && len(todo) > 1 {
		c.vms = todo
	}
	if len(todo) > 1 {
		c.name = count(len(todo), b.thing)
		c.title = b.verb + " " + c.name + b.to
	}
	if len(so) > 0 {
		c.noted = "already " + b.state + ": " + sentence(so)
		c.lines = append(c.lines, text(inkDim, upper(c.noted)+"."))
	}
	return a.propose(c)
}

// sort sorts what it is done to from what is so already, and from what is refused
// with the reason.
func (b bulk) sort() (todo, so, refused []string) {
	for _, n := range b.names {
		why := ""
		if b.refused != nil {
			why = b.refused(n)
		}
		switch {
		case why != "":
			refused = append(refused, why)
		case b.so != nil && b.so(n):
			so = append(so, n)
		default:
			todo = append(todo, n)
		}
	}
	return todo, so, refused
}

// switches is a bulk change of one setting of VMs.
func (s *vms) switches(a *app, rows []*vmRow, verb, yes, state string, is func(vm *vmRow) bool, set func(vm *model.VM), lines ...line) option {
	return option{label: verb, do: func(a *app) tea.Cmd {
		return bulk{
			verb: verb, yes: yes, thing: "VM", state: state, names: namesOf(rows), list: &s.list, lines: lines, least: leastFor(lines),
			so: func(name string) bool {
				i := slices.IndexFunc(rows, func(r *vmRow) bool { return r.Name == name })
				return is(rows[i])
			},
			edit: func(names []string) model.Edit { return changeVMs(names, set) },
		}.run(a)
	}}
}

// leastFor asks where there is something to say first.
func leastFor(lines []line) damage {
	if len(lines) > 0 {
		return stops
	}
	return harmless
}

func namesOf(rows []*vmRow) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
	}
	return names
}

func changeVMs(names []string, set func(vm *model.VM)) model.Edit {
	edits := make([]model.Edit, len(names))
	for i, n := range names {
		edits[i] = changeVM(n, set)
	}
	return model.Edits(edits...)
}

// ask offers what can be done to several VMs with one key.
func (a *app) ask(title string, options ...option) tea.Cmd {
	for i := range options {
		options[i].key = fmt.Sprint(i + 1)
	}
	a.overlay = &chooser{title: title, options: options}
	return nil
}

// picked are the marked VMs.
func (s *vms) picked(a *app) []*vmRow {
	var rows []*vmRow
	for _, k := range s.list.picked() {
		if r, ok := a.cache.vm(k); ok {
			rows = append(rows, r)
		}
	}
	return rows
}

// several is what a key does to the marked VMs; nil: to the chosen one only.
func (s *vms) several(b binding) func(a *app, rows []*vmRow) tea.Cmd {
	switch b.keys[0] {
	case keyRunning.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd {
			var off []line
			for _, vm := range rows {
				if why := sharesOff(a.cache, vm); why != "" && !vm.Running {
					off = append(off, text(inkWarn, vm.Name+": "+why+"."))
				}
			}
			return a.ask("Start or stop "+count(len(rows), "VM"),
				s.switches(a, rows, "Start", "start them", "to be running", func(vm *vmRow) bool { return vm.Running }, func(vm *model.VM) { vm.Running = true }, off...),
				s.switches(a, rows, "Stop", "stop them", "to be stopped", func(vm *vmRow) bool { return !vm.Running }, func(vm *model.VM) { vm.Running = false }))
		}
	case keyEnable.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd {
			return a.ask("Enable or disable "+count(len(rows), "VM"),
				s.switches(a, rows, "Enable", "enable them", "enabled", func(vm *vmRow) bool { return vm.Enabled }, func(vm *model.VM) { vm.Enabled = true }),
				s.switches(a, rows, "Disable", "disable them", "disabled", func(vm *vmRow) bool { return !vm.Enabled }, func(vm *model.VM) { vm.Enabled = false }))
		}
	case keyProtect.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd {
			return a.ask("Protect or not "+count(len(rows), "VM"),
				s.switches(a, rows, "Protect", "protect them", "protected", func(vm *vmRow) bool { return vm.Protected }, func(vm *model.VM) { vm.Protected = true }),
				s.switches(a, rows, "Unprotect", "lift the protection", "unprotected", func(vm *vmRow) bool { return !vm.Protected }, func(vm *model.VM) { vm.Protected = false }))
		}
	case keyRemove.keys[0]:
		return s.removeAll
	case keyMoveVM.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd { return moveVMs(a, rows, &s.list) }
	case keyRestart.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd { return restartVMs(a, rows, &s.list) }
	case keyRebuild.keys[0]:
		return func(a *app, rows []*vmRow) tea.Cmd { return rebuildVMs(a, rows, &s.list) }
	}
	return nil
}

func (s *vms) removeAll(a *app, rows []*vmRow) tea.Cmd {
	return bulk{
		verb: "Remove", yes: "remove them", thing: "VM", names: namesOf(rows), least: stops, list: &s.list,
		edit: func(names []string) model.Edit {
			edits := make([]model.Edit, len(names))
			for i, n := range names {
				edits[i] = model.Remove[model.VM](n)
			}
			return model.Edits(edits...)
		},
	}.run(a)
}

// powerAll switches several machines on or off.
func (s *home) powerAll(a *app, names []string) tea.Cmd {
	wants := func(name, on string) bool {
		r, ok := a.cache.hypervisor(name)
		return ok && r.PowerWanted == on && (r.st.Power == model.PowerOn) == (on == model.PowerWantedOn)
	}
	to := func(verb, yes, state, on string, least damage, lines []line) option {
		return option{label: verb, do: func(a *app) tea.Cmd {
			return bulk{
				verb: verb, yes: yes, thing: "machine", state: state, names: names, least: least, lines: lines, list: &s.list,
				so:   func(name string) bool { return wants(name, on) },
				edit: func(names []string) model.Edit { return model.WantPower(names, on) },
			}.run(a)
		}}
	}
	var off []line
	var outlets []string
	for _, name := range names {
		if r, ok := a.cache.hypervisor(name); ok && isUp(r.st) {
			up := a.cache.runningOn(r)
			outlets = append(outlets, r.Outlets...)
			off = append(off, text(inkWarn, name+": "+either(len(up) > 0, "shuts down "+sentence(up), "no guest is known to run")+", then the machine; then its power is cut."))
		}
	}
	off = append(off, sharesLost(a.cache, outlets, names)...)
	return a.ask("Power of "+count(len(names), "machine"),
		to("Power on", "power them on", "on", model.PowerWantedOn, harmless, nil),
		to("Power off", "power them off", "off", model.PowerWantedOff, stops, off))
}
