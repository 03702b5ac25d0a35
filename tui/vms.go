package tui

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// vms lists the VMs of the lab, or of one hypervisor.
type vms struct {
	list  list
	on    string // hypervisor; empty is all
	index []int  // into cache.vms, by row
	seen  *vmTable
	name  int // columns of the widest, as of the others
	hv    int
	role  int
	in    int
	ip    int
}

func (s *vms) title() string { return "VMs" }
func (s *vms) rows() *list   { return &s.list }

func (s *vms) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.vmTable {
		return nil
	}
	s.seen = a.cache.vmTable
	s.index = s.index[:0:0]
	if s.on == "" {
		for i := range a.cache.vms {
			s.index = append(s.index, i)
		}
	} else if r, ok := a.cache.hypervisor(s.on); ok {
		s.index = r.vms
	}
	keys, search := make([]string, len(s.index)), make([]string, len(s.index))
	for n, i := range s.index {
		keys[n], search[n] = a.cache.vms[i].Name, a.cache.vms[i].search
	}
	s.list.set(keys, search)
	s.name = widest(keys, 8, 28)
	s.hv = widest(model.Names(a.cache.state.Hypervisors), 10, 18)
	s.role, s.in, s.ip = 4, 0, 4
	for _, i := range s.index {
		s.role = max(s.role, min(width(a.cache.vms[i].Role), 12))
		s.ip = max(s.ip, len(address(&a.cache.vms[i])))
		s.in = max(s.in, width(strings.Join(a.cache.vms[i].Profiles, ",")))
	}
	return nil
}

func (s *vms) chosen(a *app) *vmRow {
	n, ok := s.list.index()
	if !ok || n >= len(s.index) || s.seen != a.cache.vmTable {
		return nil
	}
	return &a.cache.vms[s.index[n]]
}

func (s *vms) actions(a *app) []action {
	acts := vmActions(a, s.chosen)
	for i, act := range acts { // what is marked comes before what is chosen
		if all := s.several(act.binding); all != nil {
			acts[i].do = func(a *app) tea.Cmd {
				if rows := s.picked(a); len(rows) > 0 {
					return all(a, rows)
				}
				return act.do(a)
			}
		}
	}
	if n := len(s.list.picked()); n > 0 {
		for i, act := range acts {
			switch act.keys[0] {
			case keyRunning.keys[0]:
				acts[i].short = keyRunning.short
			case keyEditVM.keys[0]:
				acts[i].do = func(a *app) tea.Cmd { return s.editOne(a, act, n) }
			}
		}
	}
	return append(acts, action{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newVMForm(a, "", s.on)) }})
}

// editOne edits the chosen VM, and says so where others are marked.
func (s *vms) editOne(a *app, edit action, marked int) tea.Cmd {
	vm := s.chosen(a)
	if vm == nil || marked == 1 && s.list.marked[vm.Name] {
		return edit.do(a)
	}
	return tea.Batch(edit.do(a), a.say(inkWarn, signNone, "edits "+vm.Name+" only; "+strconv.Itoa(marked)+plural(marked, " is", " are")+" marked"))
}

func (s *vms) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No VM here yet.", "defines one", w)
	}
	if s.on == "" && w >= wide {
		lw := w - 44
		var right []line
		if vm := s.chosen(a); vm != nil {
			right = vmPane(a, vm, 42)
		}
		return beside(s.table(a, lw, h), right, lw, w-lw, h)
	}
	return s.table(a, w, h)
}

func (s *vms) table(a *app, w, h int) []line {
	cols := []column{
		{head: "NAME", w: s.name},
		{head: "STATE", w: 10},
		{head: "HYPERVISOR", w: s.hv, drop: 3},
		{head: "ROLE", w: s.role, drop: 7},
		{head: "PROFILES", w: 12, most: min(s.in, 40), drop: 6},
		{head: "MEMORY", w: 7, drop: 4, right: true},
		{head: "CPU", w: 3, drop: 5, right: true},
		{head: "IP", w: min(s.ip, 15), drop: 2, grow: true},
		{head: "SALT", w: 22, drop: 4},
	}
	if s.on != "" {
		cols[2].w, cols[2].drop = w, 99 // no room for what is the same in all
	}
	if len(a.cache.status.Minions) == 0 {
		cols[8].w, cols[8].drop = w, 99 // nobody asks
	}
	return s.list.draw(w, h, cols, func(n int) []line {
		vm := &a.cache.vms[s.index[n]]
		name := line{{vm.Name, inkName}}
		if vm.Protected {
			name = append(name, span{" ▪", inkBusy})
		}
		return []line{
			name,
			{{vm.guest.sign + " " + vm.guest.shortly(a.now), vm.guest.ink}},
			text(inkText, vm.Hypervisor),
			text(inkDim, orNone(vm.Role)),
			text(inkDim, strings.Join(vm.Profiles, ",")),
			text(inkText, mebibytes(vm.MemoryMiB)),
			text(inkText, strconv.Itoa(vm.CPUs)),
			text(inkDim, address(vm)),
			saltCell(a, vm),
		}
	})
}

