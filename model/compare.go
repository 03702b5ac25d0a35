package model

import (
	"slices"
	"strings"
)

// Preview tells what the change from before to after does to guests and disks
// on all hypervisors, sorted by hypervisor and VM. kept are the disks that
// exist on each hypervisor, by its name, as far as the server knows.
func Preview(before, after *State, kept map[string][]Disk) []Impact {
	var old, now []Placement
	oldSeeds, nowSeeds := lineSeed(before), lineSeed(after)
	oldVMs, nowVMs := byHypervisor(before), byHypervisor(after)
	for _, h := range Names(before.Hypervisors) {
		old = append(old, placements(before, h, oldVMs[h], diskSet(kept[h]), oldSeeds)...)
	}
	// What a VM had until now is there, whether or not its agent said so yet.
	disks := map[string]map[Disk]bool{}
	for _, p := range old {
		if disks[p.Hypervisor] == nil {
			disks[p.Hypervisor] = diskSet(kept[p.Hypervisor])
		}
		for _, d := range p.disks() {
			disks[p.Hypervisor][d] = true
		}
	}
	for _, h := range Names(after.Hypervisors) {
		now = append(now, placements(after, h, nowVMs[h], disks[h], nowSeeds)...)
	}
	return Compare(old, now)
}

func byHypervisor(s *State) map[string][]VM {
	m := make(map[string][]VM, len(s.Hypervisors))
	for _, name := range Names(s.VMs) {
		vm := s.VMs[name]
		m[vm.Hypervisor] = append(m[vm.Hypervisor], vm)
		if vm.MovedFrom != "" {
			m[vm.MovedFrom] = append(m[vm.MovedFrom], vm)
		}
	}
	return m
}

// disks are those that the placement has.
func (p Placement) disks() []Disk {
	var d []Disk
	if p.Root {
		d = append(d, Disk{p.ID, DiskRoot})
	}
	if p.Extra {
		d = append(d, Disk{p.ID, DiskExtra})
	}
	return d
}

