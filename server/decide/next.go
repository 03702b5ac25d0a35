// Package decide holds the decisions of reconciling: what is to be done next for
// a hypervisor, how far the order about its power has come, and what its
// policies order. Its functions are pure: they are given what is wanted, what is
// known and the time, and neither wait for anything nor do anything.
package decide

import (
	"fmt"
	"time"

	"homelab/model"
)

// lostAfter is how long an agent that does not know the run under way may be
// silent about it, before the run counts as lost: what it had to say is sent
// when it connects.
const lostAfter = 5 * time.Second

// retryPauses grow with the runs that failed in a row; the last one stays.
var retryPauses = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}

func retryPause(failures int) time.Duration {
	return retryPauses[min(max(failures, 1), len(retryPauses))-1]
}

// Act is what to do now.
type Act int

const (
	actWait     Act = iota
	ActOn           // switch the outlet on
	ActOff          // switch the outlet off
	ActCycle        // have the outlet take the power away and give it back
	ActShutdown     // order the agent to shut the machine down
	ActRun          // start a run that applies
	ActLost         // end the run under way: the agent does not have it
)

// Decision is what Next decided: what to do, what to show, and when to decide
// again at the latest.
type Decision struct {
	Act     Act
	Outlet  string
	Phase   model.Phase
	Err     string
	RetryAt time.Time
	Wake    time.Time
	Probe   string // address to ping until then; may be empty
}

// merge takes over what another decision, that waits too, says.
func (d *Decision) merge(other Decision) {
	if d.Err == "" {
		d.Err = other.Err
	}
	d.sooner(other.Wake)
}

// sooner has it decided again at that time at the latest.
func (d *Decision) sooner(at time.Time) {
	if d.Wake.IsZero() || !at.IsZero() && at.Before(d.Wake) {
		d.Wake = at
	}
}

// Next decides what is to be done for a hypervisor. It is a pure function.
func Next(d Desired, o Seen, now time.Time) Decision {
	if o.Run != nil && o.Online && !o.RunHeld {
		at := o.Quiet.Add(lostAfter)
		if !now.Before(at) {
			return Decision{Act: ActLost, Phase: model.PhasePending}
		}
		return Decision{Phase: phaseOf(o.Run.State), Wake: at}
	}
	if d.hold {
		return Decision{Phase: model.PhaseHeld}
	}
	if dec, done := nextPower(d, o, now); done {
		return dec
	}
	if !o.Online {
		return Decision{Phase: away(d, o)}
	}
	return nextRun(d, o, now)
}

// away is the phase of a hypervisor that nobody works on and whose agent is
// not there.
func away(d Desired, o Seen) model.Phase {
	switch {
	case !o.Joined:
		return model.PhaseNew
	case MachinePower(d, o) == model.PowerOff:
		return model.PhaseOff
	}
	return model.PhaseOffline
}

// nextRun decides about the config of a hypervisor whose agent is there.
func nextRun(d Desired, o Seen, now time.Time) Decision {
	if o.Run != nil {
		return Decision{Phase: phaseOf(o.Run.State)}
	}
	if now.Before(d.Settles) {
		return Decision{Phase: model.PhasePending, Wake: d.Settles}
	}
	if d.Preparing {
		return Decision{Phase: model.PhasePending}
	}
	if d.Incomplete != "" {
		return Decision{Phase: model.PhaseIncomplete, Err: d.Incomplete}
	}
	if d.Digest == o.Applied && d.Digest == o.Verified {
		return nextDrift(d, o, now)
	}
	if o.Last.Digest == d.Digest {
		if o.Last.Cancelled {
			return Decision{Phase: model.PhasePending, Err: fmt.Sprintf("run %d was cancelled: `apply %s` starts another", o.Last.Run, d.name)}
		}
		if at := o.Last.Ended.Add(retryPause(o.Last.Failures)); o.Last.Failures > 0 && now.Before(at) {
			return Decision{Phase: model.PhaseRetrying, Err: o.Last.Err, RetryAt: at, Wake: at}
		}
	}
	return Decision{Act: ActRun, Phase: model.PhasePending}
}

// driftSettles is how long a drift may last before it is mended: what a guest
// is in passing is none.
const driftSettles = 2 * time.Second

// mendsEnd is how long after a mend the next drift is another matter: guests
// that go down again and again are started less and less often.
const mendsEnd = 15 * time.Minute

// nextDrift decides about a hypervisor whose config is applied.
func nextDrift(d Desired, o Seen, now time.Time) Decision {
	if len(o.Drift) == 0 {
		return Decision{Phase: model.PhaseInSync}
	}
	dec := Decision{Phase: model.PhaseDrifted, Err: DriftText(o.Drift)}
	var since time.Time
	for _, one := range o.Drift {
		if one.Mends() && (since.IsZero() || one.At.Before(since)) {
			since = one.At
		}
	}
	if since.IsZero() {
		dec.Err = driftWords(o.Drift, model.Drift.Advice)
		return dec
	}
	if d.review {
		dec.Err += fmt.Sprintf(": `apply %s` mends it", d.name)
		return dec
	}
	at := since.Add(driftSettles)
	if o.Mends.count > 0 && now.Sub(o.Mends.at) < mendsEnd {
		if again := o.Mends.at.Add(retryPause(o.Mends.count)); again.After(at) {
			at, dec.RetryAt = again, again
		}
	}
	if now.Before(at) {
		dec.Wake = at
		return dec
	}
	return Decision{Act: ActRun, Phase: model.PhasePending}
}

func DriftText(drift []model.Drift) string { return driftWords(drift, model.Drift.String) }

func driftWords(drift []model.Drift, words func(model.Drift) string) string {
	text := words(drift[0])
	if n := len(drift); n > 1 {
		text += fmt.Sprintf(", and %d more", n-1)
	}
	return text
}

// phaseOf is what a hypervisor does while a run is in a state.
func phaseOf(s model.RunState) model.Phase {
	switch s {
	case model.RunPlanning:
		return model.PhasePlanning
	case model.RunWaiting:
		return model.PhaseWaiting
	case model.RunApplying:
		return model.PhaseApplying
	}
	return model.PhasePending
}
