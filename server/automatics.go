package server

import (
	"context"
	"slices"
	"time"

	"homelab/model"
	"homelab/server/decide"
)

// automatics gives the orders about power that nobody gives by hand: those of
// policies and schedules, and, if the settings want it, what was on when the
// server stopped. Each becomes a revision by homelab that says why.
type automatics struct {
	s       *Server
	state   *model.State         // that was looked at last
	looked  time.Time            // when
	idle    map[string]time.Time // since when no guest runs
	restore map[string]bool      // machines that may have lost their power while the server was away
}

func newAutomatics(s *Server) *automatics {
	return &automatics{s: s, idle: map[string]time.Time{}, restore: map[string]bool{}}
}

// mostAutomaticPause is how long it waits at most, lest a clock that was set
// delay a schedule.
const mostAutomaticPause = 30 * time.Second

// Run decides whenever something has changed until ctx ends.
func (a *automatics) Run(ctx context.Context) {
	w := a.s.store.Hub().Watch()
	defer w.Close()
	state := a.s.store.State()
	for name := range state.Hypervisors {
		a.restore[name] = state.Settings.RestorePower
	}
	a.state, a.looked = state, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.C():
			w.Take()
		case <-timer.C:
		}
		now := time.Now()
		next := now.Add(mostAutomaticPause)
		if wake := a.look(now); !wake.IsZero() && wake.Before(next) {
			next = wake
		}
		timer.Reset(max(time.Until(next), 10*time.Millisecond))
	}
}

// look decides for each hypervisor, and returns when to look again.
func (a *automatics) look(now time.Time) time.Time {
	state := a.s.store.State()
	var wake time.Time
	sooner := func(at time.Time) {
		if wake.IsZero() || !at.IsZero() && at.Before(wake) {
			wake = at
		}
	}
	for _, name := range model.Names(state.Hypervisors) {
		h, st := state.Hypervisors[name], a.s.observed.hypervisor(name)
		if a.restored(h, st) {
			continue
		}
		p := decide.Policies{
			Hypervisor: h, Profile: state.ActiveProfile(), Needed: h.PowerPolicy == model.PowerProfile && state.Needed(name), Started: decide.Started(a.state, state, name),
			IdleSince: a.idleSince(name, st, now), Power: st.Power, Pending: st.Sequence != nil && st.Sequence.Ended.IsZero(),
			Essential: slices.ContainsFunc(h.Outlets, func(o string) bool { return state.Outlets[o].Essential }),
		}
		if h.PowerPolicy == model.PowerSchedule {
			var next time.Time
			p.Fired, next = decide.LastFired(h.Schedules, home(state), a.looked, now)
			sooner(next)
		}
		dec := decide.ByPolicy(p, now)
		sooner(dec.Wake)
		if dec.Want != "" {
			a.order(name, dec.Want, dec.Why)
		}
	}
	a.state, a.looked = state, now
	return wake
}

// home is the time zone of schedules that name none.
func home(state *model.State) *time.Location {
	if zone, err := time.LoadLocation(state.Settings.Timezone); err == nil && state.Settings.Timezone != "" {
		return zone
	}
	return time.Local
}

// inUse tells whether a machine runs guests, or does not say yet, is being
// changed, or has somebody logged in on it.
func inUse(running int64, st model.HypervisorStatus) bool {
	return running != 0 || st.Run != 0 || st.Logins() > 0
}

// idleSince notes since when a machine is up and not in use, as far as its
// agent tells.
func (a *automatics) idleSince(name string, st model.HypervisorStatus, now time.Time) time.Time {
	conn := a.s.agents.get(name)
	switch {
	case conn == nil || inUse(conn.running.Load(), st):
		delete(a.idle, name)
	case a.idle[name].IsZero():
		a.idle[name] = now
	}
	return a.idle[name]
}

// restored gives a machine that was on the power back that it lost while the
// server was away. It decides once, when the machine's state is known.
func (a *automatics) restored(h model.Hypervisor, st model.HypervisorStatus) bool {
	if !a.restore[h.Name] || st.Sequence == nil || st.Power == model.PowerUnknown {
		return false
	}
	delete(a.restore, h.Name)
	if h.Hold || h.PowerWanted != model.PowerWantedOn || st.Power != model.PowerOff || st.Sequence.Ended.IsZero() || st.Sequence.Ended.After(a.s.observed.start) {
		return false
	}
	a.order(h.Name, model.PowerWantedOn, "it was on before the server stopped")
	return true
}

// order commits an order; the reconciler carries it out.
func (a *automatics) order(name, want, why string) {
	_, err := a.s.store.Commit(model.Homelab, "power "+want+" "+name+": "+why, model.Change(name, 0, func(h *model.Hypervisor) error {
		h.Want(want, true)
		h.PowerWhy, h.PowerByHand = why, false
		return nil
	}))
	if err != nil {
		a.s.log.Error("an automatic order about power", "hypervisor", name, "want", want, "why", why, "error", err)
	}
}
