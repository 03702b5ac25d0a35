package decide

import (
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

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
	fired := func(on bool, since time.Duration) Moment {
		return Moment{ago(since), model.Schedule{On: on, Cron: "0 18 * * *"}}
	}
	const on, off = model.PowerWantedOn, model.PowerWantedOff
	cases := []struct {
		name string
		p    Policies
		want string
		wake time.Time
	}{
		{"manual", Policies{Hypervisor: h("", off), Needed: true}, "", time.Time{}},
		{"profile: needed", Policies{Hypervisor: h("profile", off), Needed: true, Power: model.PowerOff}, on, time.Time{}},
		{"profile: needed and on", Policies{Hypervisor: h("profile", on), Needed: true, Power: model.PowerOn}, "", time.Time{}},
		{"profile: not needed", Policies{Hypervisor: h("profile", on), Power: model.PowerOn}, off, time.Time{}},
		{"profile: off by hand", Policies{Hypervisor: h("profile", off, byHand), Needed: true, Power: model.PowerOff}, "", time.Time{}},
		{"profile: held", Policies{Hypervisor: h("profile", off, held), Needed: true, Power: model.PowerOff}, "", time.Time{}},
		{"profile: not what is essential", Policies{Hypervisor: h("profile", on), Power: model.PowerOn, Essential: true}, "", time.Time{}},
		{"profile: on its way", Policies{Hypervisor: h("profile", on), Needed: true, Power: model.PowerOff, Pending: true}, "", time.Time{}},
		{"schedule: on", Policies{Hypervisor: h("schedule", off), Fired: fired(true, time.Second), Power: model.PowerOff}, on, time.Time{}},
		{"schedule: off over what was done by hand", Policies{Hypervisor: h("schedule", on, byHand), Fired: fired(false, time.Second), Power: model.PowerOn}, off, time.Time{}},
		{"schedule: not one before it was done by hand", Policies{Hypervisor: h("schedule", on, byHand), Fired: fired(false, 2*time.Hour), Power: model.PowerOn}, "", time.Time{}},
		{"schedule: not when held", Policies{Hypervisor: h("schedule", on, held), Fired: fired(false, time.Second), Power: model.PowerOn}, "", time.Time{}},
		{"schedule: it takes over what somebody did", Policies{Hypervisor: h("schedule", on, byHand), Fired: fired(true, time.Second), Power: model.PowerOn}, on, time.Time{}},
		{"idle: not yet", Policies{Hypervisor: h("", on, idles), IdleSince: ago(9 * time.Minute), Power: model.PowerOn}, "", noon.Add(time.Minute)},
		{"idle: off", Policies{Hypervisor: h("", on, idles), IdleSince: ago(10 * time.Minute), Power: model.PowerOn}, off, time.Time{}},
		{"idle: it was switched on since", Policies{Hypervisor: h("", on, idles, func(h *model.Hypervisor) { h.PowerAt = ago(time.Minute) }), IdleSince: ago(time.Hour), Power: model.PowerOn}, "", noon.Add(9 * time.Minute)},
		{"idle: by hand", Policies{Hypervisor: h("", on, idles, byHand), IdleSince: ago(time.Hour), Power: model.PowerOn}, "", time.Time{}},
		{"idle: busy", Policies{Hypervisor: h("", on, idles), Power: model.PowerOn}, "", time.Time{}},
		{"wake: a VM was started", Policies{Hypervisor: h("", off, wakes), Started: "web", Power: model.PowerOff}, on, time.Time{}},
		{"wake: by the newest thing that somebody did", Policies{Hypervisor: h("", off, wakes, byHand), Started: "web", Power: model.PowerOff}, on, time.Time{}},
		{"wake: only where it is asked for", Policies{Hypervisor: h("", off), Started: "web", Power: model.PowerOff}, "", time.Time{}},
		{"wake: it is on", Policies{Hypervisor: h("", on, wakes), Started: "web", Power: model.PowerOn}, "", time.Time{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := ByPolicy(c.p, noon)
			if got.Want != c.want || got.Wake != c.wake || (got.Want != "") != (got.Why != "") {
				t.Errorf("got %+v, want %q and %s", got, c.want, c.wake)
			}
		})
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
		last, next := LastFired(both, amsterdam, at(c.from), at(c.now))
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
