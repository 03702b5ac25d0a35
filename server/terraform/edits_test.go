package terraform

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

// edits are made one after another to the lab of two VMs that editsLab makes.
// Each says what terraform must plan for the parts of vm-0001, and plans
// nothing for vm-0002 and nothing when it is planned again.
var edits = []struct {
	name string
	edit func(*model.VM)
	lab  func(*model.State)
	kept []string
	want map[string]string // by part; the domain's is ""
}{
	{name: "nothing", want: map[string]string{}},
	{
		name: "memory", edit: func(vm *model.VM) { vm.MemoryMiB += 16 },
		want: map[string]string{"": "replace"},
	},
	{
		name: "cpus", edit: func(vm *model.VM) { vm.CPUs = 2 },
		want: map[string]string{"": "replace"},
	},
	{
		name: "seed", edit: func(vm *model.VM) { vm.Role = "db" },
		want: map[string]string{"seed": "replace"},
	},
	{
		name: "nics", edit: func(vm *model.VM) { vm.NICs = 2 },
		want: map[string]string{"seed": "replace", "nics": "update", "": "replace"},
	},
	{
		name: "stopped", edit: func(vm *model.VM) { vm.Running = false },
		want: map[string]string{"": "update"},
	},
	{
		name: "started", edit: func(vm *model.VM) { vm.Running = true },
		want: map[string]string{"": "update"},
	},
	{
		name: "disk sizes", edit: func(vm *model.VM) { vm.DiskGiB += 2; vm.ExtraDiskGiB += 2 },
		want: map[string]string{},
	},
	{
		name: "image", edit: func(vm *model.VM) { vm.Image = "other" },
		want: map[string]string{},
	},
	{
		name: "image of that name", lab: func(s *model.State) {
			i := s.Images["other"]
			i.Checksum = "sha256:00"
			s.Images["other"] = i
		},
		want: map[string]string{},
	},
	{
		name: "disabled", edit: func(vm *model.VM) { vm.Enabled = false }, kept: []string{model.DiskRoot, model.DiskExtra},
		want: map[string]string{"seed": "delete", "nics": "delete", "": "delete"},
	},
	{
		name: "enabled", edit: func(vm *model.VM) { vm.Enabled = true },
		want: map[string]string{"seed": "create", "nics": "create", "": "create"},
	},
	{
		name: "rebuild", edit: func(vm *model.VM) { vm.Rebuild++ },
		want: map[string]string{"rebuild": "update", "root": "replace", "seed": "replace", "": "replace"},
	},
	{
		name: "other profile", edit: func(vm *model.VM) { vm.Profiles = []string{"away"} }, kept: []string{model.DiskRoot},
		want: map[string]string{"extra": "delete", "seed": "delete", "nics": "delete", "": "delete"},
	},
	{
		name: "back", edit: func(vm *model.VM) { vm.Profiles = []string{model.DefaultProfile} },
		want: map[string]string{"extra": "create", "seed": "create", "nics": "create", "": "create"},
	},
	{
		name: "no extra disk", edit: func(vm *model.VM) { vm.ExtraDiskGiB = 0 },
		want: map[string]string{"extra": "delete", "": "replace"},
	},
	{
		name: "extra disk", edit: func(vm *model.VM) { vm.ExtraDiskGiB, vm.ExtraPool = 1, "" },
		want: map[string]string{"extra": "create", "": "replace"},
	},
	{
		name: "removed", lab: func(s *model.State) { delete(s.VMs, "vm-0001") }, kept: []string{model.DiskRoot, model.DiskExtra},
		want: map[string]string{"rebuild": "delete", "root": "delete", "extra": "delete", "seed": "delete", "nics": "delete", "": "delete"},
	},
}

// editsLab is small enough to be carried out.
func editsLab(platform string) *model.State {
	s := newLab(platform)
	s.Profiles["away"] = model.Profile{Name: "away"}
	s.Images["other"] = model.Image{Name: "other", Path: "/srv/other.img"}
	for i := range 2 {
		vm := newVM(i + 1)
		vm.MemoryMiB, vm.CPUs, vm.DiskGiB, vm.ExtraDiskGiB = 128, 1, 1, 1
		addVMs(s, vm)
	}
	return s
}

// runEdits carries the edits out one after another. What apply does is the
// platform's; after is called when an edit was carried out.
func runEdits(t *testing.T, s *model.State, plan func(*Config) map[string]string, apply func(), after func(t *testing.T, edit string)) bool {
	first := s.VMs["vm-0001"]
	for _, e := range edits {
		ok := t.Run(e.name, func(t *testing.T) {
			s = s.Clone()
			if e.edit != nil {
				vm := s.VMs[first.Name]
				e.edit(&vm)
				s.VMs[vm.Name] = vm
			}
			if e.lab != nil {
				e.lab(s)
			}
			var kept []model.Disk
			for _, d := range e.kept {
				kept = append(kept, model.Disk{VM: first.ID, Disk: d})
			}
			c := render(t, s, kept...)
			if d := cmp.Diff(addresses(s, first.ID, e.want), plan(c)); d != "" {
				t.Fatalf("the plan (-want +got):\n%s", d)
			}
			apply()
			after(t, e.name)
			if again := plan(c); len(again) > 0 {
				t.Errorf("planned again: %v", again)
			}
		})
		if !ok {
			return false
		}
	}
	return true
}

// addresses translates what is wanted of a VM's parts to terraform's addresses.
func addresses(s *model.State, id string, want map[string]string) map[string]string {
	all := map[string]string{}
	if s.Hypervisors["thinkpad"].Platform == model.PlatformLibvirt {
		kinds := map[string]string{"": libvirtDomain, "root": libvirtVolume, "extra": libvirtVolume, "seed": libvirtVolume}
		for part, action := range want {
			kind, ok := kinds[part]
			if !ok {
				kind = terraformData
			}
			all[kind+"."+model.ResourceName(id, part)] = action
		}
		return all
	}
	want = maps.Clone(want)
	if _, ok := want[""]; !ok && want["seed"] == "replace" {
		want[""] = "update" // the domain's own attribute there
	}
	for _, part := range []string{"seed", "nics", "rebuild"} {
		delete(want, part)
	}
	for part, action := range want {
		all[terraformData+"."+model.ResourceName(id, part)] = action
	}
	return all
}
