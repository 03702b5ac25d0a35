package command

import (
	"fmt"
	"strings"

	"homelab/model"
)

// What agents see on their machines, in lines of label and value.

// stateCell is a VM's state, and of a guest that was asked to shut down when it
// is switched off.
func (s *session) stateCell(st *model.State, vm model.VM) cell {
	c := s.observed().vmCell(st, vm)
	if guest, ok := s.observed().guests[vm.Hypervisor+"/"+vm.ID]; ok && !guest.OffBy.IsZero() {
		c.text = "off " + guest.OffIn(s.now())
	}
	return c
}

// goingCell is the same in more words.
func (s *session) goingCell(st *model.State, vm model.VM) cell {
	c := s.observed().vmCell(st, vm)
	if guest, ok := s.observed().guests[vm.Hypervisor+"/"+vm.ID]; ok && !guest.OffBy.IsZero() {
		c.text += ": " + guest.Going(s.now())
	}
	return c
}

// guestDetail is what is seen of a VM's guest; nothing of one that is off.
func (s *session) guestDetail(st *model.State, vm model.VM) []pair {
	seen := s.observed().vmStatus(st, vm)
	var pairs []pair
	if !seen.Since.IsZero() {
		pairs = append(pairs, pair{"up", cell{text: "since " + s.age(seen.Since)}})
	}
	if len(seen.Addresses) > 0 {
		pairs = append(pairs, pair{"addresses", cell{text: strings.Join(seen.Addresses, ", ")}})
	}
	if l := seen.Load; l != nil {
		pairs = append(pairs, pair{"uses", plainCell("%d%% CPU, %s of %s, disk %s of %s",
			l.CPUPercent, about(l.MemoryUsedMiB), about(l.MemoryMiB), about(l.DiskUsedMiB), about(l.DiskMiB))})
	}
	for _, d := range seen.Drift {
		pairs = append(pairs, pair{"drifted", cell{d.String() + ", " + s.age(d.At), yellow}})
	}
	return pairs
}

// carrierCell is a VM's hypervisor, and that it is held.
func carrierCell(st *model.State, vm model.VM) cell {
	if st.Hypervisors[vm.Hypervisor].Hold {
		return cell{vm.Hypervisor + ", held: nothing is applied until it is released", yellow}
	}
	return cell{text: vm.Hypervisor}
}

// machineDetail is what is seen of a hypervisor's machine.
func (s *session) machineDetail(st *model.State, status model.HypervisorStatus) []pair {
	var pairs []pair
	if l := status.Load; l != nil {
		text := fmt.Sprintf("%d%% CPU, %s of %s, load %.1f %.1f %.1f", l.CPUPercent, about(l.MemoryUsedMiB), about(l.MemoryMiB), l.Load1, l.Load5, l.Load15)
		if !l.Booted.IsZero() {
			text += ", up since " + s.age(l.Booted)
		}
		pairs = append(pairs, pair{"uses", cell{text: text}})
		for _, p := range l.Pools {
			pairs = append(pairs, pair{"pool " + p.Name, plainCell("%s of %s free", about(p.AvailableMiB), about(p.CapacityMiB))})
		}
	}
	for _, d := range status.Drift {
		pairs = append(pairs, pair{"drifted", cell{d.String() + ", " + s.age(d.At), yellow}})
	}
	if l := status.Lock; l != nil {
		pairs = append(pairs, pair{"state lock", cell{s.lockText(*l), yellow}})
	}
	for _, g := range status.Guests {
		if g.ID == "" {
			text := g.Name + " (" + g.About() + ")"
			if vm, ok := vmOf(st, g.Conflict); ok {
				text += ": in the way of VM " + vm.Name + ", `vm adopt " + vm.Name + " --dry-run` says what adopting it takes"
			}
			pairs = append(pairs, pair{"foreign", cell{text: text}})
		}
	}
	names := map[string]string{}
	for _, vm := range st.VMs {
		names[vm.ID] = vm.Name
	}
	for _, v := range status.ForeignVolumes {
		pairs = append(pairs, pair{"foreign", cell{fmt.Sprintf("volume %s in pool %s: `vm adopt %s` makes it ours", v.Name, v.Pool, names[v.VM]), yellow}})
	}
	return pairs
}

// lockText says who holds the lock of a state.
func (s *session) lockText(l model.StateLock) string {
	text := fmt.Sprintf("made by %s %s", l.Who, s.age(l.Created))
	if l.Live {
		return fmt.Sprintf("held: %s; process %d is at work on it", text, l.PID)
	}
	return "left behind: " + text + ", which is gone; `run unlock` removes it"
}

// about is a size that was measured, in the unit that fits.
func about(mib int) string {
	switch {
	case mib >= 10*1024:
		return fmt.Sprintf("%.0fGiB", float64(mib)/1024)
	case mib >= 1024:
		return fmt.Sprintf("%.1fGiB", float64(mib)/1024)
	}
	return fmt.Sprintf("%dMiB", mib)
}
