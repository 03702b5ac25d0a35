package model

import (
	"strings"
	"testing"
	"time"
)

func TestGoing(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		left time.Duration
		want string
	}{
		{41 * time.Second, "asked to shut down, forced off in 41 s"},
		{40*time.Second + 1, "asked to shut down, forced off in 41 s"},
		{99 * time.Second, "asked to shut down, forced off in 99 s"},
		{245 * time.Second, "asked to shut down, forced off in 4 min 05 s"},
		{0, "asked to shut down, forced off now"},
		{-time.Minute, "asked to shut down, forced off now"}, // the clocks differ
	} {
		if got := (Guest{OffBy: now.Add(c.left)}).Going(now); got != c.want {
			t.Errorf("%s: %q, want %q", c.left, got, c.want)
		}
	}
	if got := (Guest{State: GuestRunning}).Going(now); got != "" {
		t.Errorf("a guest that was not asked: %q", got)
	}
}

func TestCanCut(t *testing.T) {
	st := func(agent AgentState, s GuestState) HypervisorStatus {
		return HypervisorStatus{Agent: agent, Guests: []Guest{{ID: "1", State: s}}}
	}
	for _, c := range []struct {
		name string
		vm   VM
		st   HypervisorStatus
		want string // in the error; "" is none
	}{
		{"running", VM{ID: "1"}, st(AgentOnline, GuestRunning), ""},
		{"on its way down", VM{ID: "1"}, st(AgentOnline, GuestStopping), ""},
		{"paused", VM{ID: "1"}, st(AgentOnline, GuestPaused), ""},
		{"wanted on", VM{ID: "1", Running: true}, st(AgentOnline, GuestRunning), "would be started again"},
		{"off", VM{ID: "1"}, st(AgentOnline, GuestStopped), "off already"},
		{"crashed", VM{ID: "1"}, st(AgentOnline, GuestCrashed), "off already"},
		{"agent away", VM{ID: "1"}, st(AgentOffline, GuestUnknown), "not connected"},
		{"no guest", VM{ID: "2"}, st(AgentOnline, GuestRunning), "has no guest"},
	} {
		err := CanCut(c.vm, c.st)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
