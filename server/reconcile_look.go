package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"homelab/model"
)

// What next is given, and how what it decided is shown.

// show publishes the decision.
func (r *reconciler) show(state *model.State, d desired, o seen, dec decision, now time.Time) {
	applied, _ := r.s.store.Applied(r.name)
	power := machinePower(d, o)
	if dec.phase == model.PhaseOff && power == model.PowerOn {
		power = model.PowerOff // it is down, on an outlet that stays on
	}
	r.s.observed.update(r.name, func(st *model.HypervisorStatus) {
		phase := dec.phase
		if c := st.Configured; phase == model.PhaseInSync && c != nil && c.Done < c.Total {
			phase = model.PhaseConfiguring
		}
		if st.Phase != phase {
			st.Since = now.UTC()
		}
		st.Phase, st.Power, st.Error = phase, power, dec.err
		st.Sequence, st.Differs = sequence(state.Hypervisors[r.name], d, o, r.record, now), ""
		if !o.order.Ended.IsZero() {
			st.Differs = differs(d, o)
		}
		st.DesiredDigest, st.AppliedDigest, st.AppliedAt = d.digest, applied.Digest, applied.At
		st.Drift = o.drift
		st.RetryAt, st.Failures, st.LastRun, st.Run = dec.retryAt.UTC(), 0, r.lastRun, r.run
		if dec.retryAt.IsZero() {
			st.RetryAt = time.Time{}
		}
		if r.last.digest == d.digest {
			st.Failures = r.last.failures
		}
		if !o.joined {
			st.Agent = model.AgentNever
		} else if st.Agent == model.AgentNever {
			st.Agent, st.AgentSince = model.AgentOffline, now.UTC()
		}
	})
}

// desired gathers what is wanted.
func (r *reconciler) desired(state *model.State, h model.Hypervisor) desired {
	d := desired{
		name: r.name, digest: r.digest(), hold: h.Hold, power: h.PowerWanted, powerSince: h.PowerAt, cycle: h.PowerCycle, address: h.Address,
		grace: powerGrace(state), guestGrace: guestGrace(state),
		review:     h.Policy == model.PolicyReview,
		incomplete: r.incomplete, preparing: r.preparing, settles: r.settles, sources: sources(state, h.Outlets),
	}
	if h.Platform == model.PlatformSandbox {
		d.grace = sandboxGrace
	}
	// What requires others is switched off before them.
	d.outlets = dependentsFirst(d.sources, h.Outlets)
	d.feeds = feedsOf(state, h.Outlets, d.sources)
	return d
}

// seen gathers what is known.
func (r *reconciler) seen(state *model.State) seen {
	_, joined := state.Agents[r.name]
	applied, _ := r.s.store.Applied(r.name)
	o := seen{
		joined: joined, online: r.conn != nil, applied: applied.Digest, verified: r.verified, last: r.last, shutdown: r.shutdown,
		since: r.s.observed.hypervisor(r.name).AgentSince, outlets: r.s.outlets.seen(state, r.name),
	}
	o.drift, o.mends = r.drifted(state, applied.Digest), r.mends
	o.order, o.resumed, o.ping = r.record.Order, r.resumed, r.prober.seen()
	if o.running = -1; r.lastConn != nil {
		o.running = int(r.lastConn.running.Load())
	}
	if run, ok := r.activeRun(); ok {
		o.run = &run
	}
	if o.run != nil && r.conn != nil {
		o.runHeld, o.quiet = r.holds(o.run.ID), r.conn.quietSince()
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
	learn(&record, order)
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

func guestGrace(state *model.State) time.Duration {
	return time.Duration(cmp.Or(state.Settings.GuestGraceSeconds, model.DefaultGuestGrace)) * time.Second
}

func powerGrace(state *model.State) time.Duration {
	if n := state.Settings.PowerGraceSeconds; n > 0 {
		return time.Duration(n) * time.Second
	}
	return haltGrace
}
