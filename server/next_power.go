package server

import (
	"fmt"
	"time"

	"homelab/model"
)

const (
	// bootTime is how long a machine may take from power to agent.
	bootTime = 5 * time.Minute
	// haltTime is how long one may take from the order to shut down until its
	// agent is gone.
	haltTime = 10 * time.Minute
	// haltGrace is how long a machine may take to be off after its agent is
	// gone.
	haltGrace = 30 * time.Second
	// sandboxGrace is the same for one that is only played.
	sandboxGrace = time.Second
	// againTime is the pause before an order that failed is given again.
	againTime = 30 * time.Second
)

// nextPower decides about the power of a hypervisor; false is that nothing of
// it keeps from looking at the config.
func nextPower(d desired, o seen, now time.Time) (decision, bool) {
	switch {
	case d.power == model.PowerWantedOn && !o.online:
		return nextOn(d, o, now), true
	case d.power == model.PowerWantedOff && o.online:
		return nextShutdown(d, o, now), true
	case d.power == model.PowerWantedOff:
		return nextOff(d, o, now), true
	}
	return decision{}, false
}

// nextOn switches the outlets on, what they require first, and awaits the
// agent.
func nextOn(d desired, o seen, now time.Time) decision {
	powered := d.powerSince
	for _, name := range d.sources {
		out := o.outlets[name]
		if out.State == model.PowerOn {
			if out.Since.After(powered) {
				powered = out.Since
			}
			continue
		}
		if !out.handOn && out.byHand.After(d.powerSince) {
			return decision{phase: away(d, o), err: fmt.Sprintf("outlet %s was switched off by hand: `outlet on %s` or `power on %s`", name, name, d.name)}
		}
		return order(actOn, name, out, model.PhaseStarting, now)
	}
	if !o.joined {
		return decision{phase: model.PhaseNew}
	}
	if len(d.outlets) == 0 {
		return decision{phase: model.PhaseOffline, err: "its agent is not connected, and it has no outlet to switch on: it needs a hand"}
	}
	// An agent that was there since and is gone is not one that boots.
	until := powered.Add(bootTime)
	if o.met && o.since.After(powered) || !now.Before(until) {
		return decision{phase: model.PhaseOffline, err: fmt.Sprintf("it has power, but its agent is not connected (%s is enough to boot)", bootTime)}
	}
	return decision{phase: model.PhaseStarting, wake: until}
}

// order gives an order to an outlet unless one is on its way, or has just
// failed.
func order(do act, name string, out outletSeen, phase model.Phase, now time.Time) decision {
	dec := decision{phase: phase, err: out.Error}
	if dec.err != "" {
		dec.err = fmt.Sprintf("outlet %s: %s", name, dec.err)
	}
	if out.ordered {
		return dec
	}
	if again := out.failed.Add(againTime); now.Before(again) {
		dec.wake = again
		return dec
	}
	dec.act, dec.outlet = do, name
	return dec
}

// nextShutdown has the agent shut guests and machine down.
func nextShutdown(d desired, o seen, now time.Time) decision {
	dec := decision{phase: model.PhaseStopping, err: o.shutdown.err}
	switch again, late := o.shutdown.ordered.Add(againTime), o.shutdown.ordered.Add(haltTime); {
	case o.shutdown.ordered.IsZero(), o.shutdown.err != "" && !now.Before(again):
		dec.act = actShutdown
	case o.shutdown.err != "":
		dec.wake = again
	case now.Before(late):
		dec.wake = late
	default:
		dec.err = fmt.Sprintf("it still runs %s after it was told to shut down: `power off %s --force` cuts its power", haltTime, d.name)
	}
	return dec
}

// nextOff cuts the outlets of a machine that is down, once it had time to be
// really off, and only those that feed nothing else that is up.
func nextOff(d desired, o seen, now time.Time) decision {
	if machinePower(d, o) == model.PowerOff {
		return decision{phase: model.PhaseOff}
	}
	down := o.since
	if d.powerSince.After(down) {
		down = d.powerSince
	}
	if until := down.Add(d.grace); now.Before(until) {
		return decision{phase: model.PhaseStopping, wake: until}
	}
	phase, note := model.PhaseOff, ""
	for _, name := range d.outlets {
		switch out := o.outlets[name]; {
		case out.State == model.PowerOff:
		case out.handOn && out.byHand.After(d.powerSince):
			phase, note = away(d, o), fmt.Sprintf("outlet %s was switched on by hand", name)
		case out.blocked != "":
			note = fmt.Sprintf("outlet %s stays on: %s", name, out.blocked)
		default:
			return order(actOff, name, out, model.PhaseStopping, now)
		}
	}
	return decision{phase: phase, err: note}
}

// machinePower is the power of a machine as far as its agent and its outlets
// tell.
func machinePower(d desired, o seen) model.Power {
	if o.online {
		return model.PowerOn
	}
	if len(d.outlets) == 0 {
		return model.PowerUnknown
	}
	off := 0
	for _, name := range d.outlets {
		switch o.outlets[name].State {
		case model.PowerOn:
			return model.PowerOn
		case model.PowerOff:
			off++
		}
	}
	if off == len(d.outlets) {
		return model.PowerOff
	}
	return model.PowerUnknown
}
