package terraform

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"homelab/agent/wire"
	"homelab/model"
)

// An unknown hypervisor must not get a config: an empty one would destroy
// everything.
func TestUnknownHypervisor(t *testing.T) {
	for _, name := range []string{"", "Thinkpad", "thinkpad.lan", "gone"} {
		c, err := NewRenderer().Render(Input{State: goldenLab(model.PlatformLibvirt), Hypervisor: name})
		var missing *model.NotFoundError
		if c != nil || !errors.As(err, &missing) {
			t.Errorf("%q: config %v, error %v", name, c, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]func(*model.State){
		`no image named "lost"`:       func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.Image = "lost" }) },
		`no salt master named "lost"`: func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.SaltMaster = "lost" }) },
		`malformed ID "a b"`:          func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.ID = "a b" }) },
		`not an IP address`:           func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.IP = "x" }) },
		`platform "xen" is neither`:   func(s *model.State) { s.Hypervisors["thinkpad"] = model.Hypervisor{Platform: "xen"} },
		`network "eno1" is none`: func(s *model.State) {
			s.Hypervisors["thinkpad"] = model.Hypervisor{Platform: model.PlatformLibvirt, Network: "eno1"}
		},
	}
	for want, edit := range cases {
		s := goldenLab(model.PlatformLibvirt)
		edit(s)
		if _, err := NewRenderer().Render(Input{State: s, Hypervisor: "thinkpad"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func change(s *model.State, name string, edit func(*model.VM)) {
	vm := s.VMs[name]
	edit(&vm)
	s.VMs[name] = vm
}

// TestTar reads a config as an agent does.
func TestTar(t *testing.T) {
	s := goldenLab(model.PlatformLibvirt)
	c := render(t, s, keptIn(s)...)
	sum := sha256.Sum256(c.Tar)
	if c.Digest != hex.EncodeToString(sum[:]) || c.Hypervisor != "thinkpad" {
		t.Errorf("digest %s of %s", c.Digest, c.Hypervisor)
	}
	r := tar.NewReader(bytes.NewReader(c.Tar))
	h, err := r.Next()
	if err != nil || h.Name != wire.ManifestFile {
		t.Fatalf("the first entry is %v, %v", h, err)
	}
	var m wire.Manifest
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c.Manifest, m); d != "" {
		t.Error(d)
	}
	names := []string{}
	for name := range files(t, c) {
		names = append(names, name)
	}
	if len(names) != 6 {
		t.Errorf("entries %q", names)
	}
	for _, vm := range m.VMs {
		seed, ok := m.SeedOf(vm)
		if ok != (vm.DomainName != "") || ok && !strings.HasPrefix(seed.UserData, "#cloud-config\n") {
			t.Errorf("%s: seed %v", vm.Name, seed)
		}
	}
}

// TestDeterministic renders one state in every way that should not matter.
func TestDeterministic(t *testing.T) {
	s := goldenLab(model.PlatformLibvirt)
	want := render(t, s, keptIn(s)...).Digest
	same := s.Clone()
	same.Revision = 99
	for name, vm := range same.VMs {
		vm.Meta = model.Meta{Version: 7, Changed: time.Unix(1, 0)}
		vm.Profiles = append([]string{"away"}, vm.Profiles...)
		if name != "gone" {
			same.VMs[name] = vm
		}
	}
	hv := same.Hypervisors["thinkpad"]
	hv.Pools = []model.Pool{hv.Pools[1], hv.Pools[0]}
	same.Hypervisors[hv.Name] = hv
	kept := keptIn(s)
	kept[0], kept[1] = kept[1], kept[0]
	if got := render(t, same, kept...).Digest; got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

// TestKeptDisks: the blocks of a VM's disks are the same with a domain and
// without, so that nothing is planned for them.
func TestKeptDisks(t *testing.T) {
	for _, platform := range []string{model.PlatformLibvirt, model.PlatformSandbox} {
		s := addVMs(newLab(platform), newVM(1))
		with := files(t, render(t, s))["vm-vm-0001.tf"]
		change(s, "vm-0001", func(vm *model.VM) { vm.Enabled = false })
		id := s.VMs["vm-0001"].ID
		disks := []model.Disk{{VM: id, Disk: model.DiskRoot}, {VM: id, Disk: model.DiskExtra}}
		without := files(t, render(t, s, disks...))["vm-vm-0001.tf"]
		if !strings.HasPrefix(with, strings.TrimSuffix(without, "\n")) || !strings.Contains(without, "_root") || !strings.Contains(without, "_extra") {
			t.Errorf("%s: with a domain\n%s\nand without\n%s", platform, with, without)
		}
		root := files(t, render(t, s, disks[0]))["vm-vm-0001.tf"]
		if !strings.HasPrefix(without, strings.TrimSuffix(root, "\n")) || strings.Contains(root, "_extra") {
			t.Errorf("%s: with the root disk only\n%s", platform, root)
		}
		c := render(t, s, disks...)
		if len(c.Manifest.Images) != 1 || len(c.Manifest.VMs) != 1 || c.Manifest.UserData != "" {
			t.Errorf("%s: manifest %+v", platform, c.Manifest)
		}
		if rest := render(t, s); len(files(t, rest)) != 2 || len(rest.Manifest.VMs) != 0 {
			t.Errorf("%s: disks that are not kept are rendered: %s", platform, rest.Text())
		}
	}
}

// TestWarm: whatever was rendered before, a renderer gives what a new one does.
func TestWarm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := goldenLab(rapid.SampledFrom([]string{model.PlatformLibvirt, model.PlatformSandbox}).Draw(rt, "platform"))
		warm := NewRenderer()
		edits := []func(*model.State){
			func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.MemoryMiB += 512 }) },
			func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.Role += "x" }) },
			func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.Enabled = !vm.Enabled }) },
			func(s *model.State) { change(s, "db", func(vm *model.VM) { vm.Rebuild++ }) },
			func(s *model.State) { delete(s.VMs, "lan") },
			func(s *model.State) { change(s, "web", func(vm *model.VM) { vm.Shares = nil }) },
			func(s *model.State) {
				s.Shares["media"] = model.Share{Name: "media", Server: "x", Export: "/y", Mount: "/z"}
			},
			func(s *model.State) { s.Roles["db"] = model.GuestRole{Name: "db", UserData: "packages: [x]"} },
			func(s *model.State) { s.Settings.Packages, s.Settings.Hosts = nil, !s.Settings.Hosts },
			func(s *model.State) { s.Settings.Timezone += "/x" },
			func(s *model.State) { s.Settings.Gateway = "192.168.0.9" },
			func(s *model.State) { s.Settings.DNS = nil },
			func(s *model.State) { s.SaltMasters["pi"] = model.SaltMaster{Name: "pi", Address: "10.0.0.1"} },
			func(s *model.State) { s.Images["plain"] = model.Image{Name: "plain", Path: "/other"} },
			func(s *model.State) {
				hv := s.Hypervisors["thinkpad"]
				hv.Network, hv.Pools = "nat:default", []model.Pool{{Name: model.DefaultPool, Path: "/pool"}}
				s.Hypervisors["thinkpad"] = hv
			},
			func(s *model.State) {
				hv := s.Hypervisors["thinkpad"]
				hv.Accel = model.AccelTCG
				s.Hypervisors["thinkpad"] = hv
			},
			func(s *model.State) { _ = model.Activate("away")(s) },
			func(*model.State) {},
		}
		for range 6 {
			s = s.Clone()
			rapid.SampledFrom(edits).Draw(rt, "edit")(s)
			var kept []model.Disk
			if rapid.Bool().Draw(rt, "kept") {
				kept = []model.Disk{{VM: fmt.Sprintf("%012x", 0xabc000000001), Disk: model.DiskRoot}}
			}
			got, err := warm.Render(Input{State: s, Hypervisor: "thinkpad", Kept: kept})
			if err != nil {
				rt.Fatal(err)
			}
			want := render(t, s, kept...)
			if got.Digest != want.Digest || got.Text() != want.Text() {
				rt.Fatalf("(-new +warm):\n%s", cmp.Diff(want.Text(), got.Text()))
			}
		}
	})
}

