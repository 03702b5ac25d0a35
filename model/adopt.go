package model

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Conflicting is the guest on a hypervisor that bears the name of a VM and is not
// ours.
func (s HypervisorStatus) Conflicting(id string) (Guest, bool) {
	i := slices.IndexFunc(s.Guests, func(g Guest) bool { return g.Conflict == id && id != "" })
	if i < 0 {
		return Guest{}, false
	}
	return s.Guests[i], true
}

// About says what is known of a guest that is not ours: "running, 2048 MiB, 2
// CPUs, disk /srv/web.qcow2 (20.0 GiB)".
func (g Guest) About() string {
	parts := []string{string(g.State)}
	if g.MadeFor != "" {
		parts = append(parts, "of another lab or of a VM that was removed")
	}
	if g.MemoryMiB > 0 {
		parts = append(parts, fmt.Sprintf("%d MiB", g.MemoryMiB))
	}
	if g.CPUs > 0 {
		parts = append(parts, cpus(g.CPUs))
	}
	for _, d := range g.Disks {
		parts = append(parts, "disk "+d.String())
	}
	return strings.Join(parts, ", ")
}

func cpus(n int) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%d CPUs", n)
}

func (d GuestDisk) String() string {
	switch {
	case d.SizeMiB == 0:
		return d.Path
	case d.SizeMiB < 1024:
		return fmt.Sprintf("%s (%d MiB)", d.Path, d.SizeMiB)
	}
	return fmt.Sprintf("%s (%.1f GiB)", d.Path, float64(d.SizeMiB)/1024)
}

// Adoption says what becoming a VM of ours takes for what bears its name on its
// hypervisor and is not ours, by what its agent reports: one line for each thing.
// It is empty where nothing is known to be in the way.
func (s *State) Adoption(vm VM, status HypervisorStatus) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	kept := map[string]string{} // what the VM's disks are called, and where they lie
	h := s.Hypervisors[vm.Hypervisor]
	volume := func(disk, pool, name string) {
		kept[path.Join(h.PoolPath(pool), name)], kept[pool+"/"+name] = disk, disk
	}
	volume(DiskRoot, DefaultPool, DomainName(vm.Name, vm.Hypervisor))
	if vm.ExtraDiskGiB > 0 {
		volume(DiskExtra, vm.Pool(), ExtraVolume(vm.Name, vm.Hypervisor))
	}
	stays := map[string]bool{}
	for _, v := range status.ForeignVolumes {
		if disk := kept[v.Pool+"/"+v.Name]; v.VM == vm.ID && disk != "" {
			add("volume %s in pool %s becomes its %s disk, with all that is on it", v.Name, v.Pool, disk)
			stays[disk] = true
		}
	}
	g, there := status.Conflicting(vm.ID)
	if !there {
		return lines
	}
	lines = append([]string{fmt.Sprintf("domain %s: %s", g.Name, g.About())}, lines...)
	if g.On() {
		add("its guest is shut down, and started again if the VM is wanted running")
	}
	add("its domain is made anew as the VM is defined: %d MiB, %s, and NICs with other MAC addresses", vm.MemoryMiB, cpus(vm.CPUs))
	for _, d := range g.Disks {
		disk := kept[d.Path]
		switch {
		case disk == "":
			add("disk %s stays where it is, and the new domain does not have it", d)
		case !stays[disk]:
			add("disk %s is kept as its %s disk, with all that is on it", d, disk)
			stays[disk] = true
		}
	}
	if !stays[DiskRoot] {
		add("its root disk is a new one, made from image %s", vm.Image)
	}
	add("it gets a seed of ours: cloud-init, where it has that, runs as on a new machine")
	return lines
}
