package server

import (
	"strings"
	"testing"

	"homelab/agent/wire"
	"homelab/model"
)

// guests are those of box as its agent reports them.
func (l *testLab) guests(state model.GuestState) []model.Guest {
	var all []model.Guest
	for _, vm := range l.srv.store.State().VMsOn("box") {
		all = append(all, model.Guest{ID: vm.ID, Name: model.DomainName(vm.Name, "box"), State: state})
	}
	return all
}

// What is changed by hand is shown and mended by a run of its own, unless the
// policy leaves that to people, or the hypervisor is held.
func TestDriftIsShownAndMended(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 2))
	a := l.agent(l.join("box"), wire.Hello{})
	report := func(guests []model.Guest, gone ...model.Disk) {
		a.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{Guests: guests, Gone: gone}})
	}
	run := a.expect(wire.KindRun).Run
	report(l.guests(model.GuestRunning))
	a.finish(run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)

	stopped := l.guests(model.GuestRunning)
	stopped[0].State = model.GuestStopped
	report(stopped)
	l.phase("box", model.PhaseDrifted)
	st := l.srv.observed.hypervisor("box")
	if len(st.Drift) != 1 || st.Drift[0].VM != "vm0" || st.Drift[0].What != model.DriftStopped || !strings.Contains(st.Error, "vm0") {
		t.Errorf("drift %v, error %q", st.Drift, st.Error)
	}
	run = a.expect(wire.KindRun).Run
	report(l.guests(model.GuestRunning))
	a.finish(run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)

	// The next one soon after is not mended at once.
	report(stopped[1:])
	l.phase("box", model.PhaseDrifted)
	eventually(t, "it says when it is mended", func() bool { return !l.srv.observed.hypervisor("box").RetryAt.IsZero() })

	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Policy = model.PolicyReview; return nil }))
	eventually(t, "it is left to people", func() bool {
		st := l.srv.observed.hypervisor("box")
		return st.Phase == model.PhaseDrifted && strings.Contains(st.Error, "`apply box` mends it") && st.RetryAt.IsZero()
	})
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Hold = true; return nil }))
	eventually(t, "it is held, and says what drifted", func() bool {
		st := l.srv.observed.hypervisor("box")
		return st.Phase == model.PhaseHeld && len(st.Drift) == 1 && st.Drift[0].What == model.DriftUndefined
	})
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Hold = false; return nil }))
	vm := l.srv.store.State().VMs["vm1"]
	report(l.guests(model.GuestRunning), model.Disk{VM: vm.ID, Disk: model.DiskRoot})
	eventually(t, "a disk that is gone is shown", func() bool {
		st := l.srv.observed.hypervisor("box")
		return len(st.Drift) == 1 && st.Drift[0].What == model.DriftDiskGone
	})
	report(l.guests(model.GuestRunning))
	l.phase("box", model.PhaseInSync)
}
