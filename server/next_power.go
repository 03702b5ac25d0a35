package server

import (
	"fmt"
	"slices"
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
	// gone, where nothing tells whether it is.
	haltGrace = 30 * time.Second
	// sandboxGrace is the same for one that is only played.
	sandboxGrace = time.Second
	// againTime is the pause before an order that failed is given again.
	againTime = 30 * time.Second
	// outletTime is how long an outlet may fail before a sequence gives up.
	outletTime = 2 * time.Minute
	// awayTime is how long an agent that was never told to shut down may be
	// away, before nobody waits for it any more.
	awayTime = 2 * time.Minute
	// wakeAgain is the pause before a machine that is awaited is woken again:
	// it may not have listened yet.
	wakeAgain = 30 * time.Second
	// cutPause is how long a machine that is cycled is without power.
	cutPause = 10 * time.Second
)

// nextPower decides about the power of a hypervisor; false is that nothing of
// it keeps from looking at the config. Only an order that is under way is
// carried out: what becomes of the machine later is shown, and left alone.
func nextPower(d desired, o seen, now time.Time) (decision, bool) {
	if d.power == model.PowerWantedOff && o.order.Error != "" && o.online && !o.order.Told.IsZero() && o.order.Down.IsZero() {
		return decision{phase: model.PhaseStopping, err: o.order.Error}, true // its guests are not to come back
	}
	if !o.order.Ended.IsZero() || o.order.At.IsZero() {
		if o.online {
			return decision{}, false
		}
		dec := decision{phase: away(d, o), err: o.order.Error}
		if dec.err == "" {
			dec.err = differs(d, o)
		}
		return dec, true
	}
	switch {
	case d.power == model.PowerWantedOn && d.cycle && o.order.Powered.IsZero() && !cutDone(d, o, now):
		return nextCut(d, o, now), true
	case d.power == model.PowerWantedOn && (!o.online || o.order.Online.IsZero()):
		return nextOn(d, o, now), true
	case d.power == model.PowerWantedOff && o.online:
		return nextShutdown(d, o, now), true
	case d.power == model.PowerWantedOff:
		return nextOff(d, o, now), true
	}
	return decision{}, false
}

// nextOn switches the outlets on, each when all that it requires is on, and
// awaits the agent.
func nextOn(d desired, o seen, now time.Time) decision {
	dec := decision{phase: model.PhaseStarting}
	off := false
	for _, name := range d.sources {
		out := o.outlets[name]
		if d.isOn(o, name) {
			continue
		}
		off = true
		if !slices.ContainsFunc(d.feeds[name].requires, func(r string) bool { return !d.isOn(o, r) }) {
			one := order(actOn, name, out, model.PhaseStarting, now)
			if one.act != actWait {
				return one
			}
			dec.merge(one)
		}
	}
	switch {
	case off:
		return dec
	case !o.joined:
		return decision{phase: model.PhaseNew}
	case len(d.outlets) == 0:
		return decision{phase: model.PhaseOffline, err: "its agent is not connected, and it has no outlet to switch on: it needs a hand"}
	}
	dec.wake = powered(d, o).Add(bootTime)
	for _, name := range d.sources {
		out := o.outlets[name]
		if !d.feeds[name].onOnly || out.ordered {
			continue
		}
		again := out.switched.Add(wakeAgain)
		if !now.Before(again) {
			return order(actOn, name, out, model.PhaseStarting, now)
		}
		dec.sooner(again)
	}
	return dec
}

// powered is since when all that feeds the machine is on, or was ordered to be.
func powered(d desired, o seen) time.Time {
	at := o.order.At
	if o.order.Cut.After(at) {
		at = o.order.Cut
	}
	for _, name := range d.sources {
		if since := o.outlets[name].Since; !d.feeds[name].onOnly && since.After(at) {
			at = since
		}
	}
	return at
}

// isOn tells whether an outlet is on. One that can only wake is when it did so
// for this order.
func (d desired) isOn(o seen, name string) bool {
	out := o.outlets[name]
	if d.feeds[name].onOnly {
		return !out.switched.Before(o.order.At) && !out.switched.Before(o.order.Cut)
	}
	return out.State == model.PowerOn
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
		dec.err = stillRuns(d)
	}
	return dec
}

func stillRuns(d desired) string {
	return fmt.Sprintf("it still runs %s after it was told to shut down: look at its screen; `power off %s --force` cuts its power", haltTime, d.name)
}

