package model

import (
	"errors"
	"fmt"
	"slices"
)

// ProtectedError says that a change would take something from a protected VM.
type ProtectedError struct {
	VM   string
	What string // what the change would do, such as "remove its root disk"
}

func (e *ProtectedError) Error() string {
	return fmt.Sprintf("VM %q is protected, and this would %s; remove its protection first", e.VM, e.What)
}

// Check is all that a commit must pass: the state after it validates, with
// what was removed under others named as such, and the way there is allowed.
func Check(before, after *State, kept map[string][]Disk) error {
	return errors.Join(bounded(removals(before, check(before, after))), CheckTransition(before, after, kept))
}

// CheckTransition refuses what no single change may do: take a disk from a VM
// that was protected, or its domain by a profile switch; change the platform
// or a pool under what a hypervisor carries; shrink a disk; lock the last
// admin out.
func CheckTransition(before, after *State, kept map[string][]Disk) error {
	return errors.Join(
		checkProtected(before, after, kept),
		checkMoves(before, after),
		checkPlatform(before, after, kept),
		checkPools(before, after, kept),
		checkDisks(before, after, kept),
		checkAdmin(before, after),
	)
}

func checkProtected(before, after *State, kept map[string][]Disk) error {
	var errs []error
	if !slices.ContainsFunc(Names(before.VMs), func(n string) bool { return before.VMs[n].Protected }) {
		return nil
	}
	still := make(map[string]VM, len(after.VMs))
	for _, vm := range after.VMs {
		still[vm.ID] = vm
	}
	switched := before.ActiveProfile() != after.ActiveProfile()
	for _, name := range Names(before.VMs) {
		if _, ok := still[before.VMs[name].ID]; !ok && before.VMs[name].Protected {
			errs = append(errs, &ProtectedError{VM: name, What: "remove it"})
		}
	}
	for _, i := range Preview(before, after, kept) {
		vm, ok := still[i.ID]
		switch {
		case !i.Protected || !ok:
		case len(i.DisksLost) > 0:
			errs = append(errs, &ProtectedError{VM: i.VM, What: "lose the data of its " + enumerate(i.DisksLost, 4) + " disk"})
		case i.Action == ActionRemove && switched && vm.Enabled:
			errs = append(errs, &ProtectedError{VM: i.VM, What: "remove its domain, as profile " + fmt.Sprintf("%q", after.ActiveProfile()) + " is without it"})
		}
	}
	return bounded(errs)
}

// CheckApproval refuses the approval of a plan that takes a disk of a VM that is
// protected by now, though its agent may not know that yet.
func (s *State) CheckApproval(run Run) error {
	byID := map[string]VM{}
	for _, vm := range s.VMsOn(run.Hypervisor) {
		byID[vm.ID] = vm
	}
	var errs []error
	for _, res := range run.Resources {
		id, part, ok := ParseResource(res.Address)
		if ok && byID[id].Protected && (res.Action == "delete" || res.Action == "replace") && (part == PartRoot || part == PartExtra) {
			errs = append(errs, &ProtectedError{VM: byID[id].Name, What: "lose the data of its " + part + " disk"})
		}
	}
	return bounded(errs)
}

// checkPlatform keeps a hypervisor's resources of one kind: terraform would
// destroy those of the other, and not as the announcement has it.
func checkPlatform(before, after *State, kept map[string][]Disk) error {
	var errs []error
	for _, name := range Names(after.Hypervisors) {
		h := after.Hypervisors[name]
		old, ok := before.Hypervisors[name]
		if ok && old.Platform != h.Platform && len(Placements(before, name, kept[name])) > 0 {
			errs = append(errs, &FieldError{
				Ref{KindHypervisor, name},
				"platform", h.Platform,
				"cannot be changed while the hypervisor carries VMs; remove them or move them away first",
			})
		}
	}
	return errors.Join(errs...)
}

