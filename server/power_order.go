package server

import (
	"fmt"
	"time"

	"homelab/model"
)

// settleTime is how long everything must have said that a machine is off.
const settleTime = 5 * time.Second

// follow notes how far the order about a hypervisor's power has come: what has
// happened, and whether it has reached its end or cannot. It is a pure
// function; what it returns is kept before anything is done, so that a server
// that is killed knows it again.
func follow(d desired, o seen, now time.Time) model.PowerOrder {
	n := o.order
	if !n.At.Equal(d.powerSince) {
		n = model.PowerOrder{At: d.powerSince}
	}
	if n.At.IsZero() || d.hold {
		return n
	}
	o.order = n
	switch d.power {
	case model.PowerWantedOn:
		return followOn(d, o, n, now)
	case model.PowerWantedOff:
		if n.Ended.IsZero() {
			return followOff(d, o, n, now)
		}
	case model.PowerWantedNone:
		n.Ended = or(n.Ended, now)
	}
	return n
}

func or(at, other time.Time) time.Time {
	if at.IsZero() {
		return other
	}
	return at
}

// failed ends an order.
func failed(n model.PowerOrder, now time.Time, format string, args ...any) model.PowerOrder {
	n.Ended, n.Error = now, fmt.Sprintf(format, args...)
	return n
}

func followOn(d desired, o seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	if !n.Ended.IsZero() {
		if n.Error == "" && n.Applied.IsZero() && o.online && d.digest != "" && d.digest == o.applied && d.digest == o.verified {
			n.Applied = now
		}
		if n.Error != "" && o.online && o.since.After(n.Ended) { // late, but here it is
			n.Error, n.Online = "", o.since
		}
		return n
	}
	if d.cycle && n.Cut.IsZero() {
		return followCut(d, o, n, now)
	}
	if o.online && o.since.After(n.Cut) || o.online && !d.cycle {
		n.Powered, n.Online, n.Ended = or(n.Powered, now), now, now
		if o.since.After(n.At) {
			n.Online = o.since
		}
		return n
	}
	if d.cycle && n.Powered.IsZero() && !cutDone(d, o, now) {
		return n
	}
	for _, name := range d.sources {
		out := o.outlets[name]
		if d.isOn(o, name) {
			continue
		}
		switch {
		case !out.handOn && out.byHand.After(n.At):
			return failed(n, now, "outlet %s was switched off by hand: `power on %s`", name, d.name)
		case gaveUp(out, n.At, now):
			return failed(n, now, "outlet %s: %s: look at the device, then `power on %s`", name, out.Error, d.name)
		}
		return n
	}
	n.Powered = or(n.Powered, now)
	if !o.joined {
		n.Ended = now
	}
	if len(d.outlets) > 0 && o.joined && !now.Before(powered(d, o).Add(bootTime)) {
		return failed(n, now, "it has power, but its agent is not connected (%s is enough to boot): look at its screen; `power cycle %s` if it is stuck", bootTime, d.name)
	}
	return n
}

// gaveUp tells whether an outlet has failed for so long that a sequence ends.
func gaveUp(out outletSeen, since, now time.Time) bool {
	if out.failed.IsZero() || out.ordered {
		return false
	}
	if out.failing.After(since) {
		since = out.failing
	}
	return now.Sub(since) >= outletTime
}

// followCut notes when all that takes the power away has done so.
func followCut(d desired, o seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	cutters := d.cutters()
	if len(cutters) == 0 {
		return failed(n, now, "nothing that feeds it can be switched off: it needs a hand")
	}
	if n.Cutting.IsZero() {
		n.Cutting = now
	} else if o.resumed { // it may have been cut before the server stopped: never twice
		n.Cut = n.Cutting
		return n
	}
	for _, name := range cutters {
		switch out := o.outlets[name]; {
		case out.blocked != "":
			return failed(n, now, "outlet %s is not cut: %s", name, out.blocked)
		case out.cycled.After(n.At) || out.State == model.PowerOff:
		case gaveUp(out, n.At, now):
			return failed(n, now, "outlet %s: %s: look at the device, then `power cycle %s`", name, out.Error, d.name)
		default:
			return n
		}
	}
	n.Cut = now
	return n
}

