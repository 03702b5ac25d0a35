package server

import (
	"fmt"
	"time"

	"homelab/model"
)

// What next is given, and how what it decided is shown.

// show publishes the decision.
func (r *reconciler) show(d desired, o seen, dec decision, now time.Time) {
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
		st.DesiredDigest, st.AppliedDigest, st.AppliedAt = d.digest, applied.Digest, applied.At
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
		name: r.name, digest: r.digest(), hold: h.Hold, power: h.PowerWanted, powerSince: r.powerSince, grace: haltGrace,
		incomplete: r.incomplete, preparing: r.preparing, settles: r.settles, sources: sources(state, h.Outlets),
	}
	if h.Platform == model.PlatformSandbox {
		d.grace = sandboxGrace
	}
	// What requires others is switched off before them.
	d.outlets = dependentsFirst(d.sources, h.Outlets)
	return d
}

// seen gathers what is known.
func (r *reconciler) seen(state *model.State) seen {
	_, joined := state.Agents[r.name]
	applied, _ := r.s.store.Applied(r.name)
	o := seen{
		joined: joined, online: r.conn != nil, met: r.met, applied: applied.Digest, verified: r.verified, last: r.last, shutdown: r.shutdown,
		since: r.s.observed.hypervisor(r.name).AgentSince, outlets: r.s.outlets.seen(state, r.name),
	}
	if run, ok := r.activeRun(); ok {
		o.run = &run
	}
	if o.run != nil && r.conn != nil {
		o.runHeld, o.quiet = r.holds(o.run.ID), r.conn.quietSince()
	}
	return o
}

func (r *reconciler) errorf(format string, args ...any) error {
	return fmt.Errorf(r.name+": "+format, args...)
}
