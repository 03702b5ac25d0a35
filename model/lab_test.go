package model_test

import (
	"fmt"
	"testing"

	"homelab/model"
)

const someKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUmTPN8jhHvY1Vq0yKjSgKnGgVuVPtf6bxPj2dPaDkT"

// lab is a valid state: hypervisors thinkpad and desktop, the profiles default
// (active) and weekend, an image, an outlet, a Salt master, and VM web.
func lab() *model.State {
	s := model.NewState()
	for _, name := range []string{"thinkpad", "desktop"} {
		h := model.NewHypervisor(name)
		h.Pools = append(h.Pools, model.Pool{Name: "storage", Path: "/srv/storage"})
		h.Outlets = []string{"plug"}
		s.Hypervisors[name] = h
	}
	s.Profiles["weekend"] = model.Profile{Name: "weekend"}
	s.Images["debian"] = model.Image{Name: "debian", Path: "/img/debian.qcow2"}
	s.Images["fedora"] = model.Image{Name: "fedora", Path: "/img/fedora.qcow2"}
	s.Outlets["switch"] = model.Outlet{Name: "switch", Driver: model.DriverSimulated, Essential: true}
	s.Outlets["plug"] = model.Outlet{
		Name: "plug", Driver: model.DriverHTTP, Requires: []string{"switch"}, Groups: []string{"rack"},
		HTTP: model.HTTPOutlet{OnURL: "http://10.0.0.9/on", OffURL: "http://10.0.0.9/off", StatusURL: "http://10.0.0.9/", OnMatch: "ON"},
	}
	s.SaltMasters["pi"] = model.SaltMaster{Name: "pi", Address: "10.0.0.2"}
	s.VMs["web"] = vm(1, "web")
	public, fingerprint, _, err := model.ParseKey(someKey)
	if err != nil {
		panic(err)
	}
	s.Users["ann"] = model.User{Name: "ann", Role: model.RoleAdmin, Keys: []model.Key{{Name: "ann@pi", PublicKey: public, Fingerprint: fingerprint}}}
	return s
}

func vm(n int, name string) model.VM {
	vm := model.NewVM(name)
	vm.ID = fmt.Sprintf("%012x", n)
	vm.Hypervisor, vm.Image, vm.ExtraDiskGiB = "thinkpad", "debian", 1
	return vm
}

// with does edits on a clone.
func with(t testing.TB, s *model.State, edits ...model.Edit) *model.State {
	t.Helper()
	s = s.Clone()
	if err := model.Edits(edits...)(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func changeVM(name string, change func(*model.VM)) model.Edit {
	return model.Change(name, 0, func(vm *model.VM) error { change(vm); return nil })
}
