package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// Who asks for a run of a machine whose agent is away is told what brings it.
func TestAgentComes(t *testing.T) {
	joined := &model.State{Agents: map[string]model.Agent{"box": {Hypervisor: "box"}}}
	for want, c := range map[string]struct {
		state *model.State
		h     model.Hypervisor
	}{
		"`agent invite box`": {&model.State{}, model.Hypervisor{Name: "box", PowerWanted: model.PowerWantedOn}},
		"`power status box`": {joined, model.Hypervisor{Name: "box", PowerWanted: model.PowerWantedOn}},
		"`power on box`":     {joined, model.Hypervisor{Name: "box", PowerWanted: model.PowerWantedOff, Outlets: []string{"plug"}}},
		"the machine is on":  {joined, model.Hypervisor{Name: "box", PowerWanted: model.PowerWantedNone}},
	} {
		if got := agentComes(c.state, c.h); !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

// withVMs is a sandbox hypervisor with VMs.
func withVMs(name string, n int) model.Edit {
	edits := []model.Edit{model.Add(sandbox(name)), model.Add(model.Image{Name: "img", Path: "/img"})}
	for i := range n {
		vm := model.NewVM(fmt.Sprintf("vm%d", i))
		vm.Hypervisor, vm.Profiles, vm.Image = name, []string{model.DefaultProfile}, "img"
		edits = append(edits, model.Add(vm))
	}
	return model.Edits(edits...)
}

func moreMemory(vm string) model.Edit {
	return model.Change(vm, 0, func(v *model.VM) error { v.MemoryMiB++; return nil })
}

func (l *testLab) phase(hypervisor string, want model.Phase) {
	l.t.Helper()
	eventually(l.t, hypervisor+" is "+string(want), func() bool { return l.srv.observed.hypervisor(hypervisor).Phase == want })
}

// inSync plays the first run of an agent of box.
func (l *testLab) inSync(a *testAgent) {
	l.t.Helper()
	run := a.expect(wire.KindRun).Run
	a.finish(run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
}

func TestAnEditBecomesARunAfterAPause(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 3))
	l.phase("box", model.PhaseNew)
	a := l.agent(l.join("box"), wire.Hello{})
	l.inSync(a)

	before := l.srv.observed.hypervisor("box").DesiredDigest
	start := time.Now()
	l.commit(moreMemory("vm0"))
	l.commit(moreMemory("vm1"))
	run := a.expect(wire.KindRun).Run
	took := time.Since(start)
	if took < editPause || took > editPause+500*time.Millisecond {
		t.Errorf("the run comes after %v", took)
	}
	if run.Digest == before || run.Digest != l.srv.observed.hypervisor("box").DesiredDigest || run.Kind != model.RunApply || run.Review {
		t.Errorf("run %+v", run)
	}
	// What it fetches is what it was told to apply, whatever is edited since.
	l.commit(moreMemory("vm2"))
	eventually(t, "another config is desired", func() bool {
		d := l.srv.observed.hypervisor("box").DesiredDigest
		return d != run.Digest && a.expect(wire.KindDesired).Desired.Digest != ""
	})
	if config, err := l.srv.configs.fetch("box"); err != nil || config.Digest != run.Digest {
		t.Errorf("fetched %v, %v", config, err)
	}
	a.finish(run.ID, model.RunSuperseded, "")
	next := a.expect(wire.KindRun).Run
	a.finish(next.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
	st := l.srv.observed.hypervisor("box")
	if st.AppliedDigest != next.Digest || st.DesiredDigest != next.Digest || st.LastRun != next.ID || st.Run != 0 {
		t.Errorf("%+v", st)
	}
	// An edit that does not change the config starts nothing.
	since := l.srv.observed.hypervisor("box").Since
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Address = "10.0.0.1"; return nil }))
	l.commit(model.Add(sandbox("other")))
	l.phase("other", model.PhaseNew)
	if st := l.srv.observed.hypervisor("box"); st.Phase != model.PhaseInSync || st.Run != 0 || st.Since != since {
		t.Errorf("%+v", st)
	}
}

