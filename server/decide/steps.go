package decide

import (
	"fmt"
	"strings"
	"time"

	"homelab/model"
)

// Learn notes how long the steps took that an order has just done.
func Learn(r *model.PowerRecord, now model.PowerOrder) {
	old := r.Order
	if !old.At.Equal(now.At) {
		old = model.PowerOrder{}
	}
	for _, s := range []struct {
		kind           string
		from, to, then time.Time // then: what to was before
	}{
		{model.StepBoot, now.Powered, now.Online, old.Online},
		{model.StepApply, now.Online, now.Applied, old.Applied},
		{model.StepGuests, now.Told, now.Quiet, old.Quiet},
		{model.StepHalt, now.Quiet, now.Gone, old.Gone},
		{model.StepDown, now.Gone, now.Down, old.Down},
	} {
		if !s.from.IsZero() && !s.to.IsZero() && s.then.IsZero() {
			r.Learn(s.kind, s.to.Sub(s.from))
		}
	}
}

// Sequence is the order about a machine's power as people follow it; nil is
// that there was none.
func Sequence(h model.Hypervisor, d Desired, o Seen, record model.PowerRecord, now time.Time) *model.Sequence {
	order := o.Order
	if order.At.IsZero() || h.PowerWanted == model.PowerWantedNone {
		return nil
	}
	seq := &model.Sequence{Goal: h.PowerWanted, By: h.PowerBy, Why: h.PowerWhy, At: order.At, Ended: order.Ended, Error: order.Error}
	b := checklist{d: d, o: o, order: order, record: record}
	if h.PowerWanted == model.PowerWantedOn {
		if h.PowerCycle {
			seq.Goal = "cycle"
			b.add(model.Step{Kind: model.StepCut, What: "cut the power for a moment"}, order.At, order.Cut, 0)
		}
		b.on()
	} else {
		b.off()
	}
	if d.hold && order.Ended.IsZero() {
		b.doing("it is held: `release " + d.name + "`")
	}
	seq.Steps = b.steps
	return seq
}

// checklist makes the steps of a sequence; each begins when the one before it
// has ended.
type checklist struct {
	d      Desired
	o      Seen
	order  model.PowerOrder
	record model.PowerRecord
	steps  []model.Step
}

// add adds a step that began and ended then, if it has, and may take limit.
func (c *checklist) add(s model.Step, began, ended time.Time, limit time.Duration) {
	s.UsualSeconds = c.record.Usual(s.Kind)
	switch {
	case !ended.IsZero():
		s.State, s.Since = model.StepDone, ended
	case began.IsZero() || !c.order.Ended.IsZero() && c.order.Error == "":
		s.State, s.Note = model.StepTodo, ""
	case c.order.Error != "":
		s.State, s.Since, s.Error = model.StepFailed, c.order.Ended, c.order.Error
	default:
		s.State, s.Since = model.StepDoing, began
		if limit > 0 {
			s.Deadline = began.Add(limit)
		}
	}
	c.steps = append(c.steps, s)
}

// doing notes something of the step that is being done.
func (c *checklist) doing(note string) {
	for i, s := range c.steps {
		if s.State == model.StepDoing {
			c.steps[i].Note, c.steps[i].Deadline = note, time.Time{}
		}
	}
}