// Compare tells what becomes of each VM when what hypervisors carry changes
// from before to after. A VM that nothing happens to is not in the result.
func Compare(before, after []Placement) []Impact {
	type key struct{ hypervisor, id string }
	now := make(map[key]*Placement, len(after))
	places := make(map[string]string, len(after)) // VM → hypervisor
	for i := range after {
		p := &after[i]
		now[key{p.Hypervisor, p.ID}] = p
		if !p.Copy {
			places[p.ID] = p.Hypervisor
		}
	}
	var impacts []Impact
	for i := range before {
		b := &before[i]
		k := key{b.Hypervisor, b.ID}
		a, ok := now[k]
		delete(now, k)
		if !ok {
			impacts = append(impacts, gone(b, places[b.ID]))
		} else if *a != *b {
			if impact, ok := changed(b, a); ok {
				impacts = append(impacts, impact)
			}
		}
	}
	for _, a := range now {
		if a.Domain {
			impacts = append(impacts, impactOn(a, ActionCreate))
		}
	}
	slices.SortFunc(impacts, func(a, b Impact) int {
		if c := strings.Compare(a.Hypervisor, b.Hypervisor); c != 0 {
			return c
		}
		if c := strings.Compare(a.VM, b.VM); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return impacts
}

func impactOn(p *Placement, a Action) Impact {
	return Impact{Hypervisor: p.Hypervisor, VM: p.Name, ID: p.ID, Action: a, Protected: p.Protected}
}

// gone is the impact on a VM that the hypervisor carries no longer, because it
// was removed or is now at another place.
func gone(b *Placement, place string) Impact {
	impact := impactOn(b, ActionDestroy)
	impact.Running = b.Domain && b.Running
	for _, d := range b.disks() {
		impact.DisksLost = append(impact.DisksLost, d.Disk)
	}
	switch {
	case place != "" && b.Copy:
		impact.Note = "is on " + place + " now: this is the old copy"
	case place != "":
		impact.Fields, impact.Note = []string{"hypervisor"}, "is made anew on "+place
	}
	return impact
}

// changed is the impact on a VM that stays where it is.
func changed(b, a *Placement) (Impact, bool) {
	impact := impactOn(b, "")
	impact.Fields = differences(b, a)
	anew := a.Name != b.Name || a.Rebuild != b.Rebuild
	if b.Root && (!a.Root || anew) {
		impact.DisksLost = append(impact.DisksLost, DiskRoot)
	}
	if b.Extra && (!a.Extra || a.ExtraPool != b.ExtraPool || a.Name != b.Name) {
		impact.DisksLost = append(impact.DisksLost, DiskExtra)
	}
	switch {
	case b.Domain && a.Domain:
		impact.Action = guestAction(b, a, anew)
	case b.Domain:
		impact.Action = ActionRemove
	case a.Domain:
		impact.Action = ActionCreate
		if b.Root && len(impact.DisksLost) == 0 {
			impact.Note = noteKept
		}
	case a.Root && slices.Contains(impact.DisksLost, DiskRoot):
		impact.Action = ActionRecreate
	case len(impact.DisksLost) > 0, len(grown(b, a)) > 0:
		impact.Action = ActionChange
	}
	switch {
	case a.Copy && !b.Copy:
		impact.Fields, impact.Note = []string{"hypervisor"}, "was moved: the old disks stay until it is up at its new place"
	case a.Moving != "" && b.Moving == "":
		if impact.Fields = []string{"hypervisor"}; impact.Action == "" {
			impact.Action = ActionChange
		}
	}
	if !a.Root && !a.Extra && impact.Action != "" {
		impact.Action = ActionDestroy
	}
	if impact.Action == ActionChange || impact.Action == ActionRestart || impact.Action == ActionStart || impact.Action == ActionStop {
		impact.Note = join(growNote(grown(b, a), a.Domain), lateNote(impact))
	}
	if a.Moving != "" && b.Moving == "" {
		impact.Note = moveNote(a, b.Running)
	}
	impact.Running = b.Domain && b.Running && impact.Action.hurts()
	return impact, impact.Action != ""
}

// moveNote says where a VM moves to, and what becomes of its guest there.
func moveNote(p *Placement, running bool) string {
	note := "moves to " + p.Moving + " with its disks"
	if p.Back {
		note = "goes back to " + p.Moving + ", to the disks that it left there"
	}
	if running {
		return note + ", and is started there"
	}
	return note + ", and stays stopped"
}

// guestAction is what happens to a VM that had a domain and still has one.
func guestAction(b, a *Placement, anew bool) Action {
	switch {
	case anew:
		return ActionRecreate
	case a.MemoryMiB != b.MemoryMiB, a.CPUs != b.CPUs, a.NICs != b.NICs, a.Network != b.Network, a.Accel != b.Accel,
		a.Extra != b.Extra, a.ExtraPool != b.ExtraPool:
		return ActionRestart
	case a.Running && !b.Running:
		return ActionStart
	case b.Running && !a.Running:
		return ActionStop
	case a.Image != b.Image, a.DiskGiB != b.DiskGiB, a.ExtraGiB != b.ExtraGiB, a.Seed != b.Seed:
		return ActionChange
	}
	return ""
}

// grown are the disks that stay and get larger, which the agent does at once.
func grown(b, a *Placement) []string {
	var disks []string
	if b.Root && a.Root && a.DiskGiB > b.DiskGiB && a.Name == b.Name && a.Rebuild == b.Rebuild {
		disks = append(disks, DiskRoot)
	}
	if b.Extra && a.Extra && a.ExtraGiB > b.ExtraGiB && a.Name == b.Name && a.ExtraPool == b.ExtraPool {
		disks = append(disks, DiskExtra)
	}
	return disks
}

// hurts tells whether a guest that is on is interrupted by the action.
func (a Action) hurts() bool {
	switch a {
	case ActionStop, ActionRestart, ActionRecreate, ActionRemove, ActionDestroy:
		return true
	}
	return false
}

// differences names the fields that differ, as flags and JSON do.
func differences(b, a *Placement) []string {
	var fields []string
	add := func(name string, differ bool) {
		if differ {
			fields = append(fields, name)
		}
	}
	add("name", a.Name != b.Name)
	add("rebuild", a.Rebuild != b.Rebuild)
	add("image", a.Image != b.Image)
	add("memory_mib", a.MemoryMiB != b.MemoryMiB)
	add("cpus", a.CPUs != b.CPUs)
	add("disk_gib", a.DiskGiB != b.DiskGiB)
	add("extra_disk_gib", a.Extra != b.Extra || (a.Extra && a.ExtraGiB != b.ExtraGiB))
	add("extra_pool", a.Extra && b.Extra && a.ExtraPool != b.ExtraPool)
	add("nics", a.NICs != b.NICs)
	add("network", a.Network != b.Network)
	add("accel", a.Accel != b.Accel)
	add("running", a.Running != b.Running)
	if a.Domain && b.Domain && a.Seed != b.Seed {
		fields = append(fields, seedDifferences(b.Seed, a.Seed)...)
	}
	return fields
}

// seedDifferences names the lines that differ, in the order of the seeds.
func seedDifferences(before, after string) []string {
	var fields []string
	add := func(from, without string) {
		have := map[string]bool{}
		for l := range strings.Lines(without) {
			have[l] = true
		}
		for l := range strings.Lines(from) {
			name, _, _ := strings.Cut(l, "=")
			if !have[l] && !slices.Contains(fields, name) {
				fields = append(fields, name)
			}
		}
	}
	add(after, before)
	add(before, after)
	return fields
}
