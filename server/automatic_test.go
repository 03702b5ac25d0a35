package server

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"homelab/agent/wire"
	"homelab/model"
)

func TestAutomaticNext(t *testing.T) {
	h := func(policy, wanted string, change ...func(*model.Hypervisor)) model.Hypervisor {
		one := model.Hypervisor{Name: "box", PowerPolicy: policy, PowerWanted: wanted, PowerAt: ago(time.Hour)}
		for _, c := range change {
			c(&one)
		}
		return one
	}
	byHand := func(h *model.Hypervisor) { h.PowerByHand = true }
	held := func(h *model.Hypervisor) { h.Hold = true }
	wakes := func(h *model.Hypervisor) { h.Wake = true }
	idles := func(h *model.Hypervisor) { h.IdleMinutes = 10 }
	fired := func(on bool, since time.Duration) moment {
		return moment{ago(since), model.Schedule{On: on, Cron: "0 18 * * *"}}
	}
	const on, off = model.PowerWantedOn, model.PowerWantedOff
	cases := []struct {
		name string
		p    policied
		want string
		wake time.Time
	}{
		{"manual", policied{h: h("", off), needed: true}, "", time.Time{}},
		{"profile: needed", policied{h: h("profile", off), needed: true, power: model.PowerOff}, on, time.Time{}},
		{"profile: needed and on", policied{h: h("profile", on), needed: true, power: model.PowerOn}, "", time.Time{}},
		{"profile: not needed", policied{h: h("profile", on), power: model.PowerOn}, off, time.Time{}},
		{"profile: off by hand", policied{h: h("profile", off, byHand), needed: true, power: model.PowerOff}, "", time.Time{}},
		{"profile: held", policied{h: h("profile", off, held), needed: true, power: model.PowerOff}, "", time.Time{}},
		{"profile: not what is essential", policied{h: h("profile", on), power: model.PowerOn, essential: true}, "", time.Time{}},
		{"profile: on its way", policied{h: h("profile", on), needed: true, power: model.PowerOff, pending: true}, "", time.Time{}},
		{"schedule: on", policied{h: h("schedule", off), fired: fired(true, time.Second), power: model.PowerOff}, on, time.Time{}},
		{"schedule: off over what was done by hand", policied{h: h("schedule", on, byHand), fired: fired(false, time.Second), power: model.PowerOn}, off, time.Time{}},
		{"schedule: not one before it was done by hand", policied{h: h("schedule", on, byHand), fired: fired(false, 2*time.Hour), power: model.PowerOn}, "", time.Time{}},
		{"schedule: not when held", policied{h: h("schedule", on, held), fired: fired(false, time.Second), power: model.PowerOn}, "", time.Time{}},
		{"schedule: it takes over what somebody did", policied{h: h("schedule", on, byHand), fired: fired(true, time.Second), power: model.PowerOn}, on, time.Time{}},
		{"idle: not yet", policied{h: h("", on, idles), idleSince: ago(9 * time.Minute), power: model.PowerOn}, "", noon.Add(time.Minute)},
		{"idle: off", policied{h: h("", on, idles), idleSince: ago(10 * time.Minute), power: model.PowerOn}, off, time.Time{}},
		{"idle: it was switched on since", policied{h: h("", on, idles, func(h *model.Hypervisor) { h.PowerAt = ago(time.Minute) }), idleSince: ago(time.Hour), power: model.PowerOn}, "", noon.Add(9 * time.Minute)},
		{"idle: by hand", policied{h: h("", on, idles, byHand), idleSince: ago(time.Hour), power: model.PowerOn}, "", time.Time{}},
		{"idle: busy", policied{h: h("", on, idles), power: model.PowerOn}, "", time.Time{}},
		{"wake: a VM was started", policied{h: h("", off, wakes), started: "web", power: model.PowerOff}, on, time.Time{}},
		{"wake: by the newest thing that somebody did", policied{h: h("", off, wakes, byHand), started: "web", power: model.PowerOff}, on, time.Time{}},
		{"wake: only where it is asked for", policied{h: h("", off), started: "web", power: model.PowerOff}, "", time.Time{}},
		{"wake: it is on", policied{h: h("", on, wakes), started: "web", power: model.PowerOn}, "", time.Time{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := automaticNext(c.p, noon)
			if got.want != c.want || got.wake != c.wake || (got.want != "") != (got.why != "") {
				t.Errorf("got %+v, want %q and %s", got, c.want, c.wake)
			}
		})
	}
}

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

func TestSchedules(t *testing.T) {
	amsterdam, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		one, err := time.ParseInLocation("2006-01-02 15:04", text, amsterdam)
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	both := []string{"on 0 18 * * mon-fri Europe/Amsterdam", "off 30 23 * * *"}
	for _, c := range []struct{ name, from, now, last, next string }{
		{"nothing", "2026-07-06 17:00", "2026-07-06 17:59", "", "2026-07-06 18:00"},
		{"on", "2026-07-06 17:00", "2026-07-06 18:00", "on 2026-07-06 18:00", "2026-07-06 23:30"},
		{"the last of two", "2026-07-06 17:00", "2026-07-06 23:59", "off 2026-07-06 23:30", "2026-07-07 18:00"},
		{"no workday", "2026-07-11 01:00", "2026-07-11 20:00", "", "2026-07-11 23:30"},
		{"in winter too", "2026-12-07 17:59", "2026-12-07 18:00", "on 2026-12-07 18:00", "2026-12-07 23:30"},
	} {
		last, next := lastFired(both, amsterdam, at(c.from), at(c.now))
		got := ""
		if !last.at.IsZero() {
			got = map[bool]string{true: "on ", false: "off "}[last.schedule.On] + last.at.In(amsterdam).Format("2006-01-02 15:04")
		}
		if got != c.last || !next.Equal(at(c.next)) {
			t.Errorf("%s: %q and %s, want %q and %s", c.name, got, next, c.last, c.next)
		}
	}
	// What the model accepts can be carried out, and what it refuses says why.
	for _, text := range []string{"* * * * *", "*/5 0-23/2 1,15 jan-mar sun", "59 23 31 12 6", "0 0 1 1 0"} {
		if _, err := model.ParseSchedule("on " + text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := cron.ParseStandard(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, part := range map[string]string{
		"on 60 * * * *": "minute", "on * 24 * * *": "hour", "on * * 0 * *": "day of month", "on * * * 13 *": "month", "on * * * * 7": "day of week",
		"at * * * * *": "on or off", "on * * * *": "five fields", "on 5-1 * * * *": "minute", "on */0 * * * *": "minute", "on * * * * * Mars/Olympus": "time zone", "on , * * * *": "minute",
	} {
		if _, err := model.ParseSchedule(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
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