func (c *checklist) on() {
	from := later(c.order.At, c.order.Cut)
	for _, name := range c.d.sources {
		out, what := c.o.Outlets[name], "switch outlet %s on"
		if c.d.feeds[name].onOnly {
			what = "wake by %s"
		}
		s := model.Step{Kind: model.StepOutlet, Outlet: name, What: fmt.Sprintf(what, name)}
		began, ended := from, time.Time{}
		for _, r := range c.d.feeds[name].requires {
			if !c.d.isOn(c.o, r) {
				began, s.Note = time.Time{}, "after "+r
			}
		}
		switch {
		case c.order.Cut.IsZero() && c.d.cycle:
			began = time.Time{}
		case !c.order.Powered.IsZero():
			ended = c.order.Powered
		case c.d.isOn(c.o, name):
			ended = later(from, out.Since)
		case out.Error != "":
			s.Note = out.Error
		case out.Ordered && c.order.Ended.IsZero():
			s.Note = "ordered"
		}
		c.add(s, began, ended, outletTime)
		if last := &c.steps[len(c.steps)-1]; last.State == model.StepFailed && !strings.Contains(c.order.Error, "outlet "+name+" ") && !strings.Contains(c.order.Error, "outlet "+name+":") {
			last.State, last.Error = model.StepTodo, ""
		}
	}
	c.add(model.Step{Kind: model.StepBoot, What: "boot, until its agent connects"}, c.order.Powered, c.order.Online, bootTime)
	apply := model.Step{Kind: model.StepApply, What: "apply its config"}
	c.add(apply, time.Time{}, c.order.Applied, 0)
	if last := &c.steps[len(c.steps)-1]; last.State == model.StepTodo && !c.order.Online.IsZero() && c.o.Online {
		last.State, last.Since = model.StepDoing, c.order.Online
		switch run := c.o.Run; {
		case c.d.Incomplete != "":
			last.State, last.Error = model.StepFailed, c.d.Incomplete
		case run != nil && run.State == model.RunWaiting:
			last.Note = fmt.Sprintf("run %d waits for approval: `approve %d`", run.ID, run.ID)
		case run == nil && c.o.Last.Failures > 0:
			last.State, last.Error = model.StepFailed, c.o.Last.Err
		}
	}
}

func (c *checklist) off() {
	d, o, order := c.d, c.o, c.order
	guests := model.Step{Kind: model.StepGuests, What: "shut the guests down"}
	if o.Running > 0 && o.Online {
		guests.Note = fmt.Sprintf("%d still on; those that refuse are switched off at %s", o.Running, later(order.At, order.Told).Add(d.guestGrace).UTC().Format(time.TimeOnly)+" UTC")
	}
	skip := order.Told.IsZero() && !order.Down.IsZero() // it was off before
	began := later(order.At, order.Told)
	for _, s := range []struct {
		model.Step
		began, ended time.Time
		limit        time.Duration
	}{
		{guests, began, order.Quiet, d.guestGrace + haltTime},
		{model.Step{Kind: model.StepHalt, What: "shut the machine down, until its agent goes"}, order.Quiet, order.Gone, haltTime},
	} {
		if skip || order.Quiet.IsZero() && !order.Down.IsZero() {
			s.State, s.Note = model.StepSkipped, "its agent was not there"
			c.steps = append(c.steps, s.Step)
			continue
		}
		c.add(s.Step, s.began, s.ended, s.limit)
	}
	down := model.Step{Kind: model.StepDown, What: "wait until it is really off"}
	limit := d.grace
	if order.Quiet.IsZero() {
		limit = awayTime
	}
	if !order.Gone.IsZero() && order.Down.IsZero() {
		down.Note = reallyOff(d, o, order.Gone).why
	}
	c.add(down, order.Gone, order.Down, limit)
	for _, name := range d.outlets {
		c.cut(name)
	}
}

// cut is the step that switches an outlet off at the end.
func (c *checklist) cut(name string) {
	out := c.o.Outlets[name]
	s := model.Step{Kind: model.StepOutlet, Outlet: name, What: fmt.Sprintf("switch outlet %s off", name)}
	switch {
	case c.d.feeds[name].onOnly:
		return
	case out.State == model.PowerOff:
		c.add(s, c.order.Down, later(c.order.At, out.Since), 0)
		return
	case out.Blocked != "":
		s.State, s.Note = model.StepSkipped, "stays on: "+out.Blocked
		c.steps = append(c.steps, s)
		return
	case out.Error != "":
		s.Note = out.Error
	}
	c.add(s, c.order.Down, time.Time{}, outletTime)
}
