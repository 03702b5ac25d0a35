package decide

import (
	"fmt"
	"time"

	"homelab/model"
)

// Whether a machine is on, as far as anything tells.

// MachinePower is the power of a machine as far as its agent, its outlets and
// their meters tell.
func MachinePower(d Desired, o Seen) model.Power {
	if o.Online {
		return model.PowerOn
	}
	off, feeding, lit := 0, 0, false
	controller := model.PowerUnknown
	for _, name := range d.outlets {
		out, f := o.Outlets[name], d.feeds[name]
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
func idle(d Desired, o Seen) opinion {
	all := saysNothing
	for _, name := range d.outlets {
		out, f := o.Outlets[name], d.feeds[name]
		if f.idleWatts == 0 || out.State != model.PowerOn || out.Watts == nil || out.Shared {
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
func reallyOff(d Desired, o Seen, now time.Time) verdict {
	if MachinePower(d, o) == model.PowerOff && idle(d, o) == saysNothing {
		return verdict{off: true}
	}
	gone := o.Order.Gone
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
		if out := o.Outlets[name]; d.feeds[name].controller && out.State == model.PowerOn && out.Observed.After(gone) {
			hear(saysOn, "outlet "+name+" says that it is on")
		}
	}
	switch {
	case !o.Ping.At.After(gone):
	case o.Ping.Answers:
		hear(saysOn, d.address+" still answers")
	default:
		hear(saysOff, "")
	}
	settled := later(gone, o.Ping.Answered).Add(settleTime)
	if agree > 0 && deny == "" {
		return verdict{off: !now.Before(settled), wake: settled}
	}
	if !o.Order.Told.IsZero() && !o.Order.Quiet.IsZero() {
		until := later(gone, o.Order.Told).Add(d.grace)
		return verdict{off: !now.Before(until), why: deny, wake: until}
	}
	until := gone.Add(awayTime)
	why := "its agent is not connected, so nobody can shut its guests down"
	if !o.Order.Told.IsZero() {
		why = "its agent went before it said that all guests are off"
	}
	if deny != "" {
		why += "; " + deny
	}
	return verdict{lost: !now.Before(until), why: fmt.Sprintf("%s: look at its screen; `power off %s --force` cuts its power all the same", why, d.name), wake: until}
}
