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
	var volumes []string
	kept, stays := s.diskNames(vm), map[string]bool{}
	for _, v := range status.ForeignVolumes {
		if disk := kept[v.Pool+"/"+v.Name]; v.VM == vm.ID && disk != "" {
			volumes = append(volumes, fmt.Sprintf("volume %s in pool %s becomes its %s disk, with all that is on it", v.Name, v.Pool, disk))
			stays[disk] = true
		}
	}
	g, there := status.Conflicting(vm.ID)
	if !there {
		return volumes
	}
	lines := append([]string{fmt.Sprintf("domain %s: %s", g.Name, g.About())}, volumes...)
	if g.On() {
		lines = append(lines, "its guest is shut down, and started again if the VM is wanted running")
	}
	lines = append(lines, fmt.Sprintf("its domain is made anew as the VM is defined: %d MiB, %s, and NICs with other MAC addresses", vm.MemoryMiB, cpus(vm.CPUs)))
	for _, d := range g.Disks {
		disk := kept[d.Path]
		switch {
		case disk == "":
			lines = append(lines, fmt.Sprintf("disk %s stays where it is, and the new domain does not have it", d))
		case !stays[disk]:
			lines = append(lines, fmt.Sprintf("disk %s is kept as its %s disk, with all that is on it", d, disk))
			stays[disk] = true
		}
	}
	if !stays[DiskRoot] {
		lines = append(lines, "its root disk is a new one, made from image "+vm.Image)
	}
	return append(lines, "it gets a seed of ours: cloud-init, where it has that, runs as on a new machine")
}

// diskNames are a VM's disks by where they lie, as a path and as POOL/VOLUME.
func (s *State) diskNames(vm VM) map[string]string {
	names := map[string]string{}
	add := func(disk, pool, name string) {
		names[path.Join(s.Hypervisors[vm.Hypervisor].PoolPath(pool), name)], names[pool+"/"+name] = disk, disk
	}
	add(DiskRoot, DefaultPool, DomainName(vm.Name, vm.Hypervisor))
	if vm.ExtraDiskGiB > 0 {
		add(DiskExtra, vm.Pool(), ExtraVolume(vm.Name, vm.Hypervisor))
	}
	return names
}