func TestDestructionIsAnnounced(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 2))
	a := l.agent(l.join("box"), wire.Hello{})
	first := a.expect(wire.KindRun).Run
	if len(first.Announced.Domains)+len(first.Announced.Disks) > 0 {
		t.Errorf("the first run announces %+v", first.Announced)
	}
	a.finish(first.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
	id := l.srv.store.State().VMs["vm0"].ID
	l.commit(model.Remove[model.VM]("vm0"))
	run := a.expect(wire.KindRun).Run
	if an := run.Announced; len(an.Domains) != 1 || an.Domains[0] != id || len(an.Disks) != 1 || an.Disks[0] != (model.Disk{VM: id, Disk: model.DiskRoot}) {
		t.Errorf("announced %+v", an)
	}
}

// Taking back what a run in vain made does not wait: its preview said so.
func TestWhatFailedMayBeTakenBack(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	a := l.agent(l.join("box"), wire.Hello{})
	l.inSync(a)
	more := model.NewVM("more")
	more.Hypervisor, more.Profiles, more.Image = "box", []string{model.DefaultProfile}, "img"
	l.commit(model.Add(more))
	id := l.srv.store.State().VMs["more"].ID
	run := a.expect(wire.KindRun).Run
	a.finish(run.ID, model.RunFailed, "no space left")
	l.phase("box", model.PhaseRetrying)
	l.commit(model.Remove[model.VM]("more"))
	run = a.expect(wire.KindRun).Run
	if an := run.Announced; !slices.Equal(an.Domains, []string{id}) || !slices.Equal(an.Disks, []model.Disk{{VM: id, Disk: model.DiskRoot}}) {
		t.Errorf("announced %+v", an)
	}
	a.finish(run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
}

func TestFailuresAreTriedAgainWithPauses(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	key := l.join("box")
	a := l.agent(key, wire.Hello{})
	run := a.expect(wire.KindRun).Run
	a.finish(run.ID, model.RunFailed, "no space left")
	l.phase("box", model.PhaseRetrying)
	st := l.srv.observed.hypervisor("box")
	if d := time.Until(st.RetryAt); st.Failures != 1 || st.Error != "no space left" || d < 5*time.Second || d > 10*time.Second {
		t.Errorf("%+v, retry in %v", st, d)
	}
	// A person does not wait.
	again, err := l.admin().StartRun(t.Context(), "box", model.RunApply)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.expect(wire.KindRun).Run; got.ID != again.ID {
		t.Errorf("run %d, not %d", got.ID, again.ID)
	}
	if _, err := l.admin().StartRun(t.Context(), "nobody", model.RunApply); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := l.admin().StartRun(t.Context(), "box", model.RunApply); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second: %v", err)
	}
	a.finish(again.ID, model.RunFailed, "no space left")
	eventually(t, "it has failed twice", func() bool { return l.srv.observed.hypervisor("box").Failures == 2 })
	// The failures are known after a restart of the server.
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.start()
	a = l.agent(key, wire.Hello{})
	a.expect(wire.KindWelcome)
	a.seq = 4
	l.phase("box", model.PhaseRetrying)
	if st := l.srv.observed.hypervisor("box"); st.Failures != 2 {
		t.Errorf("%+v", st)
	}
	// A new digest does not wait either.
	l.commit(moreMemory("vm0"))
	a.finish(a.expect(wire.KindRun).Run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
}

func TestARunThatTheAgentDoesNotHaveIsLost(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	key := l.join("box")
	a := l.agent(key, wire.Hello{})
	run := a.expect(wire.KindRun).Run.ID
	a.client.Close()
	b := l.agent(key, wire.Hello{})
	next := b.expect(wire.KindRun).Run.ID
	if lost, err := l.srv.store.Run(run); err != nil || lost.State != model.RunFailed || next == run {
		t.Errorf("%+v %v", lost, err)
	}
	// One that it has goes on.
	b.client.Close()
	c := l.agent(key, wire.Hello{Unfinished: []uint64{next}})
	c.expect(wire.KindWelcome)
	c.finish(next, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
}

func TestAfterConnectingDriftIsLookedFor(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	key := l.join("box")
	a := l.agent(key, wire.Hello{})
	l.inSync(a)
	a.client.Close()
	l.phase("box", model.PhaseOffline)
	b := l.agent(key, wire.Hello{})
	b.seq = a.seq
	run := b.expect(wire.KindRun).Run
	b.finish(run.ID, model.RunNoop, "")
	l.phase("box", model.PhaseInSync)
	if _, err := l.srv.store.Run(run.ID); err == nil {
		t.Error("a run that found nothing is kept")
	}
}

func TestHoldAndRelease(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	a := l.agent(l.join("box"), wire.Hello{})
	l.inSync(a)
	hold := func(on bool) model.Edit {
		return model.Change("box", 0, func(h *model.Hypervisor) error { h.Hold = on; return nil })
	}
	l.commit(hold(true))
	l.phase("box", model.PhaseHeld)
	l.commit(moreMemory("vm0"))
	if _, err := l.admin().StartRun(t.Context(), "box", model.RunApply); err == nil || !strings.Contains(err.Error(), "release box") {
		t.Errorf("apply while held: %v", err)
	}
	l.commit(hold(false))
	run := a.expect(wire.KindRun).Run

	// A run that does not apply yet is not to go on beside the person.
	a.record(model.Record{Run: run.ID, State: model.RunWaiting})
	l.phase("box", model.PhaseWaiting)
	l.commit(hold(true))
	if d := a.expect(wire.KindDesired).Desired; d.Digest != "" {
		t.Errorf("held in a run, the agent is told of %q", d.Digest)
	}
	a.finish(run.ID, model.RunSuperseded, "")
	l.phase("box", model.PhaseHeld)
	l.commit(hold(false))
	if d := a.expect(wire.KindDesired).Desired; d.Digest != run.Digest {
		t.Errorf("released, the agent is told of %q", d.Digest)
	}
	a.finish(a.expect(wire.KindRun).Run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
}

func TestApproveAndCancelReachTheAgent(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1), model.Change("box", 0, func(h *model.Hypervisor) error { h.Policy = model.PolicyReview; return nil }))
	a := l.agent(l.join("box"), wire.Hello{})
	run := a.expect(wire.KindRun).Run
	if !run.Review {
		t.Error("it would not wait")
	}
	if err := l.admin().Approve(t.Context(), run.ID); err == nil || !strings.Contains(err.Error(), "only one that waits") {
		t.Errorf("approve: %v", err)
	}
	a.record(model.Record{Run: run.ID, State: model.RunWaiting})
	l.phase("box", model.PhaseWaiting)
	answers := make(chan error, 1)
	for kind, do := range map[string]func() error{
		wire.KindApprove: func() error { return l.admin().Approve(t.Context(), run.ID) },
		wire.KindCancel:  func() error { return l.admin().Cancel(t.Context(), run.ID) },
	} {
		go func() { answers <- do() }()
		f := a.expect(kind)
		if f.RunID != run.ID {
			t.Errorf("%+v", f)
		}
		a.send(wire.Frame{Kind: wire.KindResult, Order: f.Order})
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	a.record(model.Record{Run: run.ID, State: model.RunCancelled})
	eventually(t, "the end is shown", func() bool { return strings.Contains(l.srv.observed.hypervisor("box").Error, "was cancelled") })
	if err := l.admin().Cancel(t.Context(), run.ID); err == nil || !strings.Contains(err.Error(), "is over") {
		t.Errorf("cancel: %v", err)
	}
}

// plugs remembers what simulated outlets were told.
type plugs struct {
	mu   sync.Mutex
	told []string
}

func (p *plugs) switched(name string, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, fmt.Sprintf("%s %v", name, on))
}

func (p *plugs) is(want ...string) func() bool {
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Sprint(p.told) == fmt.Sprint(want)
	}
}

