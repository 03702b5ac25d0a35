package tui

import (
	"slices"
	"strconv"
	"strings"

	"homelab/model"
)

// newVMForm edits a VM, or adds one (on a hypervisor, if it is said) if name
// is empty.
func newVMForm(a *app, name, on string) *form {
	ref := model.Ref{Kind: model.KindVM, Name: name}
	f := &form{
		ref: ref, verb: verb("VM", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			vm, ok := s.VMs[name]
			if name == "" {
				vm, ok = startVM(s, on), true
			}
			return vmFields(s, vm), vm.Version, ok
		},
		edit:   edits(ref, model.NewVM, fillVM),
		depend: vmDepend,
	}
	f.note = roomOn(a, f)
	return newForm(a, f)
}

// startVM is what the form of a new VM starts with.
func startVM(s *model.State, on string) model.VM {
	vm := model.NewVM("")
	vm.Hypervisor, vm.Profiles = on, []string{s.ActiveProfile()}
	if names := model.Names(s.Hypervisors); on == "" && len(names) > 0 {
		vm.Hypervisor = names[0]
	}
	if names := model.Names(s.Images); len(names) > 0 {
		vm.Image = names[0]
	}
	return vm
}

func vmFields(s *model.State, vm model.VM) []*field {
	pool := vm.ExtraPool
	if pool == "" {
		pool = model.DefaultPool
	}
	var state []string
	for _, t := range []struct {
		word string
		on   bool
	}{{"enabled", vm.Enabled}, {"running", vm.Running}, {"protected", vm.Protected}} {
		if t.on {
			state = append(state, t.word)
		}
	}
	return []*field{
		(&field{key: "name", label: "name", hint: "a DNS label, unique in the lab", blank: "–"}).with(vm.Name),
		(&field{key: "hypervisor", label: "hypervisor", kind: choice, hint: "where it is placed; moving it loses its disks", blank: "none is defined", options: model.Names(s.Hypervisors)}).with(vm.Hypervisor),
		(&field{key: "profiles", label: "profiles", kind: ticks, hint: "space ticks; it has a guest while one of them is active", options: model.Names(s.Profiles)}).with(strings.Join(vm.Profiles, ",")),
		(&field{key: "role", label: "role", hint: "a Salt grain; may be empty", blank: "–"}).with(vm.Role),
		(&field{key: "image", label: "image", kind: choice, hint: "the base of its root disk", blank: "none is defined", options: model.Names(s.Images)}).with(vm.Image),
		(&field{key: "memory_mib", label: "memory", hint: "MiB, or with a unit: 4GiB", blank: "–"}).with(memory(vm.MemoryMiB)),
		(&field{key: "cpus", label: "cpus", hint: "virtual CPUs", blank: "–"}).with(strconv.Itoa(vm.CPUs)),
		(&field{key: "disk_gib", label: "disk", hint: "GiB of the root disk; empty is the image's own; it grows and never shrinks", blank: "as the image"}).with(gibs(vm.DiskGiB)),
		(&field{key: "extra_disk_gib", label: "extra disk", hint: "GiB of a second disk; empty is none", blank: "none"}).with(gibs(vm.ExtraDiskGiB)),
		(&field{key: "extra_pool", label: "extra pool", kind: choice, hint: "where the extra disk lies", options: poolNames(s, vm.Hypervisor)}).with(pool),
		(&field{key: "extra_format", label: "extra format", kind: choice, hint: "raw takes all its room at once", options: []string{model.FormatQCOW2, model.FormatRaw}}).with(vm.Format()),
		(&field{key: "nics", label: "nics", hint: "network interfaces; the first gets the address", blank: "–"}).with(strconv.Itoa(vm.NICs)),
		(&field{key: "ip", label: "ip", hint: "address with prefix, such as 192.168.1.20/24; empty is DHCP", blank: "DHCP"}).with(vm.IP),
		(&field{key: "gateway", label: "gateway", hint: "of a static address; empty is the settings'", blank: "the settings'"}).with(vm.Gateway),
		(&field{key: "dns", label: "dns", hint: "name servers, separated by commas; empty is the settings'", blank: "the settings'"}).with(strings.Join(vm.DNS, ", ")),
		(&field{key: "shares", label: "shares", kind: ticks, hint: "space ticks what it mounts on demand", blank: "no share is defined", options: model.Names(s.Shares)}).with(strings.Join(vm.Shares, ",")),
		(&field{key: "salt_master", label: "salt master", kind: choice, hint: "empty is the settings' default", blank: "default", options: append([]string{""}, model.Names(s.SaltMasters)...)}).with(vm.SaltMaster),
		(&field{key: "enabled", label: "state", kind: ticks, hint: "enabled: has a guest · running: that is on · protected: its disks cannot be removed", options: []string{"enabled", "running", "protected"}}).with(strings.Join(state, ",")),
	}
}

// memory is how a size is put into a field: as it can be typed.
func memory(mib int) string {
	if mib >= 1024 && mib%1024 == 0 {
		return strconv.Itoa(mib/1024) + "GiB"
	}
	return strconv.Itoa(mib)
}

// gibs is how the size of a disk is put into a field; none is empty.
func gibs(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + "GiB"
}

func poolNames(s *model.State, hypervisor string) []string {
	names := []string{model.DefaultPool}
	for _, p := range s.Hypervisors[hypervisor].Pools {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// vmDepend offers the pools of the chosen hypervisor.
func vmDepend(f *form, s *model.State) {
	f.field("extra_pool").offer(poolNames(s, f.field("hypervisor").value()))
}

func fillVM(vm *model.VM, v values) error {
	vm.Name = v["name"]
	n := numbers{ref: model.Ref{Kind: model.KindVM, Name: vm.Name}, v: v}
	vm.Hypervisor, vm.Profiles = v["hypervisor"], split(v["profiles"])
	vm.Role, vm.Image = v["role"], v["image"]
	vm.MemoryMiB = n.read("memory_mib", model.ParseMiB, "is no size: 2048, 512MiB or 4GiB")
	vm.CPUs = n.read("cpus", strconv.Atoi, "is no number")
	vm.DiskGiB = n.read("disk_gib", model.ParseGiB, "is no size: 20, 20GiB or 1TiB")
	vm.ExtraDiskGiB = n.read("extra_disk_gib", model.ParseGiB, "is no size: 20, 20GiB or 1TiB")
	vm.NICs = n.read("nics", strconv.Atoi, "is no number")
	if pool := v["extra_pool"]; pool != model.DefaultPool || vm.ExtraPool != "" {
		vm.ExtraPool = pool
	}
	if format := v["extra_format"]; format != model.FormatQCOW2 || vm.ExtraFormat != "" {
		vm.ExtraFormat = format
	}
	vm.IP, vm.SaltMaster = v["ip"], v["salt_master"]
	vm.Gateway, vm.DNS = v["gateway"], split(v["dns"])
	if now := split(v["shares"]); !slices.Equal(now, vm.Shares) {
		vm.Shares = now
	}
	state := split(v["enabled"])
	vm.Enabled = slices.Contains(state, "enabled")
	vm.Running = slices.Contains(state, "running")
	vm.Protected = slices.Contains(state, "protected")
	return joined(n.errs)
}
