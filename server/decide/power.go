package decide

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
func nextPower(d Desired, o Seen, now time.Time) (Decision, bool) {
	if d.power == model.PowerWantedOff && o.Order.Error != "" && o.Online && !o.Order.Told.IsZero() && o.Order.Down.IsZero() {
		return Decision{Phase: model.PhaseStopping, Err: o.Order.Error}, true // its guests are not to come back
	}
	if !o.Order.Ended.IsZero() || o.Order.At.IsZero() {
		if o.Online {
			return Decision{}, false
		}
		dec := Decision{Phase: away(d, o), Err: o.Order.Error}
		if dec.Err == "" {
			dec.Err = Differs(d, o)
		}
		return dec, true
	}
	switch {
	case d.power == model.PowerWantedOn && d.cycle && o.Order.Powered.IsZero() && !cutDone(d, o, now):
		return nextCut(d, o, now), true
	case d.power == model.PowerWantedOn && (!o.Online || o.Order.Online.IsZero()):
		return nextOn(d, o, now), true
	case d.power == model.PowerWantedOff && o.Online:
		return nextShutdown(d, o, now), true
	case d.power == model.PowerWantedOff:
		return nextOff(d, o, now), true
	}
	return Decision{}, false
}

// nextOn switches the outlets on, each when all that it requires is on, and
// awaits the agent.
func nextOn(d Desired, o Seen, now time.Time) Decision {
	dec := Decision{Phase: model.PhaseStarting}
	off := false
	for _, name := range d.sources {
		out := o.Outlets[name]
		if d.isOn(o, name) {
			continue
		}
		off = true
		if !slices.ContainsFunc(d.feeds[name].requires, func(r string) bool { return !d.isOn(o, r) }) {
			one := order(ActOn, name, out, model.PhaseStarting, now)
			if one.Act != actWait {
				return one
			}
			dec.merge(one)
		}
	}
	switch {
	case off:
		return dec
	case !o.Joined:
		return Decision{Phase: model.PhaseNew}
	case len(d.outlets) == 0:
		return Decision{Phase: model.PhaseOffline, Err: "its agent is not connected, and it has no outlet to switch on: it needs a hand"}
	}
	dec.Wake = powered(d, o).Add(bootTime)
	for _, name := range d.sources {
		out := o.Outlets[name]
		if !d.feeds[name].onOnly || out.Ordered {
			continue
		}
		again := out.Switched.Add(wakeAgain)
		if !now.Before(again) {
			return order(ActOn, name, out, model.PhaseStarting, now)
		}
		dec.sooner(again)
	}
	return dec
}

// powered is since when all that feeds the machine is on, or was ordered to be.
func powered(d Desired, o Seen) time.Time {
	at := o.Order.At
	if o.Order.Cut.After(at) {
		at = o.Order.Cut
	}
	for _, name := range d.sources {
		if since := o.Outlets[name].Since; !d.feeds[name].onOnly && since.After(at) {
			at = since
		}
	}
	return at
}

// isOn tells whether an outlet is on. One that can only wake is when it did so
// for this order.
func (d Desired) isOn(o Seen, name string) bool {
	out := o.Outlets[name]
	if d.feeds[name].onOnly {
		return !out.Switched.Before(o.Order.At) && !out.Switched.Before(o.Order.Cut)
	}
	return out.State == model.PowerOn
}

// order gives an order to an outlet unless one is on its way, or has just
// failed.
func order(do Act, name string, out OutletSeen, phase model.Phase, now time.Time) Decision {
	dec := Decision{Phase: phase, Err: out.Error}
	if dec.Err != "" {
		dec.Err = fmt.Sprintf("outlet %s: %s", name, dec.Err)
	}
	if out.Ordered {
		return dec
	}
	if again := out.Failed.Add(againTime); now.Before(again) {
		dec.Wake = again
		return dec
	}
	dec.Act, dec.Outlet = do, name
	return dec
}