func followOff(d desired, o seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	if o.online {
		if !n.Down.IsZero() {
			return failed(n, now, "it was started again while it was on its way off: `power off %s`", d.name)
		}
		if !n.Gone.IsZero() { // it is back, and what it said before counts no more
			n.Gone, n.Quiet = time.Time{}, time.Time{}
		}
	}
	if !o.shutdown.taken.IsZero() {
		n.Told = or(n.Told, o.shutdown.taken)
		switch {
		case o.running > 0:
			n.Quiet = time.Time{}
		case o.running == 0:
			n.Quiet = or(n.Quiet, now)
		}
	}
	if o.online {
		if !o.shutdown.taken.IsZero() && o.shutdown.err == "" && !now.Before(o.shutdown.ordered.Add(haltTime)) {
			return failed(n, now, "%s", stillRuns(d))
		}
		return n
	}
	n.Gone = or(n.Gone, later(o.since, n.At))
	o.order = n
	if n.Down.IsZero() {
		v := reallyOff(d, o, now)
		switch {
		case v.off:
			n.Down = now
		case v.lost:
			return failed(n, now, "%s", v.why)
		}
		return n
	}
	for _, name := range d.outlets {
		switch out := o.outlets[name]; {
		case out.State == model.PowerOff || d.feeds[name].onOnly:
		case out.handOn && out.byHand.After(n.At):
			return failed(n, now, "outlet %s was switched on by hand", name)
		case out.blocked == "" && gaveUp(out, n.Down, now):
			return failed(n, now, "outlet %s: %s: look at the device, then `power off %s`", name, out.Error, d.name)
		default:
			return n
		}
	}
	n.Ended = now
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// verdict is whether a machine whose agent is gone is off.
type verdict struct {
	off  bool
	lost bool // and nothing will ever tell
	why  string
	wake time.Time
}

// opinion is what one witness says of a machine.
type opinion int

const (
	saysNothing opinion = iota
	saysOff
	saysOn
)

// idle is what the meters say: that the machine draws less than it does when it
// is on, or not.
func idle(d desired, o seen) opinion {
	all := saysNothing
	for _, name := range d.outlets {
		out, f := o.outlets[name], d.feeds[name]
		if f.idleWatts == 0 || out.State != model.PowerOn || out.Watts == nil || out.shared {
			continue
		}
		if *out.Watts >= f.idleWatts {
			return saysOn
		}
		all = saysOff
	}
	return all
}

// reallyOff judges: a machine is off when its power is, when all who can tell
// agree that it is, or when its agent said that no guest runs and the time that
// a machine may take has passed. Of one whose guests may run, an agent that is
// away says nothing.
func reallyOff(d desired, o seen, now time.Time) verdict {
	if machinePower(d, o) == model.PowerOff && idle(d, o) == saysNothing {
		return verdict{off: true}
	}
	gone := o.order.Gone
	agree, deny := 0, ""
	hear := func(op opinion, denial string) {
		switch op {
		case saysOff:
			agree++
		case saysOn:
			deny = denial
		}
	}
	hear(idle(d, o), "its meter says that it is on")
	for _, name := range d.outlets {
		if out := o.outlets[name]; d.feeds[name].controller && out.State == model.PowerOn && out.Observed.After(gone) {
			hear(saysOn, "outlet "+name+" says that it is on")
		}
	}
	switch {
	case !o.ping.at.After(gone):
	case o.ping.answers:
		hear(saysOn, d.address+" still answers")
	default:
		hear(saysOff, "")
	}
	settled := later(gone, o.ping.answered).Add(settleTime)
	if agree > 0 && deny == "" {
		return verdict{off: !now.Before(settled), wake: settled}
	}
	if !o.order.Told.IsZero() && !o.order.Quiet.IsZero() {
		until := later(gone, o.order.Told).Add(d.grace)
		return verdict{off: !now.Before(until), why: deny, wake: until}
	}
	until := gone.Add(awayTime)
	why := "its agent is not connected, so nobody can shut its guests down"
	if !o.order.Told.IsZero() {
		why = "its agent went before it said that all guests are off"
	}
	if deny != "" {
		why += "; " + deny
	}
	return verdict{lost: !now.Before(until), why: fmt.Sprintf("%s: look at its screen; `power off %s --force` cuts its power all the same", why, d.name), wake: until}
}
