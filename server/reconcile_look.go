package server

import (
	"fmt"
	"strings"
	"time"

	"homelab/model"
	"homelab/server/decide"
)

// What decide.Next is given, and how what it decided is shown.

// show publishes the decision.
func (r *reconciler) show(state *model.State, d decide.Desired, o decide.Seen, dec decide.Decision, now time.Time) {
	applied, _ := r.s.store.Applied(r.name)
	power := decide.MachinePower(d, o)
	if dec.Phase == model.PhaseOff && power == model.PowerOn {
		power = model.PowerOff // it is down, on an outlet that stays on
	}
	r.s.observed.update(r.name, func(st *model.HypervisorStatus) {
		phase := dec.Phase
		if c := st.Configured; phase == model.PhaseInSync && c != nil && c.Done < c.Total {
			phase = model.PhaseConfiguring
		}
		if st.Phase != phase {
			st.Since = now.UTC()
		}
		st.Phase, st.Power, st.Error = phase, power, dec.Err
		st.Sequence, st.Differs = decide.Sequence(state.Hypervisors[r.name], d, o, r.record, now), ""
		if !o.Order.Ended.IsZero() {
			st.Differs = decide.Differs(d, o)
		}
		st.DesiredDigest, st.AppliedDigest, st.AppliedAt = d.Digest, applied.Digest, applied.At
		st.Drift = o.Drift
		st.RetryAt, st.Failures, st.LastRun, st.Run = dec.RetryAt.UTC(), 0, r.lastRun, r.run
		if dec.RetryAt.IsZero() {
			st.RetryAt = time.Time{}
		}
		if r.last.Digest == d.Digest {
			st.Failures = r.last.Failures
		}
		if !o.Joined {
			st.Agent = model.AgentNever
		} else if st.Agent == model.AgentNever {
			st.Agent, st.AgentSince = model.AgentOffline, now.UTC()
		}
	})
}

// desired gathers what is wanted.
func (r *reconciler) desired(state *model.State, h model.Hypervisor) decide.Desired {
	d := decide.Wanted(state, h)
	d.Digest, d.Incomplete, d.Preparing, d.Settles = r.digest(), r.incomplete, r.preparing, r.settles
	return d
}

// seen gathers what is known.
func (r *reconciler) seen(state *model.State) decide.Seen {
	_, joined := state.Agents[r.name]
	applied, _ := r.s.store.Applied(r.name)
	o := decide.Seen{
		Joined: joined, Online: r.conn != nil, Applied: applied.Digest, Verified: r.verified, Last: r.last, Shutdown: r.shutdown,
		Since: r.s.observed.hypervisor(r.name).AgentSince, Outlets: r.s.outlets.seen(state, r.name),
	}
	o.Drift, o.Mends = r.drifted(state, applied.Digest), r.mends
	o.Order, o.Resumed, o.Ping = r.record.Order, r.resumed, r.prober.seen()
	if o.Running = -1; r.lastConn != nil {
		o.Running = int(r.lastConn.running.Load())
	}
	if run, ok := r.activeRun(); ok {
		o.Run = &run
	}
	if o.Run != nil && r.conn != nil {
		o.RunHeld, o.Quiet = r.holds(o.Run.ID), r.conn.quietSince()
	}
	return o
}

// drifted is how guests differ from what is applied; nothing is known while a
// run is under way, or something else is applied than is desired.
func (r *reconciler) drifted(state *model.State, applied string) []model.Drift {
	_, running := r.activeRun()
	if r.conn == nil || r.conn.running.Load() < 0 || running || applied == "" || applied != r.digest() {
		r.drift = nil
		return nil
	}
	r.drift = state.Drifted(r.name, r.s.observed.hypervisor(r.name).Guests, r.conn.gone(), r.drift, time.Now())
	return r.drift
}

func (r *reconciler) errorf(format string, args ...any) error {
	return fmt.Errorf(r.name+": "+format, args...)
}

// keepOrder keeps how far the order about the machine's power has come, and
// how long its steps took.
func (r *reconciler) keepOrder(order model.PowerOrder) error {
	if order == r.record.Order {
		return nil
	}
	record := r.record
	decide.Learn(&record, order)
	record.Order = order
	if err := r.s.store.SetPower(r.name, record); err != nil {
		return err
	}
	r.record = record
	return nil
}

// keeps says why an outlet of a machine that was found to be down must stay on
// all the same.
func (r *reconciler) keeps(outlet string) string {
	if r.s.agents.get(r.name) != nil {
		return r.name + " is up"
	}
	return strings.Join(r.s.outlets.keepers(r.s.store.State(), outlet, r.name), ", ")
}
