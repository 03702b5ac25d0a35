package model_test

import (
	"errors"
	"strings"
	"testing"

	"homelab/model"
)

// TestProtectedSurvives goes through all that could take a protected VM's disks,
// or its domain by the way: each is refused with the reason, or loses nothing.
func TestProtectedSurvives(t *testing.T) {
	web := func(change func(*model.VM)) model.Edit { return changeVM("web", change) }
	hv := func(change func(*model.Hypervisor)) model.Edit { return edit("thinkpad", change) }
	before := with(t, lab(), web(func(v *model.VM) { v.Protected, v.DiskGiB, v.ExtraDiskGiB, v.ExtraPool = true, 20, 10, "storage" }))
	older := lab() // a backup of before it was protected, with a smaller disk
	without := with(t, lab(), model.Remove[model.VM]("web"))
	rebuilt := with(t, before, web(func(v *model.VM) { v.Rebuild, v.Protected = 3, false }))
	const id = "000000000001"
	for _, c := range []struct {
		name    string
		edit    model.Edit
		refused string // "" is allowed, and loses nothing
	}{
		// Edits of the VM.
		{"memory", web(func(v *model.VM) { v.MemoryMiB *= 2 }), ""},
		{"larger disks", web(func(v *model.VM) { v.DiskGiB, v.ExtraDiskGiB = 30, 20 }), ""},
		{"another image", web(func(v *model.VM) { v.Image = "fedora" }), ""},
		{"stop", web(func(v *model.VM) { v.Running = false }), ""},
		{"disable", web(func(v *model.VM) { v.Enabled = false }), ""},
		{"rename", web(func(v *model.VM) { v.Name = "www" }), "root and extra disk"},
		{"smaller root disk", web(func(v *model.VM) { v.DiskGiB = 10 }), "never shrunk"},
		{"root disk of the image's size", web(func(v *model.VM) { v.DiskGiB = 0 }), "never shrunk"},
		{"smaller extra disk", web(func(v *model.VM) { v.ExtraDiskGiB = 5 }), "never shrunk"},
		{"no extra disk", web(func(v *model.VM) { v.ExtraDiskGiB = 0 }), "extra disk"},
		{"another pool", web(func(v *model.VM) { v.ExtraPool = "default" }), "extra disk"},
		{"another format", web(func(v *model.VM) { v.ExtraFormat = "raw" }), "extra_format"},
		{"another ID", web(func(v *model.VM) { v.ID = "00000000000f" }), "remove it"},
		{"rebuild", web(func(v *model.VM) { v.Rebuild++ }), "root disk"},
		{"rebuild without protection at once", web(func(v *model.VM) { v.Rebuild++; v.Protected = false }), "root disk"},
		{"remove", model.Remove[model.VM]("web"), "remove it"},
		{"remove and add", model.Edits(model.Remove[model.VM]("web"), model.Add(vm(9, "web"))), "remove it"},
		{"unprotect and remove at once", model.Edits(web(func(v *model.VM) { v.Protected = false }), model.Remove[model.VM]("web")), "remove it"},
		// Moves.
		{"another hypervisor", web(func(v *model.VM) { v.Hypervisor = "desktop" }), "root and extra disk"},
		{"move with the disks", model.MoveTo("web", "desktop"), ""},
		// Profiles.
		{"switch", model.Activate("weekend"), `profile "weekend" is without it`},
		{"switch and remove the other", model.Edits(model.Activate("weekend"), model.Remove[model.Profile]("default")), "profile"},
		{"remove its profile", model.Remove[model.Profile]("default"), "profile"},
		{"leave its profile", web(func(v *model.VM) { v.Profiles = []string{"weekend"} }), ""}, // as disabling does
		// What it stands on.
		{"remove its hypervisor", model.Remove[model.Hypervisor]("thinkpad"), `still used by VM "web"`},
		{"rename its hypervisor", hv(func(h *model.Hypervisor) { h.Name = "other" }), "thinkpad"},
		{"remove its hypervisor with its VMs", model.Edits(model.Remove[model.VM]("web"), model.Remove[model.Hypervisor]("thinkpad")), "remove it"},
		{"another platform", hv(func(h *model.Hypervisor) { h.Platform = model.PlatformSandbox }), "carries VMs"},
		{"remove its image", model.Remove[model.Image]("debian"), `still used by VM "web"`},
		{"its image from elsewhere", model.Change("debian", 0, func(i *model.Image) error { i.Path = "/other"; return nil }), ""},
		{"remove its pool", hv(func(h *model.Hypervisor) { h.Pools = h.Pools[:1] }), "storage"},
		{"move its pool", hv(func(h *model.Hypervisor) {
			h.Pools = append(h.Pools[:1:1], model.Pool{Name: "storage", Path: "/elsewhere"})
		}), "cannot be moved"},
		{"move the default pool", hv(func(h *model.Hypervisor) {
			h.Pools = append([]model.Pool{{Name: "default", Path: "/elsewhere"}}, h.Pools[1:]...)
		}), "cannot be moved"},
		{"its pool in memory", hv(func(h *model.Hypervisor) {
			h.Pools = append(h.Pools[:1:1], model.Pool{Name: "storage", Path: "/srv/storage", TmpfsMiB: 64})
		}), "another file system"},
		// All at once.
		{"restore what is without it", model.Merge(without, true), "remove it"},
		{"take a document in that is without it", model.Merge(without, false), ""},
		{"restore what was before it was larger", model.Merge(older, true), "never shrunk"},
		{"take a document in with another count of rebuilds", model.Merge(rebuilt, false), "root disk"},
	} {
		after := before.Clone()
		err := c.edit(after)
		if err == nil {
			kept := map[string][]model.Disk{"thinkpad": {{VM: id, Disk: model.DiskRoot}, {VM: id, Disk: model.DiskExtra}}}
			err = model.Check(before, after, kept)
			if err == nil {
				for _, i := range model.Preview(before, after, kept) {
					if i.ID == id && len(i.DisksLost) > 0 {
						t.Errorf("%s: allowed, and %s", c.name, i)
					}
				}
			}
		}
		if (c.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
		var protected *model.ProtectedError
		if c.refused != "" && errors.As(err, &protected) && protected.VM != "web" && protected.VM != "www" {
			t.Errorf("%s: it is about %q", c.name, protected.VM)
		}
	}
}

// TestApprovalOfWhatIsProtected: nobody approves the loss of a disk of a VM that is
// protected by then.
func TestApprovalOfWhatIsProtected(t *testing.T) {
	open := lab()
	protected := with(t, open, changeVM("web", func(v *model.VM) { v.Protected = true }))
	const id = "000000000001"
	for _, c := range []struct {
		name, hypervisor, address, action string
		s                                 *model.State
		refused                           string
	}{
		{"root disk", "thinkpad", "libvirt_volume.vm_" + id + "_root", "replace", protected, "root disk"},
		{"extra disk", "thinkpad", "libvirt_volume.vm_" + id + "_extra", "delete", protected, "extra disk"},
		{"not protected", "thinkpad", "libvirt_volume.vm_" + id + "_root", "replace", open, ""},
		{"a change", "thinkpad", "libvirt_volume.vm_" + id + "_root", "update", protected, ""},
		{"domain", "thinkpad", "libvirt_domain.vm_" + id, "replace", protected, ""},
		{"seed", "thinkpad", "libvirt_volume.vm_" + id + "_seed", "replace", protected, ""},
		{"another VM's", "thinkpad", "libvirt_volume.vm_000000000002_root", "delete", protected, ""},
		{"the old copy of one that was moved", "desktop", "libvirt_volume.vm_" + id + "_root", "delete", protected, ""},
	} {
		run := model.Run{Hypervisor: c.hypervisor, Resources: []model.Resource{{Address: c.address, Action: c.action}}}
		err := c.s.CheckApproval(run)
		if (c.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
	}
}