// vmActions are what can be done to a VM, wherever it is shown.
func vmActions(a *app, row func(a *app) *vmRow) []action {
	edit, details := keyEditVM, keyDetails
	if !a.may(edit.need) { // then enter shows what may not be edited
		edit.keys, edit.show = []string{"e"}, "e"
		details.keys, details.show = []string{"enter", "i"}, "enter"
	}
	running, enabling := keyRunning, keyEnable
	if vm := row(a); vm != nil {
		running.short = either(vm.Running, "stop", either(vm.guest.offBy.IsZero(), "start", "off now"))
		enabling.short = either(vm.Enabled, "disable", "enable")
	}
	on := func(b binding, f func(a *app, vm *vmRow) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if vm := row(a); vm != nil {
				return f(a, vm)
			}
			return nil
		}}
	}
	return []action{
		on(edit, func(a *app, vm *vmRow) tea.Cmd { return a.open(newVMForm(a, vm.Name, "")) }),
		on(running, startStop),
		on(enabling, enable),
		on(keyRemove, removeVM),
		on(details, func(a *app, vm *vmRow) tea.Cmd { return a.open(&vmDetail{name: vm.Name}) }),
		on(keyConsole, console),
		on(keyRestart, restartVM),
		on(keyRebuild, rebuildVM),
		on(keyAdopt, adopt).only(isInTheWay(a, row(a))),
		on(keyProtect, protect),
		on(keyMoveVM, func(a *app, vm *vmRow) tea.Cmd { return moveVMs(a, []*vmRow{vm}, &list{}) }),
		on(keySalt, func(a *app, vm *vmRow) tea.Cmd { return a.open(&saltScreen{name: vm.Name}) }),
		on(keyReapply, func(a *app, vm *vmRow) tea.Cmd { return reapply(a, vm.Name) }),
	}
}

// address is what a VM has as its own, without the prefix.
func address(vm *vmRow) string {
	ip, _, _ := strings.Cut(vm.IP, "/")
	return either(ip == "", "DHCP", ip)
}

func changeVM(name string, f func(vm *model.VM)) model.Edit {
	return model.Change(name, 0, func(vm *model.VM) error {
		f(vm)
		return nil
	})
}

func enable(a *app, vm *vmRow) tea.Cmd {
	want := !vm.Enabled
	title := map[bool]string{true: "Enable ", false: "Disable "}[want] + vm.Name
	return a.propose(change{title: title, verb: "disable it", edit: changeVM(vm.Name, func(v *model.VM) { v.Enabled = want })})
}

func protect(a *app, vm *vmRow) tea.Cmd {
	want := !vm.Protected
	c := change{
		title: map[bool]string{true: "Protect ", false: "Unprotect "}[want] + vm.Name,
		edit:  changeVM(vm.Name, func(v *model.VM) { v.Protected = want }),
	}
	if !want {
		c.least, c.verb = stops, "lift the protection"
		c.lines = []line{text(inkText, "Then its disks can be removed again.")}
	}
	return a.propose(c)
}

func removeVM(a *app, vm *vmRow) tea.Cmd {
	return a.propose(change{
		title: "Remove " + vm.Name, verb: "remove it", name: vm.Name, least: stops,
		edit: model.Remove[model.VM](vm.Name),
	})
}

// vmPane is the detail of a VM, in lines of label and value.
func vmPane(a *app, vm *vmRow, w int) []line {
	ip := vm.IP
	if ip == "" {
		ip = "DHCP"
	}
	wanted := either(vm.Enabled, either(vm.Running, "running", "stopped"), "disabled: no guest, disks are kept")
	out := []line{
		text(inkName, " "+vm.Name),
		fact("guest", line{{vm.guest.sign + " " + vm.guest.fully(a.now, w-13), vm.guest.ink}}),
		fact("wanted", text(inkText, wanted)),
	}
	out = append(out, placeOf(a, vm, w)...)
	out = append(out,
		fact("profiles", text(inkText, strings.Join(vm.Profiles, ", "))),
		fact("role", text(inkText, orNone(vm.Role))),
		fact("shares", text(inkText, orNone(strings.Join(vm.Shares, ", ")))),
		fact("image", text(inkText, vm.Image)),
		fact("memory", text(inkText, mebibytes(vm.MemoryMiB))),
		fact("cpus", text(inkText, strconv.Itoa(vm.CPUs))),
		fact("disk", text(inkText, gibibytes(vm.DiskGiB, "as the image"))),
		fact("extra", text(inkText, extraDisk(vm))),
		fact("network", text(inkText, ip+", "+count(vm.NICs, "NIC"))),
	)
	out = append(out, vmSeen(a, vm, w)...)
	out = append(out, vmSalt(a, vm, w)...)
	out = append(out,
		fact("protected", text(inkText, either(vm.Protected, "yes: its disks stay", "no"))),
		fact("changed", text(inkDim, fmt.Sprintf("%s, revision %d", age(a.now, vm.Changed), vm.Version))),
		fact("id", text(inkDim, vm.ID)),
	)
	out = append(out, inTheWay(a, vm, w)...)
	var whole []line
	for _, l := range out {
		whole = append(whole, l.wrap(w-1, 11)...)
	}
	return whole
}

func either[T any](b bool, is, not T) T {
	if b {
		return is
	}
	return not
}

// gibibytes says the size of a disk, or what 0 means.
func gibibytes(n int, zero string) string {
	if n == 0 {
		return zero
	}
	return strconv.Itoa(n) + " GiB"
}

func extraDisk(vm *vmRow) string {
	s := gibibytes(vm.ExtraDiskGiB, "none")
	if vm.ExtraDiskGiB > 0 {
		s += " in pool " + either(vm.ExtraPool == "", model.DefaultPool, vm.ExtraPool)
	}
	return s
}
