package server

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

// desired is what is wanted of one hypervisor.
type desired struct {
	name       string
	hold       bool
	power      string    // model.PowerWantedOn, …
	powerSince time.Time // when that was ordered: which order it is
	cycle      bool      // its power is to be cut first
	grace      time.Duration
	guestGrace time.Duration   // that its guests get
	address    string          // to ping; may be empty
	outlets    []string        // that feed it, those that require others of them first
	review     bool            // by its policy nothing is mended without being asked for
	sources    []string        // those and all that they require, what is required first
	feeds      map[string]feed // what kind of source each of them is
	digest     string          // of the config, if it can be rendered
	incomplete string          // why it cannot
	preparing  bool            // what it needs is being made
	// settles is when the newest edits that changed the config are old enough
	// to be acted upon.
	settles time.Time
}

// seen is what is known of it.
type seen struct {
	joined   bool
	online   bool
	since    time.Time // since when it is online or not
	applied  string    // digest that was carried out last
	verified string    // digest that the last run found or made true since the agent connected
	run      *model.Run
	runHeld  bool      // the agent has that run, or was just sent it
	quiet    time.Time // since when the agent records nothing
	last     attempt
	drift    []model.Drift // how guests differ from what was applied
	mends    mends
	shutdown shutdown
	outlets  map[string]outletSeen
	order    model.PowerOrder // how far the order about its power has come
	resumed  bool             // which this server found under way when it started
	running  int              // guests that were not off when its agent last said so; -1: it has not since it connected
	ping     pingSeen
}

// feed is what a source is to a machine.
type feed struct {
	requires   []string // that must be on before
	onOnly     bool     // it wakes, and can neither be switched off nor asked
	controller bool     // it is the machine's own: it tells whether that is on
	idleWatts  float64
}

// pingSeen is what pinging a machine told.
type pingSeen struct {
	at       time.Time // of the last one; zero if none worked
	answers  bool
	answered time.Time // when it last answered
}

// mends are the runs that drift made start, those that followed one another.
type mends struct {
	count int
	at    time.Time // of the last one
}

// attempt is how the last runs of one config ended.
type attempt struct {
	digest    string
	run       uint64
	failures  int // in a row
	ended     time.Time
	err       string
	cancelled bool
}

// shutdown is the last order to shut the machine down.
type shutdown struct {
	ordered time.Time // zero: none since it is wanted and the agent is there
	taken   time.Time // when the agent said that it does it
	err     string
}

// outletSeen is what is known of one outlet.
type outletSeen struct {
	model.OutletStatus
	ordered  bool      // an order is on its way
	switched time.Time // when the last order was carried out
	cycled   time.Time // when it last took the power away and gave it back
	failed   time.Time // when the last order failed; zero if it did not
	failing  time.Time // when the first of those in a row did
	byHand   time.Time // when a person switched it last, and which way
	handOn   bool
	shared   bool   // it feeds others too
	blocked  string // why it must not be switched off
}

// act is what to do now.
type act int

const (
	actWait     act = iota
	actOn           // switch the outlet on
	actOff          // switch the outlet off
	actCycle        // have the outlet take the power away and give it back
	actShutdown     // order the agent to shut the machine down
	actRun          // start a run that applies
	actLost         // end the run under way: the agent does not have it
)

// decision is what next decided: what to do, what to show, and when to decide
// again at the latest.
type decision struct {
	act     act
	outlet  string
	phase   model.Phase
	err     string
	retryAt time.Time
	wake    time.Time
	probe   string // address to ping until then; may be empty
}

// merge takes over what another decision, that waits too, says.
func (d *decision) merge(other decision) {
	if d.err == "" {
		d.err = other.err
	}
	d.sooner(other.wake)
}

// sooner has it decided again at that time at the latest.
func (d *decision) sooner(at time.Time) {
	if d.wake.IsZero() || !at.IsZero() && at.Before(d.wake) {
		d.wake = at
	}
}

// next decides what is to be done for a hypervisor. It is a pure function.
func next(d desired, o seen, now time.Time) decision {
	if o.run != nil && o.online && !o.runHeld {
		at := o.quiet.Add(lostAfter)
		if !now.Before(at) {
			return decision{act: actLost, phase: model.PhasePending}
		}
		return decision{phase: phaseOf(o.run.State), wake: at}
	}
	if d.hold {
		return decision{phase: model.PhaseHeld}
	}
	if dec, done := nextPower(d, o, now); done {
		return dec
	}
	if !o.online {
		return decision{phase: away(d, o)}
	}
	return nextRun(d, o, now)
}

// away is the phase of a hypervisor that nobody works on and whose agent is
// not there.
func away(d desired, o seen) model.Phase {
	switch {
	case !o.joined:
		return model.PhaseNew
	case machinePower(d, o) == model.PowerOff:
		return model.PhaseOff
	}
	return model.PhaseOffline
}

// nextRun decides about the config of a hypervisor whose agent is there.
func nextRun(d desired, o seen, now time.Time) decision {
	if o.run != nil {
		return decision{phase: phaseOf(o.run.State)}
	}
	if now.Before(d.settles) {
		return decision{phase: model.PhasePending, wake: d.settles}
	}
	if d.preparing {
		return decision{phase: model.PhasePending}
	}
	if d.incomplete != "" {
		return decision{phase: model.PhaseIncomplete, err: d.incomplete}
	}
	if d.digest == o.applied && d.digest == o.verified {
		return nextDrift(d, o, now)
	}
	if o.last.digest == d.digest {
		if o.last.cancelled {
			return decision{phase: model.PhasePending, err: fmt.Sprintf("run %d was cancelled: `apply %s` starts another", o.last.run, d.name)}
		}
		if at := o.last.ended.Add(retryPause(o.last.failures)); o.last.failures > 0 && now.Before(at) {
			return decision{phase: model.PhaseRetrying, err: o.last.err, retryAt: at, wake: at}
		}
	}
	return decision{act: actRun, phase: model.PhasePending}
}

// driftSettles is how long a drift may last before it is mended: what a guest
// is in passing is none.
const driftSettles = 2 * time.Second

// mendsEnd is how long after a mend the next drift is another matter: guests
// that go down again and again are started less and less often.
const mendsEnd = 15 * time.Minute

// nextDrift decides about a hypervisor whose config is applied.
func nextDrift(d desired, o seen, now time.Time) decision {
	if len(o.drift) == 0 {
		return decision{phase: model.PhaseInSync}
	}
	dec := decision{phase: model.PhaseDrifted, err: driftText(o.drift)}
	var since time.Time
	for _, one := range o.drift {
		if one.Mends() && (since.IsZero() || one.At.Before(since)) {
			since = one.At
		}
	}
	if since.IsZero() {
		dec.err = driftWords(o.drift, model.Drift.Advice)
		return dec
	}
	if d.review {
		dec.err += fmt.Sprintf(": `apply %s` mends it", d.name)
		return dec
	}
	at := since.Add(driftSettles)
	if o.mends.count > 0 && now.Sub(o.mends.at) < mendsEnd {
		if again := o.mends.at.Add(retryPause(o.mends.count)); again.After(at) {
			at, dec.retryAt = again, again
		}
	}
	if now.Before(at) {
		dec.wake = at
		return dec
	}
	return decision{act: actRun, phase: model.PhasePending}
}

func driftText(drift []model.Drift) string { return driftWords(drift, model.Drift.String) }

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
