package model_test

import (
	"slices"
	"testing"

	"homelab/model"
)

// A switch to the profile weekend, which has VM games on desktop only; the
// active one has web on thinkpad.
func TestSwitchPower(t *testing.T) {
	base := lab()
	games := vm(2, "games")
	games.Hypervisor, games.Profiles = "desktop", []string{"weekend"}
	base = with(t, base, model.Add(games))
	online := model.HypervisorStatus{Agent: model.AgentOnline, Power: model.PowerOn}
	gone := model.HypervisorStatus{Agent: model.AgentOffline, Power: model.PowerOff}
	hv := func(name string, change func(*model.Hypervisor)) model.Edit {
		return model.Change(name, 0, func(h *model.Hypervisor) error { change(h); return nil })
	}
	for _, c := range []struct {
		name              string
		edits             []model.Edit
		thinkpad, desktop model.HypervisorStatus
		on, off           []string
	}{
		{"one comes, one goes", nil, online, gone, []string{"desktop"}, []string{"thinkpad"}},
		{"on and wanted on already", []model.Edit{hv("desktop", func(h *model.Hypervisor) { h.PowerWanted = model.PowerWantedOn })}, online, online, nil, []string{"thinkpad"}},
		{"on already, by hand", nil, online, online, nil, []string{"thinkpad"}},
		{"on still, and to go off", []model.Edit{hv("desktop", func(h *model.Hypervisor) { h.PowerWanted = model.PowerWantedOff })}, online, online, []string{"desktop"}, []string{"thinkpad"}},
		{"wanted on, but it is off", []model.Edit{hv("desktop", func(h *model.Hypervisor) { h.PowerWanted = model.PowerWantedOn })}, gone, gone, []string{"desktop"}, nil},
		{"nobody knows whether it is off", nil, model.HypervisorStatus{Agent: model.AgentOffline, Power: model.PowerUnknown}, gone, []string{"desktop"}, []string{"thinkpad"}},
		{"held", []model.Edit{hv("thinkpad", func(h *model.Hypervisor) { h.Hold = true })}, online, gone, []string{"desktop"}, nil},
		{"follows the profile by itself", []model.Edit{hv("desktop", func(h *model.Hypervisor) { h.PowerPolicy = model.PowerProfile })}, online, gone, nil, []string{"thinkpad"}},
		{"no outlet", []model.Edit{hv("thinkpad", func(h *model.Hypervisor) { h.Outlets = nil })}, online, gone, []string{"desktop"}, nil},
		{"essential", []model.Edit{hv("thinkpad", func(h *model.Hypervisor) { h.Outlets = []string{"switch"} })}, online, gone, []string{"desktop"}, nil},
		{"its VM is not to run", []model.Edit{changeVM("games", func(vm *model.VM) { vm.Running = false })}, online, gone, nil, []string{"thinkpad"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := with(t, base, c.edits...)
			status := model.Status{Hypervisors: map[string]model.HypervisorStatus{"thinkpad": c.thinkpad, "desktop": c.desktop}}
			on, off := model.SwitchPower(s, status, "weekend")
			if !slices.Equal(on, c.on) || !slices.Equal(off, c.off) {
				t.Errorf("on %v, off %v; want %v, %v", on, off, c.on, c.off)
			}
			after := with(t, s, model.ActivateWithPower("weekend", on, off))
			for _, name := range on {
				if after.Hypervisors[name].PowerWanted != model.PowerWantedOn {
					t.Errorf("%s is not wanted on", name)
				}
			}
			for _, name := range off {
				if after.Hypervisors[name].PowerWanted != model.PowerWantedOff {
					t.Errorf("%s is not wanted off", name)
				}
			}
			if after.ActiveProfile() != "weekend" {
				t.Error("the profile is not switched")
			}
		})
	}
	if on, off := model.SwitchPower(base, model.Status{}, "nope"); on != nil || off != nil {
		t.Errorf("an unknown profile switches %v, %v", on, off)
	}
}
