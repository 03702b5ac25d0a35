package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"homelab/model"
)

func TestPreview(t *testing.T) {
	kept := map[string][]model.Disk{"thinkpad": {{VM: "000000000001", Disk: "root"}, {VM: "000000000001", Disk: "extra"}}}
	web := func(change func(*model.VM)) model.Edit { return changeVM("web", change) }
	off := lab()
	off = with(t, off, web(func(v *model.VM) { v.Enabled = false }))
	stopped := with(t, lab(), web(func(v *model.VM) { v.Running = false }))
	tests := []struct {
		name   string
		before *model.State
		edit   model.Edit
		want   []string
	}{
		{"nothing", lab(), web(func(v *model.VM) { v.Protected = true }), nil},
		{"add", lab(), model.Add(vm(2, "db")), []string{"thinkpad: db is created"}},
		{"memory", lab(), web(func(v *model.VM) { v.MemoryMiB = 2048 }), []string{"thinkpad: web is restarted (memory); its disks stay"}},
		{"memory of one that is off", stopped, web(func(v *model.VM) { v.CPUs = 4 }), []string{"thinkpad: web is defined anew (cpus); its disks stay"}},
		{"network", lab(), edit("thinkpad", func(h *model.Hypervisor) { h.Network = "bridge:br0" }), []string{"thinkpad: web is restarted (network); its disks stay"}},
		{"rename", lab(), web(func(v *model.VM) { v.Name = "www" }), []string{"thinkpad: web is recreated (name) and its root and extra disks are lost"}},
		{"rebuild", lab(), web(func(v *model.VM) { v.Rebuild++ }), []string{"thinkpad: web is recreated (rebuild) and its root disk is lost"}},
		{"move", lab(), web(func(v *model.VM) { v.Hypervisor = "desktop" }), []string{
			"desktop: web is created",
			"thinkpad: web leaves this hypervisor and its root and extra disks are lost; is made anew on desktop",
		}},
		{"no extra disk", lab(), web(func(v *model.VM) { v.ExtraDiskGiB = 0 }), []string{"thinkpad: web is restarted (extra disk) and its extra disk is lost"}},
		{"another pool", lab(), web(func(v *model.VM) { v.ExtraPool = "storage" }), []string{"thinkpad: web is restarted (extra pool) and its extra disk is lost"}},
		{"larger extra disk", lab(), web(func(v *model.VM) { v.ExtraDiskGiB = 9 }), []string{"thinkpad: web is changed in place (extra disk); its extra disk grows in place, and the guest makes use of that itself"}},
		{"larger root disk", lab(), web(func(v *model.VM) { v.DiskGiB = 9 }), []string{"thinkpad: web is changed in place (disk); its root disk grows in place, and the root file system at the guest's next boot"}},
		{"larger disks and more memory", lab(), web(func(v *model.VM) { v.DiskGiB, v.ExtraDiskGiB, v.MemoryMiB = 9, 9, 2048 }), []string{"thinkpad: web is restarted (memory, disk and extra disk); its disks stay; its root and extra disks grow in place, and the root file system at the guest's next boot"}},
		{"larger root disk of one that is disabled", off, web(func(v *model.VM) { v.DiskGiB = 9 }), []string{"thinkpad: web is changed in place (disk); its root disk grows in place"}},
		{"larger root disk with a rebuild", lab(), web(func(v *model.VM) { v.DiskGiB = 9; v.Rebuild++ }), []string{"thinkpad: web is recreated (rebuild and disk) and its root disk is lost"}},
		{"name servers of its own", with(t, lab(), web(func(v *model.VM) { v.IP = "10.0.0.5" })), web(func(v *model.VM) { v.DNS, v.Gateway = []string{"10.0.0.53"}, "10.0.0.9" }), []string{
			"thinkpad: web is changed in place (dns and gateway); dns and gateway reach the guest when it is rebuilt",
		}},
		{"stop", lab(), web(func(v *model.VM) { v.Running = false }), []string{"thinkpad: web is shut down"}},
		{"start", stopped, web(func(v *model.VM) { v.Running = true }), []string{"thinkpad: web is started"}},
		{"image", lab(), web(func(v *model.VM) { v.Image = "fedora" }), []string{"thinkpad: web is changed in place (image); image reaches the guest when it is rebuilt"}},
		{"role and address", lab(), web(func(v *model.VM) { v.Role, v.IP = "web", "10.0.0.5" }), []string{
			"thinkpad: web is changed in place (ip, gateway and role); ip, gateway and role reach the guest when it is rebuilt",
		}},
		{"settings", lab(), settings(func(s *model.Settings) { s.SSHKeys = []string{someKey} }), []string{"thinkpad: web is changed in place (SSH keys); SSH keys reaches the guest when it is rebuilt"}},
		{"disable", lab(), web(func(v *model.VM) { v.Enabled = false }), []string{"thinkpad: web is taken off its hypervisor; its disks stay"}},
		{"other profile", lab(), model.Activate("weekend"), []string{"thinkpad: web is taken off its hypervisor; its disks stay"}},
		{"enable", off, web(func(v *model.VM) { v.Enabled = true }), []string{"thinkpad: web is created on the disks that were kept"}},
		{"remove", lab(), model.Remove[model.VM]("web"), []string{"thinkpad: web is removed and its root and extra disks are lost"}},
		{"remove one that is disabled", off, model.Remove[model.VM]("web"), []string{"thinkpad: web is removed and its root and extra disks are lost"}},
		{"rebuild one that is disabled", off, web(func(v *model.VM) { v.Rebuild++ }), []string{"thinkpad: web is recreated (rebuild) and its root disk is lost"}},
		{"memory of one that is disabled", off, web(func(v *model.VM) { v.MemoryMiB++ }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := kept
			if tt.name == "disable" {
				k = nil // its agent has not reported them yet: they are there all the same
			}
			var got []string
			for _, i := range model.Preview(tt.before, with(t, tt.before, tt.edit), k) {
				got = append(got, i.Hypervisor+": "+i.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestConfirmation(t *testing.T) {
	confirm := func(change func(*model.VM)) model.Confirmation {
		return model.DamageOf(model.Preview(lab(), with(t, lab(), changeVM("web", change)), nil)).Confirm()
	}
	if got := confirm(func(v *model.VM) { v.Role = "x" }); got != model.ConfirmNone {
		t.Errorf("a role needs %d", got)
	}
	if got := confirm(func(v *model.VM) { v.CPUs = 2 }); got != model.ConfirmYes {
		t.Errorf("a restart needs %d", got)
	}
	if got := confirm(func(v *model.VM) { v.Rebuild++ }); got != model.ConfirmName {
		t.Errorf("a rebuild needs %d", got)
	}
}

func TestProtection(t *testing.T) {
	protected := with(t, lab(), changeVM("web", func(v *model.VM) { v.Protected = true }))
	off := with(t, protected, changeVM("web", func(v *model.VM) { v.Enabled = false }))
	tests := []struct {
		name    string
		before  *model.State
		edit    model.Edit
		refused string
	}{
		{"memory", protected, changeVM("web", func(v *model.VM) { v.MemoryMiB++ }), ""},
		{"disable", protected, changeVM("web", func(v *model.VM) { v.Enabled = false }), ""},
		{"rebuild", protected, changeVM("web", func(v *model.VM) { v.Rebuild++ }), "root disk"},
		{"unprotect and rebuild at once", protected, changeVM("web", func(v *model.VM) { v.Rebuild++; v.Protected = false }), "root disk"},
		{"remove", protected, model.Remove[model.VM]("web"), "remove it"},
		{"remove while it is off", off, model.Remove[model.VM]("web"), "remove it"},
		{"remove and add", protected, model.Edits(model.Remove[model.VM]("web"), model.Add(vm(9, "web"))), "remove it"},
		{"move", protected, changeVM("web", func(v *model.VM) { v.Hypervisor = "desktop" }), "root and extra disk"},
		{"switch", protected, model.Activate("weekend"), `profile "weekend" is without it`},
		{"switch while it is off", off, model.Activate("weekend"), ""},
		{"unprotect", protected, changeVM("web", func(v *model.VM) { v.Protected = false }), ""},
		{"platform", protected, edit("thinkpad", func(h *model.Hypervisor) { h.Platform = "sandbox" }), "carries VMs"},
		{"pool", lab(), edit("thinkpad", func(h *model.Hypervisor) { h.Pools = []model.Pool{{Name: "default", Path: "/elsewhere"}} }), "cannot be moved"},
		{"pool without disks", lab(), edit("desktop", func(h *model.Hypervisor) { h.Pools = []model.Pool{{Name: "default", Path: "/elsewhere"}} }), ""},
	}
	web := protected.VMs["web"].ID
	kept := map[string][]model.Disk{"thinkpad": {{VM: web, Disk: model.DiskRoot}, {VM: web, Disk: model.DiskExtra}}}
	for _, tt := range tests {
		err := model.CheckTransition(tt.before, with(t, tt.before, tt.edit), kept)
		if (tt.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	// What no agent has made yet lies nowhere.
	moved := with(t, lab(), edit("thinkpad", func(h *model.Hypervisor) { h.Pools = []model.Pool{{Name: "default", Path: "/elsewhere"}} }))
	if err := model.CheckTransition(lab(), moved, nil); err != nil {
		t.Errorf("pool before the first run: %v", err)
	}
}

func TestDisksNeverShrink(t *testing.T) {
	const id = "000000000001"
	before := with(t, lab(), changeVM("web", func(v *model.VM) { v.DiskGiB, v.ExtraDiskGiB = 20, 10 }))
	kept := map[string][]model.Disk{"thinkpad": {{VM: id, Disk: model.DiskRoot}, {VM: id, Disk: model.DiskExtra}}}
	tests := []struct {
		name    string
		change  func(*model.VM)
		refused string
	}{
		{"larger", func(v *model.VM) { v.DiskGiB, v.ExtraDiskGiB = 21, 11 }, ""},
		{"smaller", func(v *model.VM) { v.DiskGiB = 19 }, `disk_gib "19" is less than the 20 GiB of its root disk`},
		{"the image's own", func(v *model.VM) { v.DiskGiB = 0 }, `disk_gib "0"`},
		{"smaller and made anew", func(v *model.VM) { v.DiskGiB = 19; v.Rebuild++ }, ""},
		{"smaller extra disk", func(v *model.VM) { v.ExtraDiskGiB = 9 }, "extra_disk_gib"},
		{"no extra disk", func(v *model.VM) { v.ExtraDiskGiB = 0 }, ""},
		{"smaller extra disk elsewhere", func(v *model.VM) { v.ExtraDiskGiB, v.ExtraPool = 9, "storage" }, ""},
		{"extra disk of another format", func(v *model.VM) { v.ExtraFormat = "raw" }, "extra_format"},
		{"extra disk of the same format", func(v *model.VM) { v.ExtraFormat = "qcow2" }, ""},
	}
	for _, tt := range tests {
		after := with(t, before, changeVM("web", tt.change))
		err := model.CheckTransition(before, after, kept)
		if (tt.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if err := model.CheckTransition(before, after, nil); err != nil {
			t.Errorf("%s before there is a disk: %v", tt.name, err)
		}
	}
}

func TestPoolsInUse(t *testing.T) {
	storage := func(change func(*model.Pool)) model.Edit {
		return edit("thinkpad", func(h *model.Hypervisor) {
			h.Pools = slices.Clone(h.Pools)
			change(&h.Pools[1])
		})
	}
	before := with(t, lab(), changeVM("web", func(v *model.VM) { v.ExtraPool = "storage" }), storage(func(p *model.Pool) { p.TmpfsMiB = 64 }))
	kept := map[string][]model.Disk{"thinkpad": {{VM: "000000000001", Disk: model.DiskExtra}}}
	tests := []struct {
		name    string
		edit    model.Edit
		refused string
	}{
		{"larger", storage(func(p *model.Pool) { p.TmpfsMiB = 128 }), ""},
		{"smaller", storage(func(p *model.Pool) { p.TmpfsMiB = 32 }), "another file system"},
		{"a folder", storage(func(p *model.Pool) { p.TmpfsMiB = 0 }), "another file system"},
		{"elsewhere", storage(func(p *model.Pool) { p.Path = "/x" }), "cannot be moved to /x"},
		{"removed", edit("thinkpad", func(h *model.Hypervisor) { h.Pools = h.Pools[:1] }), "any more, and the VM's extra disk lies there"},
	}
	for _, tt := range tests {
		err := model.Check(before, with(t, before, tt.edit), kept)
		if (tt.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestParseResource(t *testing.T) {
	const id = "0123456789ab"
	for address, want := range map[string]string{
		"libvirt_domain.vm_" + id: "", "libvirt_volume.vm_" + id + "_root": "root", "libvirt_volume.vm_" + id + "_extra": "extra",
		"libvirt_volume.vm_" + id + "_seed": "seed", "terraform_data.vm_" + id + "_nics": "nics", "terraform_data.vm_" + id + "_rebuild": "rebuild",
		"terraform_data.vm_" + id: "", "terraform_data.vm_" + id + "_root": "root",
	} {
		gotID, part, ok := model.ParseResource(address)
		if !ok || gotID != id || part != want {
			t.Errorf("%s is %q %q %v", address, gotID, part, ok)
		}
	}
	for _, bad := range []string{
		"", "libvirt_domain", "libvirt_domain.web", "libvirt_domain.vm_" + id + "_", "libvirt_domain.vm_" + id + "_root", "libvirt_volume.vm_" + id,
		"libvirt_pool.vm_" + id, "libvirt_volume.vm_" + id + "_root_root", "libvirt_volume.vm_" + id + "_root[0]", "module.x.libvirt_domain.vm_" + id,
		"libvirt_domain.vm_" + strings.ToUpper(id), "libvirt_network.vm_" + id + "_nics",
	} {
		if id, part, ok := model.ParseResource(bad); ok {
			t.Errorf("%q is %q %q", bad, id, part)
		}
	}
}

func TestCheckPlanTrustsNothingUnknown(t *testing.T) {
	got := model.CheckPlan([]model.Deletion{
		{Address: "libvirt_pool.default"},
		{Address: "libvirt_volume.vm_000000000001_seed", Replace: true},
		{Address: "libvirt_domain.vm_000000000001", Replace: true},
		{Address: "libvirt_volume.vm_000000000001_root"},
	}, model.Announced{Domains: []string{"000000000001"}, Disks: []model.Disk{{VM: "000000000001", Disk: "extra"}}},
		func(string) string { return "label" })
	want := []model.Violation{
		{Address: "libvirt_pool.default", Label: "label", Action: "delete"},
		{Address: "libvirt_volume.vm_000000000001_root", Label: "label", Action: "delete"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// deletions is what terraform destroys between two sets of placements, by the
// facts found about the provider and nothing else.
func deletions(before, after []model.Placement) (must []string) {
	now := map[string]model.Placement{}
	for _, p := range after {
		now[p.ID] = p
	}
	for _, b := range before {
		a := now[b.ID]
		anew := a.Name != b.Name || a.Rebuild != b.Rebuild
		if b.Domain && (!a.Domain || anew || a.MemoryMiB != b.MemoryMiB || a.CPUs != b.CPUs || a.NICs != b.NICs || a.Network != b.Network ||
			a.Extra != b.Extra || a.ExtraPool != b.ExtraPool) {
			must = append(must, "libvirt_domain.vm_"+b.ID)
		}
		if b.Root && (!a.Root || anew) {
			must = append(must, "libvirt_volume.vm_"+b.ID+"_root")
		}
		if b.Extra && (!a.Extra || a.ExtraPool != b.ExtraPool || a.Name != b.Name) {
			must = append(must, "libvirt_volume.vm_"+b.ID+"_extra")
		}
	}
	return must
}

// What the preview says is allowed, and nothing else is.
func TestAnnouncementIsWhatThePlanNeeds(t *testing.T) {
	gen := func(t *rapid.T, label string) []model.Placement {
		var all []model.Placement
		for n := range 4 {
			kind := rapid.IntRange(0, 3).Draw(t, fmt.Sprint(label, n))
			if kind == 0 {
				continue
			}
			p := model.Placement{
				ID: fmt.Sprintf("%012x", n), Hypervisor: "h", Network: "nat:default",
				Name:   rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"),
				Domain: kind > 1, Running: rapid.Bool().Draw(t, "running"),
				MemoryMiB: rapid.IntRange(1, 2).Draw(t, "memory"), CPUs: rapid.IntRange(1, 2).Draw(t, "cpus"), NICs: 1,
				Root: true, Extra: rapid.Bool().Draw(t, "extra"), Rebuild: rapid.IntRange(0, 1).Draw(t, "rebuild"),
				Seed: rapid.SampledFrom([]string{"role=x\n", "role=y\n"}).Draw(t, "seed"),
			}
			if p.Extra {
				p.ExtraPool = rapid.SampledFrom([]string{"default", "storage"}).Draw(t, "pool")
			}
			all = append(all, p)
		}
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		before, after := gen(t, "before"), gen(t, "after")
		announced := model.Announce(model.Compare(before, after))
		must := deletions(before, after)
		had := map[string]bool{}
		for _, p := range before {
			if p.Domain {
				had["libvirt_domain.vm_"+p.ID] = true
			}
			if p.Root {
				had["libvirt_volume.vm_"+p.ID+"_root"] = true
			}
			if p.Extra {
				had["libvirt_volume.vm_"+p.ID+"_extra"] = true
			}
		}
		for address := range had {
			violations := model.CheckPlan([]model.Deletion{{Address: address}}, announced, nil)
			if needed := slices.Contains(must, address); needed != (len(violations) == 0) {
				t.Fatalf("%s: needed %v, violations %v\nbefore %+v\nafter  %+v", address, needed, violations, before, after)
			}
		}
	})
}

// What was tried in vain may be taken back as the person saw it, and nothing
// more is agreed to by it.
func TestAgreedAfterRunsInVain(t *testing.T) {
	web := func(change func(*model.VM)) model.Edit { return changeVM("web", change) }
	const webID, dbID = "000000000001", "000000000002"
	root, extra := model.Disk{VM: webID, Disk: "root"}, model.Disk{VM: webID, Disk: "extra"}
	none := model.Announced{Domains: []string{}, Disks: []model.Disk{}}
	tests := []struct {
		name  string
		edits []model.Edit // all but the last were tried
		lost  []model.Disk // that the agent reports no more
		want  model.Announced
	}{
		{"a VM that was added and is removed", []model.Edit{model.Add(vm(2, "db")), model.Remove[model.VM]("db")}, nil, model.Announced{
			Domains: []string{dbID}, Disks: []model.Disk{{VM: dbID, Disk: "root"}, {VM: dbID, Disk: "extra"}},
		}},
		{"a VM that was added and stays", []model.Edit{model.Add(vm(2, "db")), edit("thinkpad", func(h *model.Hypervisor) { h.Address = "10.0.0.9" })}, nil, none},
		{
			"memory that goes back",
			[]model.Edit{web(func(v *model.VM) { v.MemoryMiB = 2048 }), web(func(v *model.VM) { v.MemoryMiB = lab().VMs["web"].MemoryMiB })},
			nil,
			model.Announced{Domains: []string{webID}, Disks: []model.Disk{}},
		},
		{"a removal that was tried", []model.Edit{model.Remove[model.VM]("web"), model.Add(vm(2, "db"))}, nil, model.Announced{Domains: []string{webID}, Disks: []model.Disk{root, extra}}},
		{
			"disabled; a disk is not reported",
			[]model.Edit{web(func(v *model.VM) { v.MemoryMiB = 2048 }), web(func(v *model.VM) { v.Enabled = false })},
			[]model.Disk{extra},
			model.Announced{Domains: []string{webID}, Disks: []model.Disk{}},
		},
		{"tried twice, then removed", []model.Edit{
			model.Add(vm(2, "db")), changeVM("db", func(v *model.VM) { v.ExtraDiskGiB = 0 }), model.Remove[model.VM]("db"),
		}, nil, model.Announced{Domains: []string{dbID}, Disks: []model.Disk{{VM: dbID, Disk: "root"}, {VM: dbID, Disk: "extra"}}}},
		{"nothing since", []model.Edit{web(func(v *model.VM) { v.Protected = true })}, nil, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := lab()
			disks := []model.Disk{root, extra}
			applied := model.Applied{Digest: "d", Placements: model.Placements(state, "thinkpad", disks)}
			for i, e := range tt.edits {
				if state = with(t, state, e); i < len(tt.edits)-1 {
					applied = applied.Try(model.Placements(state, "thinkpad", disks))
				}
			}
			disks = slices.DeleteFunc(disks, func(d model.Disk) bool { return slices.Contains(tt.lost, d) })
			if d := cmp.Diff(tt.want, state.Agreed("thinkpad", disks, applied)); d != "" {
				t.Error(d)
			}
		})
	}
	if d := cmp.Diff(none, lab().Agreed("thinkpad", nil, model.Applied{})); d != "" {
		t.Errorf("where nothing was ever tried: %s", d)
	}
}

func BenchmarkPlacements1000(b *testing.B) {
	s := lab()
	for i := range 1000 {
		v := vm(i+10, fmt.Sprintf("vm-%d", i))
		v.IP = fmt.Sprintf("10.1.%d.%d/16", i/200, 2+i%200)
		s.VMs[v.Name] = v
	}
	for b.Loop() {
		p := model.Placements(s, "thinkpad", nil)
		_ = model.Compare(p, p)
	}
}