// halt plays a machine that is shut down: the order is taken, no guest runs any
// more, and the agent goes.
func (l *testLab) halt(hypervisor string, a *testAgent) {
	l.t.Helper()
	order := a.expect(wire.KindShutdown)
	l.phase(hypervisor, model.PhaseStopping)
	a.send(wire.Frame{Kind: wire.KindResult, Order: order.Order})
	a.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{}})
	l.step(hypervisor, model.StepGuests, model.StepDone)
	a.client.Close()
}

// step waits until a step of a hypervisor's sequence is in a state.
func (l *testLab) step(hypervisor, kind string, want model.StepState) {
	l.t.Helper()
	var seq *model.Sequence
	eventually(l.t, fmt.Sprintf("step %s of %s is %s", kind, hypervisor, want), func() bool {
		seq = l.srv.observed.hypervisor(hypervisor).Sequence
		return seq != nil && slices.ContainsFunc(seq.Steps, func(s model.Step) bool { return s.Kind == kind && s.State == want })
	})
}

func TestPowerOnAndOff(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated = p.switched })
	box := sandbox("box")
	box.Outlets = []string{"plug"}
	l.commit(model.Add(model.Outlet{Name: "nas", Driver: model.DriverSimulated}),
		model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated, Requires: []string{"nas"}}), model.Add(box))
	key := l.join("box")
	l.phase("box", model.PhaseOff)
	power := func(wanted string) {
		l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.PowerWanted = wanted; return nil }))
	}
	power(model.PowerWantedOn)
	eventually(t, "both are on, in order", p.is("nas true", "plug true"))
	l.phase("box", model.PhaseStarting)
	a := l.agent(key, wire.Hello{})
	l.inSync(a)

	if err := l.admin().SwitchOutlet(t.Context(), "plug", false, false); err == nil || !strings.Contains(err.Error(), "box is up") {
		t.Errorf("off: %v", err)
	}
	if err := l.admin().SwitchOutlet(t.Context(), "nas", false, false); err == nil || !strings.Contains(err.Error(), "outlet plug requires it") {
		t.Errorf("nas off: %v", err)
	}
	power(model.PowerWantedOff)
	l.halt("box", a)
	eventually(t, "its own outlet is cut after the grace, and no other", p.is("nas true", "plug true", "plug false"))
	l.phase("box", model.PhaseOff)
	if st := l.srv.observed.hypervisor("box"); st.Power != model.PowerOff {
		t.Errorf("%+v", st)
	}
}

