package terraform

import (
	"fmt"
	"testing"

	"homelab/model"
)

const (
	keyAlice = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@laptop"
	keyBob   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8yJc2oWlVx4Yk0mPmYdVQ1mC8yQf4vN7sT3wXb5aQr bob@desk"
)

// newLab is a lab of one hypervisor, "thinkpad", with settings and without VMs.
func newLab(platform string) *model.State {
	s := model.NewState()
	s.Settings = model.Settings{
		GuestUser: "homelab", SSHKeys: []string{keyAlice, keyBob}, SaltMaster: "pi",
		DNS: []string{"192.168.1.1"}, Search: []string{"home.arpa"}, Timezone: "Europe/Amsterdam",
	}
	s.SaltMasters["pi"] = model.SaltMaster{Name: "pi", Address: "192.168.1.239"}
	s.Images["debian-12.qcow2"] = model.Image{
		Name: "debian-12.qcow2", Path: "/var/lib/libvirt/images/debian-12.qcow2",
		Checksum: "sha256:5da221d8f7434ee86145e78a2c60ca45eb4ef8296535e04f6f333193225792aa",
	}
	h := model.NewHypervisor("thinkpad")
	h.Platform, h.Network = platform, "macvtap:eno1"
	h.Pools = append(h.Pools, model.Pool{Name: "storage", Path: "/srv/storage"})
	s.Hypervisors[h.Name] = h
	return s
}

// newVM is an ordinary VM of that lab: with a role, an address and an extra
// disk.
func newVM(n int) model.VM {
	vm := model.NewVM(fmt.Sprintf("vm-%04d", n))
	vm.ID = fmt.Sprintf("%012x", 0xabc000000000+n)
	vm.Hypervisor, vm.Image, vm.Role = "thinkpad", "debian-12.qcow2", "web"
	vm.MemoryMiB, vm.CPUs, vm.DiskGiB, vm.ExtraDiskGiB, vm.ExtraPool = 2048, 2, 20, 10, "storage"
	vm.IP = fmt.Sprintf("192.%d.%d.%d/24", 168+n/65536, n/250, n%250+2)
	return vm
}

func addVMs(s *model.State, vms ...model.VM) *model.State {
	for _, vm := range vms {
		s.VMs[vm.Name] = vm
	}
	return s
}

func bigLab(platform string, n int) *model.State {
	s := newLab(platform)
	for i := range n {
		addVMs(s, newVM(i))
	}
	return s
}

func render(t testing.TB, s *model.State, kept ...model.Disk) *Config {
	t.Helper()
	c, err := NewRenderer().Render(Input{State: s, Hypervisor: "thinkpad", Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
