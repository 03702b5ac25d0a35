package model

import (
	"fmt"
	"slices"
	"time"
)

// Drift is one way in which a VM is not what was applied: somebody or
// something changed it by hand.
type Drift struct {
	VM   string    `json:"vm"` // its name
	What DriftKind `json:"what"`
	Disk string    `json:"disk,omitempty"` // DiskRoot or DiskExtra, of one that is gone
	At   time.Time `json:"at"`             // UTC; when it was noticed
}

// DriftKind is a kind of drift.
type DriftKind string

// Kinds of drift.
const (
	DriftStopped   DriftKind = "stopped"   // the guest is off and wanted on
	DriftStarted   DriftKind = "started"   // the guest is on and wanted off
	DriftPaused    DriftKind = "paused"    // the guest stands still and is wanted on
	DriftUndefined DriftKind = "undefined" // the domain is gone
	DriftDiskGone  DriftKind = "disk_gone" // the file of a disk is gone
)

// String is the drift in words, such as "web was stopped by hand or by itself".
func (d Drift) String() string {
	switch d.What {
	case DriftStopped:
		return d.VM + " was stopped by hand or stopped by itself"
	case DriftStarted:
		return d.VM + " was started by hand"
	case DriftPaused:
		return d.VM + " was paused by hand, or its disk is full"
	case DriftUndefined:
		return "the domain of " + d.VM + " was removed by hand"
	case DriftDiskGone:
		return "the " + d.Disk + " disk of " + d.VM + " is gone"
	}
	return d.VM + " drifted"
}

// Advice is the drift in words, with what makes up for a disk that is gone.
func (d Drift) Advice() string {
	if d.What != DriftDiskGone {
		return d.String()
	}
	instead := fmt.Sprintf("`vm rebuild %s` makes a new one", d.VM)
	if d.Disk == DiskExtra {
		instead = fmt.Sprintf("`vm edit %s --extra-disk 0` does without it", d.VM)
	}
	return d.String() + ": put it back, or " + instead
}

// Mends tells whether a run may mend it without being asked for. That a disk
// is gone is for people: what it held may still be saved as long as the guest
// runs that has it open.
func (d Drift) Mends() bool { return d.What != DriftDiskGone }

// Drifted tells how the VMs of a hypervisor differ from what is desired, while
// that is applied, by what its agent reports. before is what was found the
// last time: what is still so keeps its time.
func (s *State) Drifted(hypervisor string, guests []Guest, gone []Disk, before []Drift, now time.Time) []Drift {
	byID := make(map[string]Guest, len(guests))
	for _, g := range guests {
		if g.ID != "" {
			byID[g.ID] = g
		}
	}
	var all []Drift
	add := func(d Drift) {
		d.At = now.UTC()
		for _, old := range before {
			if old.VM == d.VM && old.What == d.What && old.Disk == d.Disk {
				d.At = old.At
			}
		}
		all = append(all, d)
	}
	for _, vm := range s.VMsOn(hypervisor) {
		if vm.MovingTo != "" {
			continue // it is off while its disks are copied
		}
		g, there := byID[vm.ID]
		for _, disk := range gone {
			if disk.VM == vm.ID && !(disk.Disk == DiskExtra && s.inMemory(vm) && !(there && g.On())) {
				add(Drift{VM: vm.Name, What: DriftDiskGone, Disk: disk.Disk})
			}
		}
		if !s.HasDomain(vm) {
			continue
		}
		if what := drifted(vm.Running, g, there); what != "" {
			add(Drift{VM: vm.Name, What: what})
		}
	}
	return all
}

// inMemory tells whether the extra disk of a VM lies in a memory file system: it
// goes when the machine is switched off, and the next run makes it anew.
func (s *State) inMemory(vm VM) bool {
	return slices.ContainsFunc(s.Hypervisors[vm.Hypervisor].Pools, func(p Pool) bool { return p.Name == vm.Pool() && p.TmpfsMiB > 0 })
}

// drifted is how a guest is not as it is wanted; "" if it is.
func drifted(running bool, g Guest, there bool) DriftKind {
	on := slices.Contains([]GuestState{GuestRunning, GuestPaused, GuestStopping}, g.State)
	switch {
	case !there || g.Transient:
		return DriftUndefined
	case running && (g.State == GuestStopped || g.State == GuestCrashed):
		return DriftStopped
	case running && g.State == GuestPaused:
		return DriftPaused
	case !running && on && g.State != GuestStopping:
		return DriftStarted
	}
	return ""
}
