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
// or a pool's path under what a hypervisor carries; lock the last admin out.
func CheckTransition(before, after *State, kept map[string][]Disk) error {
	return errors.Join(
		checkProtected(before, after, kept),
		checkPlatform(before, after, kept),
		checkPools(before, after, kept),
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
		paths := map[string]string{}
		for _, p := range after.Hypervisors[name].Pools {
			paths[p.Name] = p.Path
		}
		for _, p := range before.Hypervisors[name].Pools {
			path, ok := paths[p.Name]
			if !ok || path == p.Path || !poolUsed(before.VMsOn(name), diskSet(kept[name]), p.Name) {
				continue
			}
			errs = append(errs, &FieldError{
				Ref{KindHypervisor, name},
				"pools", p.Name,
				"cannot be moved to " + path + " while disks of VMs lie in it; add another pool",
			})
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

// checkAdmin keeps an admin who can connect, once there is one.
func checkAdmin(before, after *State) error {
	if !hasAdmin(before) || hasAdmin(after) {
		return nil
	}
	return errors.New("this would leave no admin with a key, and nobody could manage the lab; make another user an admin first")
}

func hasAdmin(s *State) bool {
	for _, u := range s.Users {
		if u.Role == RoleAdmin && len(u.Keys) > 0 {
			return true
		}
	}
	return false
}
