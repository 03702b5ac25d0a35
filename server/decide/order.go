package decide

import (
	"fmt"
	"time"

	"homelab/model"
)

// settleTime is how long everything must have said that a machine is off.
const settleTime = 5 * time.Second

// Follow notes how far the order about a hypervisor's power has come: what has
// happened, and whether it has reached its end or cannot. It is a pure
// function; what it returns is kept before anything is done, so that a server
// that is killed knows it again.
func Follow(d Desired, o Seen, now time.Time) model.PowerOrder {
	n := o.Order
	if !n.At.Equal(d.powerSince) {
		n = model.PowerOrder{At: d.powerSince}
	}
	if n.At.IsZero() || d.hold {
		return n
	}
	o.Order = n
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

func followOn(d Desired, o Seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	if !n.Ended.IsZero() {
		if n.Error == "" && n.Applied.IsZero() && o.Online && d.Digest != "" && d.Digest == o.Applied && d.Digest == o.Verified {
			n.Applied = now
		}
		if n.Error != "" && o.Online && o.Since.After(n.Ended) { // late, but here it is
			n.Error, n.Online = "", o.Since
		}
		return n
	}
	if d.cycle && n.Cut.IsZero() {
		return followCut(d, o, n, now)
	}
	if o.Online && o.Since.After(n.Cut) || o.Online && !d.cycle {
		n.Powered, n.Online, n.Ended = or(n.Powered, now), now, now
		if o.Since.After(n.At) {
			n.Online = o.Since
		}
		return n
	}
	if d.cycle && n.Powered.IsZero() && !cutDone(d, o, now) {
		return n
	}
	for _, name := range d.sources {
		out := o.Outlets[name]
		if d.isOn(o, name) {
			continue
		}
		switch {
		case !out.HandOn && out.ByHand.After(n.At):
			return failed(n, now, "outlet %s was switched off by hand: `power on %s`", name, d.name)
		case gaveUp(out, n.At, now):
			return failed(n, now, "outlet %s: %s: look at the device, then `power on %s`", name, out.Error, d.name)
		}
		return n
	}
	n.Powered = or(n.Powered, now)
	if !o.Joined {
		n.Ended = now
	}
	if len(d.outlets) > 0 && o.Joined && !now.Before(powered(d, o).Add(bootTime)) {
		return failed(n, now, "it has power, but its agent is not connected (%s is enough to boot): look at its screen; `power cycle %s` if it is stuck", bootTime, d.name)
	}
	return n
}

// gaveUp tells whether an outlet has failed for so long that a sequence ends.
func gaveUp(out OutletSeen, since, now time.Time) bool {
	if out.Failed.IsZero() || out.Ordered {
		return false
	}
	if out.Failing.After(since) {
		since = out.Failing
	}
	return now.Sub(since) >= outletTime
}

// followCut notes when all that takes the power away has done so.
func followCut(d Desired, o Seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	cutters := d.cutters()
	if len(cutters) == 0 {
		return failed(n, now, "nothing that feeds it can be switched off: it needs a hand")
	}
	if n.Cutting.IsZero() {
		n.Cutting = now
	} else if o.Resumed { // it may have been cut before the server stopped: never twice
		n.Cut = n.Cutting
		return n
	}
	for _, name := range cutters {
		switch out := o.Outlets[name]; {
		case out.Blocked != "":
			return failed(n, now, "outlet %s is not cut: %s", name, out.Blocked)
		case out.Cycled.After(n.At) || out.State == model.PowerOff:
		case gaveUp(out, n.At, now):
			return failed(n, now, "outlet %s: %s: look at the device, then `power cycle %s`", name, out.Error, d.name)
		default:
			return n
		}
	}
	n.Cut = now
	return n
}

func followOff(d Desired, o Seen, n model.PowerOrder, now time.Time) model.PowerOrder {
	if o.Online {
		if !n.Down.IsZero() {
			return failed(n, now, "it was started again while it was on its way off: `power off %s`", d.name)
		}
		if !n.Gone.IsZero() { // it is back, and what it said before counts no more
			n.Gone, n.Quiet = time.Time{}, time.Time{}
		}
	}
	if !o.Shutdown.Taken.IsZero() {
		n.Told = or(n.Told, o.Shutdown.Taken)
		switch {
		case o.Running > 0:
			n.Quiet = time.Time{}
		case o.Running == 0:
			n.Quiet = or(n.Quiet, now)
		}
	}
	if o.Online {
		if !o.Shutdown.Taken.IsZero() && o.Shutdown.Err == "" && !now.Before(o.Shutdown.Ordered.Add(haltTime)) {
			return failed(n, now, "%s", stillRuns(d))
		}
		return n
	}
	n.Gone = or(n.Gone, later(o.Since, n.At))
	o.Order = n
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
		switch out := o.Outlets[name]; {
		case out.State == model.PowerOff || d.feeds[name].onOnly:
		case out.HandOn && out.ByHand.After(n.At):
			return failed(n, now, "outlet %s was switched on by hand", name)
		case out.Blocked == "" && gaveUp(out, n.Down, now):
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
