package terraform

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/agent/wire"
	"homelab/model"
)

// What the agent makes of a config beside terraform: images, pools and sizes.
func TestWhatTheAgentMakes(t *testing.T) {
	s := addVMs(newLab(model.PlatformLibvirt), newVM(1))
	s.Images["debian-12"] = model.Image{Name: "debian-12", URL: "https://x.example/d.qcow2", Checksum: "https://x.example/SHA512SUMS"}
	h := s.Hypervisors["thinkpad"]
	h.Pools = append(h.Pools, model.Pool{Name: "nas", Path: "/srv/nas", NFS: "nas:/vms"}, model.Pool{Name: "ram", Path: "/srv/ram", TmpfsMiB: 64})
	s.Hypervisors["thinkpad"] = h
	change(s, "vm-0001", func(vm *model.VM) {
		vm.Image, vm.ExtraPool, vm.ExtraFormat = "debian-12", "ram", "raw"
		vm.Gateway, vm.DNS = "192.168.0.254", []string{"9.9.9.9", "1.1.1.1"}
	})
	c := render(t, s)
	m := c.Manifest
	want := []wire.Pool{
		{Name: "default", Path: model.DefaultPoolPath},
		{Name: "nas", Path: "/srv/nas", NFS: "nas:/vms"},
		{Name: "ram", Path: "/srv/ram", TmpfsMiB: 64},
		{Name: "storage", Path: "/srv/storage"},
	}
	if d := cmp.Diff(want, m.Pools); d != "" {
		t.Error(d)
	}
	img := m.Images[0]
	if img.URL != "https://x.example/d.qcow2" || img.Checksum != "https://x.example/SHA512SUMS" || img.Path != "" || m.Network != "macvtap:eno1" {
		t.Errorf("image %+v, network %q", img, m.Network)
	}
	if vm := m.VMs[0]; vm.RootGiB != 20 || vm.ExtraGiB != 10 {
		t.Errorf("VM %+v", vm)
	}
	text := c.Text()
	for _, line := range []string{`format = "raw"`, "via: \"192.168.0.254\"", `addresses: ["9.9.9.9", "1.1.1.1"]`} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), line) {
			t.Errorf("the config lacks %s:\n%s", line, text)
		}
	}
	// Another address of an image is another file; that of a list is not.
	before := img.Volume
	s.Images["debian-12"] = model.Image{Name: "debian-12", URL: "https://x.example/d.qcow2", Checksum: "none"}
	if v := render(t, s).Manifest.Images[0].Volume; v != before {
		t.Errorf("another list makes another file, %s", v)
	}
	s.Images["debian-12"] = model.Image{Name: "debian-12", URL: "https://y.example/d.qcow2", Checksum: "none"}
	if v := render(t, s).Manifest.Images[0].Volume; v == before {
		t.Error("another URL makes no other file")
	}
}
