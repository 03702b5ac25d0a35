package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// devicePlug is a plug that goes on while the server does not.
func devicePlug(t *testing.T) (*atomic.Bool, model.Edit) {
	var on atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want, ok := strings.CutPrefix(r.URL.Path, "/set/"); ok {
			on.Store(want == "on")
		}
		fmt.Fprint(w, map[bool]string{true: "it is ON", false: "it is OFF"}[on.Load()])
	}))
	t.Cleanup(s.Close)
	return &on, httpOutlet("plug", model.HTTPOutlet{OnURL: s.URL + "/set/on", OffURL: s.URL + "/set/off", StatusURL: s.URL, OnMatch: "ON", OffMatch: "OFF"})
}

func wantPower(wanted string) model.Edit {
	return model.Change("box", 0, func(h *model.Hypervisor) error { h.Want(wanted, true); return nil })
}

func (l *testLab) restart() {
	l.t.Helper()
	if err := l.stop(); err != nil {
		l.t.Fatal(err)
	}
	l.start()
}

func TestASequenceSurvivesTheServer(t *testing.T) {
	l := startLab(t)
	on, plug := devicePlug(t)
	box := sandbox("box")
	box.Outlets = []string{"plug"}
	l.commit(plug, model.Add(box))
	key := l.join("box")

	// On: it carries on where the server was stopped.
	l.commit(wantPower(model.PowerWantedOn))
	l.step("box", model.StepBoot, model.StepDoing)
	l.restart()
	l.step("box", model.StepBoot, model.StepDoing)
	a := l.agent(key, wire.Hello{})
	l.step("box", model.StepBoot, model.StepDone)

	// Off: the agent took the order and has not said that its guests are off.
	l.commit(wantPower(model.PowerWantedOff))
	a.send(wire.Frame{Kind: wire.KindResult, Order: a.expect(wire.KindShutdown).Order})
	a.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{Guests: []model.Guest{{Name: "web", State: model.GuestRunning}}}})
	eventually(t, "that it took the order is kept", func() bool {
		r, err := l.srv.store.Power("box")
		return err == nil && !r.Order.Told.IsZero()
	})
	l.restart()
	l.step("box", model.StepDown, model.StepDoing)
	eventually(t, "it waits and says for what", func() bool {
		return strings.Contains(l.srv.observed.hypervisor("box").Error, "before it said that all guests are off")
	})
	if !on.Load() {
		t.Fatal("it was cut under a running guest")
	}
	a = l.agent(key, wire.Hello{})
	l.halt("box", a)
	eventually(t, "then it is cut", func() bool { return !on.Load() })
	l.phase("box", model.PhaseOff)
}

func TestAfterAPowerFailureNothingIsRestoredUnasked(t *testing.T) {
	l := startLab(t)
	on, plug := devicePlug(t)
	box := sandbox("box")
	box.Outlets = []string{"plug"}
	l.commit(plug, model.Add(box))
	key := l.join("box")
	l.commit(wantPower(model.PowerWantedOn))
	eventually(t, "it is on", on.Load)
	l.agent(key, wire.Hello{})
	l.step("box", model.StepBoot, model.StepDone)

	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	on.Store(false)
	l.start()
	eventually(t, "it is shown", func() bool {
		return strings.Contains(l.srv.observed.hypervisor("box").Differs, "it is wanted on, and outlet plug is off")
	})
	if st := l.srv.observed.hypervisor("box"); on.Load() || st.Phase != model.PhaseOff || st.Power != model.PowerOff {
		t.Errorf("%+v", st)
	}
	l.commit(func(s *model.State) error { s.Settings.RestorePower = true; return nil })
	if on.Load() {
		t.Error("the setting is about the next start")
	}
	l.restart()
	eventually(t, "it is restored", on.Load)
	if h := l.srv.store.State().Hypervisors["box"]; h.PowerBy != model.Homelab || h.PowerWhy != "it was on before the server stopped" {
		t.Errorf("%+v", h)
	}
}

