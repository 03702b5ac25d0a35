package server

import (
	"strings"
	"testing"

	"homelab/agent/wire"
	"homelab/model"
)

func TestInUse(t *testing.T) {
	for _, c := range []struct {
		running int64
		st      model.HypervisorStatus
		want    bool
	}{
		{0, model.HypervisorStatus{}, false},
		{0, model.HypervisorStatus{Load: &model.Load{Load1: 0.1}}, false},
		{1, model.HypervisorStatus{}, true},
		{-1, model.HypervisorStatus{}, true}, // its agent has not reported yet
		{0, model.HypervisorStatus{Run: 7}, true},
		{0, model.HypervisorStatus{Agent: model.AgentOnline, Load: &model.Load{Logins: 1}}, true},
	} {
		if got := inUse(c.running, c.st); got != c.want {
			t.Errorf("%d running, %+v: %v", c.running, c.st, got)
		}
	}
}

func TestAMachineFollowsItsProfileAndGivesWayToPeople(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated = p.switched })
	box := sandbox("box")
	box.Outlets, box.PowerPolicy = []string{"plug"}, model.PowerProfile
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Image = "box", "img"
	l.commit(model.Add(model.Image{Name: "img", Path: "/img"}), model.Add(model.Profile{Name: "quiet"}),
		model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}), model.Add(box), model.Add(vm))
	eventually(t, "its profile has it on", p.is("plug true"))
	h := l.srv.store.State().Hypervisors["box"]
	if h.PowerBy != model.Homelab || h.PowerWhy != "profile default has VMs to run there" || h.PowerByHand {
		t.Errorf("%+v", h)
	}
	revs, err := l.srv.store.Revisions(0, 1)
	if err != nil || revs[0].Who != model.Homelab || !strings.Contains(revs[0].Via, "profile default has VMs") {
		t.Errorf("%+v %v", revs, err)
	}
	a := l.agent(l.join("box"), wire.Hello{})
	a.finish(a.expect(wire.KindRun).Run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)

	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Want(model.PowerWantedOff, false); return nil }))
	l.halt("box", a)
	eventually(t, "it is off by hand, and stays so", p.is("plug true", "plug false"))
	l.step("box", model.StepOutlet, model.StepDone)
	if h := l.srv.store.State().Hypervisors["box"]; h.PowerBy != "tester" || !h.PowerByHand || h.PowerWanted != model.PowerWantedOff {
		t.Errorf("%+v", h)
	}
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Release(); return nil }))
	eventually(t, "once released it is on again", p.is("plug true", "plug false", "plug true"))
}