// nextShutdown has the agent shut guests and machine down.
func nextShutdown(d Desired, o Seen, now time.Time) Decision {
	dec := Decision{Phase: model.PhaseStopping, Err: o.Shutdown.Err}
	switch again, late := o.Shutdown.Ordered.Add(againTime), o.Shutdown.Ordered.Add(haltTime); {
	case o.Shutdown.Ordered.IsZero(), o.Shutdown.Err != "" && !now.Before(again):
		dec.Act = ActShutdown
	case o.Shutdown.Err != "":
		dec.Wake = again
	case now.Before(late):
		dec.Wake = late
	default:
		dec.Err = stillRuns(d)
	}
	return dec
}

func stillRuns(d Desired) string {
	return fmt.Sprintf("it still runs %s after it was told to shut down: look at its screen; `power off %s --force` cuts its power", haltTime, d.name)
}

// nextOff cuts the outlets of a machine that is down, and only those that feed
// nothing else that is up.
func nextOff(d Desired, o Seen, now time.Time) Decision {
	if o.Order.Down.IsZero() {
		v := reallyOff(d, o, now)
		return Decision{Phase: model.PhaseStopping, Err: v.why, Wake: v.wake, Probe: d.address}
	}
	dec := Decision{Phase: model.PhaseOff}
	for _, name := range d.outlets {
		out := o.Outlets[name]
		switch {
		case out.State == model.PowerOff || d.feeds[name].onOnly:
		case out.HandOn && out.ByHand.After(o.Order.At):
			dec.Phase, dec.Err = away(d, o), fmt.Sprintf("outlet %s was switched on by hand", name)
		case out.Blocked != "":
			dec.Err = fmt.Sprintf("outlet %s stays on: %s", name, out.Blocked)
		default:
			one := order(ActOff, name, out, model.PhaseStopping, now)
			if one.Act != actWait {
				return one
			}
			dec.Phase = model.PhaseStopping
			dec.merge(one)
		}
	}
	return dec
}

// cutters are the outlets that take a machine's power away to cycle it: its
// management controller alone where there is one, else all that feed it.
func (d Desired) cutters() []string {
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
func cutDone(d Desired, o Seen, now time.Time) bool {
	if o.Order.Cut.IsZero() {
		return false
	}
	return len(d.cutters()) == 1 && o.Outlets[d.cutters()[0]].Cycled.After(o.Order.At) || !now.Before(o.Order.Cut.Add(cutPause))
}

// nextCut takes the power of a machine away: by the device itself where one is
// enough, so that it comes back whatever becomes of the server.
func nextCut(d Desired, o Seen, now time.Time) Decision {
	dec := Decision{Phase: model.PhaseStarting}
	if !o.Order.Cut.IsZero() {
		dec.Wake = o.Order.Cut.Add(cutPause)
		return dec
	}
	cutters := d.cutters()
	for _, name := range cutters {
		out := o.Outlets[name]
		if out.State == model.PowerOff {
			continue
		}
		do := ActOff
		if len(cutters) == 1 {
			do = ActCycle
		}
		one := order(do, name, out, model.PhaseStarting, now)
		if one.Act != actWait {
			return one
		}
		dec.merge(one)
	}
	return dec
}

// Differs says how a machine's power is not what is wanted, when nothing is
// being done about it.
func Differs(d Desired, o Seen) string {
	switch power := MachinePower(d, o); {
	case d.power == model.PowerWantedOff && power == model.PowerOn && (o.Online || o.Order.Down.IsZero()):
		return fmt.Sprintf("it is wanted off, and it is on: `power off %s`", d.name)
	case d.power != model.PowerWantedOn || o.Online || !o.Joined:
		return ""
	}
	for _, name := range d.sources {
		switch out := o.Outlets[name]; {
		case d.feeds[name].onOnly || out.State != model.PowerOff:
		case !out.HandOn && !out.ByHand.IsZero():
			return fmt.Sprintf("it is wanted on, and outlet %s was switched off by hand: `power on %s`", name, d.name)
		default:
			return fmt.Sprintf("it is wanted on, and outlet %s is off: `power on %s`", name, d.name)
		}
	}
	return fmt.Sprintf("it is wanted on, and its agent is not connected: look at its screen, `power cycle %s` if it is stuck", d.name)
}