func TestAPowerCycleWaitsForTheAgentToComeAgain(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated, s.cyclePause = p.switched, 10*time.Millisecond })
	box := sandbox("box")
	box.Outlets = []string{"plug"}
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}), model.Add(box))
	key := l.join("box")
	l.commit(wantPower(model.PowerWantedOn))
	a := l.agent(key, wire.Hello{})
	l.step("box", model.StepBoot, model.StepDone)
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Cycle(); return nil }))
	eventually(t, "it is cut and given back", func() bool { return p.is("plug true", "plug false", "plug true")() })
	l.step("box", model.StepCut, model.StepDone)
	l.step("box", model.StepBoot, model.StepDoing)
	a.client.Close()
	l.agent(key, wire.Hello{})
	l.step("box", model.StepBoot, model.StepDone)
	if seq := l.srv.observed.hypervisor("box").Sequence; seq.Goal != "cycle" || seq.By != "tester" || seq.Error != "" {
		t.Errorf("%+v", seq)
	}
}

func TestTwoWhoOrderOppositeThingsGetOneOutcome(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	done := make(chan error, 2)
	for who, wanted := range map[string]string{"alice": model.PowerWantedOn, "bob": model.PowerWantedOff} {
		go func() {
			_, err := l.srv.store.Commit(who, "power", wantPower(wanted))
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	h := l.srv.store.State().Hypervisors["box"]
	if want := map[string]string{"alice": model.PowerWantedOn, "bob": model.PowerWantedOff}[h.PowerBy]; h.PowerWanted != want || h.PowerAt.IsZero() {
		t.Errorf("%+v", h)
	}
	eventually(t, "both see whose", func() bool {
		seq := l.srv.observed.hypervisor("box").Sequence
		return seq != nil && seq.By == h.PowerBy && seq.Goal == h.PowerWanted
	})
}

func TestFiftyOutletsArePolledThoughTenAreDead(t *testing.T) {
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer dead.Close()
	defer close(release)
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ON") }))
	defer live.Close()
	l := startLab(t)
	var edits []model.Edit
	for i := range 50 {
		url := live.URL
		if i%5 == 0 {
			url = dead.URL
		}
		edits = append(edits, httpOutlet(fmt.Sprintf("plug%d", i), model.HTTPOutlet{OnURL: url + "/on", OffURL: url + "/off", StatusURL: url, OnMatch: "ON", OffMatch: "OFF"}))
	}
	start := time.Now()
	l.commit(edits...)
	count := func() (on, unknown int) {
		for i := range 50 {
			switch l.srv.observed.outlet(fmt.Sprintf("plug%d", i)).State {
			case model.PowerOn:
				on++
			case model.PowerUnknown:
				unknown++
			}
		}
		return on, unknown
	}
	eventually(t, "the live ones are known", func() bool { on, _ := count(); return on == 40 })
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, unknown := count(); unknown != 10 {
		t.Errorf("%d are unknown", unknown)
	}
	if err := l.admin().SwitchOutlet(t.Context(), "plug1", true, false); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("with an order it took %s", took)
	}
}

func TestInrushKeepsMachinesApart(t *testing.T) {
	var p plugs
	l := startLab(t, func(s *Server) { s.opts.Simulated = p.switched })
	var edits []model.Edit
	for _, name := range []string{"a", "b"} {
		edits = append(edits, model.Add(model.Outlet{Name: name, Driver: model.DriverSimulated, DelaySeconds: 1}))
	}
	l.commit(edits...)
	eventually(t, "both are known", func() bool { return l.srv.outlets.get("a") != nil && l.srv.outlets.get("b") != nil })
	start := time.Now()
	done := make(chan error, 2)
	for _, name := range []string{"a", "b"} {
		go func() { done <- l.admin().SwitchOutlet(t.Context(), name, true, false) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(start); took < time.Second || took > 5*time.Second {
		t.Errorf("both were on after %s", took)
	}
}