// nextOff cuts the outlets of a machine that is down, and only those that feed
// nothing else that is up.
func nextOff(d desired, o seen, now time.Time) decision {
	if o.order.Down.IsZero() {
		v := reallyOff(d, o, now)
		return decision{phase: model.PhaseStopping, err: v.why, wake: v.wake, probe: d.address}
	}
	dec := decision{phase: model.PhaseOff}
	for _, name := range d.outlets {
		out := o.outlets[name]
		switch {
		case out.State == model.PowerOff || d.feeds[name].onOnly:
		case out.handOn && out.byHand.After(o.order.At):
			dec.phase, dec.err = away(d, o), fmt.Sprintf("outlet %s was switched on by hand", name)
		case out.blocked != "":
			dec.err = fmt.Sprintf("outlet %s stays on: %s", name, out.blocked)
		default:
			one := order(actOff, name, out, model.PhaseStopping, now)
			if one.act != actWait {
				return one
			}
			dec.phase = model.PhaseStopping
			dec.merge(one)
		}
	}
	return dec
}

// cutters are the outlets that take a machine's power away to cycle it: its
// management controller alone where there is one, else all that feed it.
func (d desired) cutters() []string {
	var all []string
	for _, name := range d.outlets {
		switch f := d.feeds[name]; {
		case f.controller:
			return []string{name}
		case !f.onOnly:
			all = append(all, name)
		}
	}
	return all
}

// cutDone tells whether the power was away long enough.
func cutDone(d desired, o seen, now time.Time) bool {
	if o.order.Cut.IsZero() {
		return false
	}
	return len(d.cutters()) == 1 && o.outlets[d.cutters()[0]].cycled.After(o.order.At) || !now.Before(o.order.Cut.Add(cutPause))
}

// nextCut takes the power of a machine away: by the device itself where one is
// enough, so that it comes back whatever becomes of the server.
func nextCut(d desired, o seen, now time.Time) decision {
	dec := decision{phase: model.PhaseStarting}
	if !o.order.Cut.IsZero() {
		dec.wake = o.order.Cut.Add(cutPause)
		return dec
	}
	cutters := d.cutters()
	for _, name := range cutters {
		out := o.outlets[name]
		if out.State == model.PowerOff {
			continue
		}
		do := actOff
		if len(cutters) == 1 {
			do = actCycle
		}
		one := order(do, name, out, model.PhaseStarting, now)
		if one.act != actWait {
			return one
		}
		dec.merge(one)
	}
	return dec
}

// machinePower is the power of a machine as far as its agent, its outlets and
// their meters tell.
func machinePower(d desired, o seen) model.Power {
	if o.online {
		return model.PowerOn
	}
	off, feeding, lit := 0, 0, false
	controller := model.PowerUnknown
	for _, name := range d.outlets {
		out, f := o.outlets[name], d.feeds[name]
		switch {
		case f.onOnly:
			continue
		case f.controller:
			if out.State != model.PowerUnknown {
				controller = out.State
			}
			continue
		}
		feeding++
		switch out.State {
		case model.PowerOn:
			lit = true
		case model.PowerOff:
			off++
		}
	}
	switch {
	case feeding > 0 && off == feeding:
		return model.PowerOff
	case controller != model.PowerUnknown:
		return controller
	case idle(d, o) == saysOff:
		return model.PowerOff
	case lit:
		return model.PowerOn
	}
	return model.PowerUnknown
}

// differs says how a machine's power is not what is wanted, when nothing is
// being done about it.
func differs(d desired, o seen) string {
	switch power := machinePower(d, o); {
	case d.power == model.PowerWantedOff && power == model.PowerOn && (o.online || o.order.Down.IsZero()):
		return fmt.Sprintf("it is wanted off, and it is on: `power off %s`", d.name)
	case d.power != model.PowerWantedOn || o.online || !o.joined:
		return ""
	}
	for _, name := range d.sources {
		switch out := o.outlets[name]; {
		case d.feeds[name].onOnly || out.State != model.PowerOff:
		case !out.handOn && !out.byHand.IsZero():
			return fmt.Sprintf("it is wanted on, and outlet %s was switched off by hand: `power on %s`", name, d.name)
		default:
			return fmt.Sprintf("it is wanted on, and outlet %s is off: `power on %s`", name, d.name)
		}
	}
	return fmt.Sprintf("it is wanted on, and its agent is not connected: look at its screen, `power cycle %s` if it is stuck", d.name)
}
