package model

import "slices"

// follow lets those who name an object follow its renaming.
func (s *State) follow(k Kind, old, renamed string) {
	swap := func(list []string) []string {
		i := slices.Index(list, old)
		if i < 0 {
			return list
		}
		list = slices.Clone(list) // shared with other states
		list[i] = renamed
		return list
	}
	switch k {
	case KindProfile:
		replaceAll(s.VMs, func(vm *VM) { vm.Profiles = swap(vm.Profiles) })
	case KindImage:
		replaceAll(s.VMs, func(vm *VM) { rename(&vm.Image, old, renamed) })
	case KindSaltMaster:
		replaceAll(s.VMs, func(vm *VM) { rename(&vm.SaltMaster, old, renamed) })
		rename(&s.Settings.SaltMaster, old, renamed)
	case KindShare:
		replaceAll(s.VMs, func(vm *VM) { vm.Shares = swap(vm.Shares) })
	case KindOutlet:
		replaceAll(s.Shares, func(sh *Share) { rename(&sh.Outlet, old, renamed) })
		replaceAll(s.Outlets, func(o *Outlet) { o.Requires = swap(o.Requires) })
		replaceAll(s.Hypervisors, func(h *Hypervisor) { h.Outlets = swap(h.Outlets) })
	}
}

func replaceAll[T any](m map[string]T, change func(*T)) {
	for name, obj := range m {
		change(&obj)
		m[name] = obj
	}
}

func rename(field *string, old, renamed string) {
	if *field == old {
		*field = renamed
	}
}