// checkPools keeps a pool where it is while disks lie in it: at another path
// there are none, and terraform would make them anew, empty.
func checkPools(before, after *State, kept map[string][]Disk) error {
	var errs []error
	for _, name := range Names(after.Hypervisors) {
		pools := map[string]Pool{}
		for _, p := range after.Hypervisors[name].Pools {
			pools[p.Name] = p
		}
		for _, p := range before.Hypervisors[name].Pools {
			now, ok := pools[p.Name]
			grows := now.Path == p.Path && now.NFS == p.NFS && p.TmpfsMiB > 0 && now.TmpfsMiB >= p.TmpfsMiB
			if !ok || now == p || grows || !poolUsed(before.VMsOn(name), diskSet(kept[name]), p.Name) {
				continue
			}
			rule := "cannot be moved to " + now.Path + " while disks of VMs lie in it; add another pool"
			if now.Path == p.Path {
				rule = "cannot become another file system while disks of VMs lie in it; add another pool"
			}
			errs = append(errs, &FieldError{Ref{KindHypervisor, name}, "pools", p.Name, rule})
		}
	}
	return errors.Join(errs...)
}

// poolUsed tells whether disks of VMs are known to lie in a pool. Those of VMs
// that no agent has carried out yet can still lie anywhere.
func poolUsed(vms []VM, kept map[Disk]bool, pool string) bool {
	return slices.ContainsFunc(vms, func(vm VM) bool {
		return kept[Disk{vm.ID, DiskRoot}] && pool == DefaultPool || kept[Disk{vm.ID, DiskExtra}] && vm.Pool() == pool
	})
}

// checkDisks keeps disks from shrinking, and extra ones from another format:
// both would lose what is on them. Those that are made anew may differ.
func checkDisks(before, after *State, kept map[string][]Disk) error {
	now := make(map[string]VM, len(after.VMs))
	for _, vm := range after.VMs {
		now[vm.ID] = vm
	}
	var errs []error
	for _, name := range Names(before.Hypervisors) {
		var have map[Disk]bool
		for _, b := range before.VMsOn(name) {
			a, ok := now[b.ID]
			if !ok || a.Hypervisor != b.Hypervisor || a.Name != b.Name || same(a, b) {
				continue
			}
			if have == nil {
				have = diskSet(kept[name])
			}
			errs = append(errs, checkShrink(b, a, have))
		}
	}
	return bounded(slices.DeleteFunc(errs, func(err error) bool { return err == nil }))
}

func checkShrink(b, a VM, have map[Disk]bool) error {
	refuse := func(field, value, rule string) error {
		return &FieldError{Ref{KindVM, a.Name}, field, value, rule}
	}
	extra := have[Disk{a.ID, DiskExtra}] && b.ExtraDiskGiB > 0 && a.ExtraDiskGiB > 0 && a.Pool() == b.Pool()
	switch {
	case have[Disk{a.ID, DiskRoot}] && a.Rebuild == b.Rebuild && a.DiskGiB < b.DiskGiB:
		return refuse("disk_gib", fmt.Sprint(a.DiskGiB), fmt.Sprintf("is less than the %d GiB of its root disk, and disks are never shrunk: that would cut off what is on them", b.DiskGiB))
	case extra && a.ExtraDiskGiB < b.ExtraDiskGiB:
		return refuse("extra_disk_gib", fmt.Sprint(a.ExtraDiskGiB), fmt.Sprintf("is less than the %d GiB of its extra disk, and disks are never shrunk: that would cut off what is on them; 0 removes the disk", b.ExtraDiskGiB))
	case extra && a.Format() != b.Format():
		return refuse("extra_format", a.Format(), fmt.Sprintf("is not that of its extra disk, %s, which stays as it was made: remove the disk first, with extra_disk_gib 0", b.Format()))
	}
	return nil
}

// checkAdmin keeps an admin who can connect, once there is one.
func checkAdmin(before, after *State) error {
	if !hasAdmin(before) || hasAdmin(after) {
		return nil
	}
	return errors.New("this would leave no admin with a key that lasts, and nobody could manage the lab; make another user an admin first")
}

func hasAdmin(s *State) bool {
	for _, u := range s.Users {
		if u.Role == RoleAdmin && slices.ContainsFunc(u.Keys, func(k Key) bool { return k.Expires.IsZero() }) {
			return true
		}
	}
	return false
}