func TestASharedOutletIsCutWhenAllAreDown(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated = p.switched })
	for _, name := range []string{"one", "two"} {
		h := sandbox(name)
		h.Outlets = []string{"plug"}
		if name == "one" {
			l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}))
		}
		l.commit(model.Add(h))
	}
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err != nil {
		t.Fatal(err)
	}
	one, two := l.agent(l.join("one"), wire.Hello{}), l.agent(l.join("two"), wire.Hello{})
	one.expect(wire.KindWelcome)
	two.expect(wire.KindWelcome)
	off := func(name string, a *testAgent) {
		l.commit(model.Change(name, 0, func(h *model.Hypervisor) error { h.PowerWanted = model.PowerWantedOff; return nil }))
		l.halt(name, a)
	}
	off("one", one)
	eventually(t, "one is off, on an outlet that stays on", func() bool {
		st := l.srv.observed.hypervisor("one")
		return st.Phase == model.PhaseOff && st.Power == model.PowerOff && strings.Contains(st.Error, "two is up")
	})
	if !p.is("plug true")() {
		t.Errorf("told %v", p.told)
	}
	off("two", two)
	eventually(t, "both are down and it is cut", p.is("plug true", "plug false"))
}

func TestForceCutsAndIsNotUndone(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated = p.switched })
	box := sandbox("box")
	box.Outlets, box.PowerWanted = []string{"plug"}, model.PowerWantedOn
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}), model.Add(box))
	key := l.join("box")
	eventually(t, "it is on", p.is("plug true"))
	a := l.agent(key, wire.Hello{})
	a.expect(wire.KindWelcome)
	if err := l.admin().SwitchOutlet(t.Context(), "plug", false, true); err != nil {
		t.Fatal(err)
	}
	a.client.Close()
	l.phase("box", model.PhaseOff)
	if st := l.srv.observed.hypervisor("box"); !strings.Contains(st.Error, "by hand") || !p.is("plug true", "plug false")() {
		t.Errorf("%+v, told %v", st, p.told)
	}
}

func TestRemovedHypervisorsAreForgotten(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")), model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}))
	a := l.agent(l.join("box"), wire.Hello{})
	a.expect(wire.KindWelcome)
	l.commit(func(s *model.State) error {
		delete(s.Hypervisors, "box")
		delete(s.Agents, "box")
		delete(s.Outlets, "plug")
		return nil
	})
	a.over()
	eventually(t, "nothing is left of them", func() bool {
		st := l.admin().Status()
		return len(st.Hypervisors) == 0 && len(st.Outlets) == 0
	})
}