func TestConcurrent(t *testing.T) {
	r := NewRenderer()
	labs := []*model.State{goldenLab(model.PlatformLibvirt), goldenLab(model.PlatformSandbox)}
	want := []string{render(t, labs[0]).Digest, render(t, labs[1]).Digest}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				c, err := r.Render(Input{State: labs[i%2], Hypervisor: "thinkpad"})
				if err != nil || c.Digest != want[i%2] {
					t.Errorf("digest of %v, error %v", c, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestImageVolume(t *testing.T) {
	const pool = model.DefaultPoolPath
	image := model.Image{Name: "debian.qcow2", Path: pool + "/debian.qcow2"}
	first := imageVolume(image, pool)
	if !strings.HasPrefix(first, "debian-") || !strings.HasSuffix(first, ".qcow2") {
		t.Errorf("volume %s", first)
	}
	moved := image
	moved.Path = "/srv/debian.qcow2"
	summed, again := image, moved
	summed.Checksum, again.Checksum = "sha256:aa", "sha256:aa"
	if imageVolume(moved, pool) == first || imageVolume(summed, pool) == first || imageVolume(summed, pool) != imageVolume(again, pool) {
		t.Error("the content is the checksum, without one the path")
	}
	own := summed // somebody names our own copy as the source
	own.Path = path.Join(pool, imageVolume(summed, pool))
	if v := imageVolume(own, pool); path.Join(pool, v) == own.Path {
		t.Errorf("the image %s would be copied onto itself", v)
	}
}

// TestNoPassword: nothing in a config lets anybody in by a password.
func TestNoPassword(t *testing.T) {
	text := render(t, goldenLab(model.PlatformLibvirt)).Text()
	for _, bad := range []string{"passwd:", "password:", "chpasswd", "plain_text"} {
		if strings.Contains(strings.ReplaceAll(text, "lock_passwd: true", ""), bad) {
			t.Errorf("the config says %q", bad)
		}
	}
}
