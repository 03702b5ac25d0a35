package tui

import (
	"context"
	"fmt"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// runs lists the kept runs of the lab, or of one hypervisor, newest first.
type runs struct {
	list    list
	on      string // hypervisor; empty is all
	all     []model.Run
	mark    string // what the list was read for
	reading bool
	again   bool
}

func (s *runs) title() string { return "Runs" }
func (s *runs) rows() *list   { return &s.list }

func (s *runs) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	s.index(a.live(s.all))
	if mark := s.markNow(a.cache); mark != s.mark {
		s.mark = mark
		return s.read(a)
	}
	return nil
}

// markNow changes when the list of runs does.
func (s *runs) markNow(c *cache) string {
	b := []byte(" ")
	for i := range c.hvs {
		if s.on == "" || c.hvs[i].Name == s.on {
			b = fmt.Appendf(b, "%v ", markOf(&c.hvs[i]))
		}
	}
	return string(b)
}

// read reads the list; one reading at a time.
func (s *runs) read(a *app) tea.Cmd {
	if s.reading {
		s.again = true
		return nil
	}
	s.reading, s.again = true, false
	return a.async(func(context.Context) done {
		all, err := a.lab.Runs(s.on)
		return func(a *app) tea.Cmd {
			s.reading = false
			if err != nil {
				return a.fail(err)
			}
			s.index(a.live(all))
			if s.again {
				return s.read(a)
			}
			return nil
		}
	})
}

func (s *runs) index(all []model.Run) {
	s.all = all
	keys, search := make([]string, len(all)), make([]string, len(all))
	for i, r := range all {
		keys[i] = strconv.FormatUint(r.ID, 10)
		search[i] = fmt.Sprintf("id:%d hypervisor:%s kind:%s state:%s", r.ID, r.Hypervisor, r.Kind, r.State)
	}
	s.list.set(keys, search)
}

func (s *runs) openAction() action {
	return action{binding: keyOpen, do: func(a *app) tea.Cmd {
		if i, ok := s.list.index(); ok && i < len(s.all) {
			return a.open(newRunScreen(s.all[i].ID))
		}
		return nil
	}}
}

func (s *runs) chosen(a *app) *model.Run {
	if i, ok := s.list.index(); ok && i < len(s.all) {
		if r, ok := a.cache.status.Runs[s.all[i].ID]; ok {
			return &r
		}
		return &s.all[i]
	}
	return nil
}

func (s *runs) actions(a *app) []action {
	r := s.chosen(a)
	return []action{
		s.openAction(),
		action{binding: keyApprove, do: func(a *app) tea.Cmd { return approve(a, s.chosen(a)) }}.only(r != nil && r.State == model.RunWaiting),
		action{binding: keyCancel, do: func(a *app) tea.Cmd { return cancelRun(a, s.chosen(a)) }}.only(r != nil && !r.State.Ended()),
	}
}

func (s *runs) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No run yet: the first one comes with the first change.", "", w)
	}
	cols := []column{
		{head: "RUN", w: 4, right: true},
		{head: "STATE", w: 12},
		{head: "HYPERVISOR", w: widest(model.Names(a.cache.state.Hypervisors), 10, 18), drop: 1},
		{head: "KIND", w: 5, drop: 4},
		{head: "STARTED", w: 12, drop: 3},
		{head: "TOOK", w: 11, drop: 5},
		{head: "CHANGES", w: 14, grow: true, drop: 2},
	}
	if s.on != "" {
		cols[2].drop, cols[2].w = 99, w
	}
	return s.list.draw(w, h, cols, func(i int) []line {
		r := s.all[i]
		if now, ok := a.cache.status.Runs[r.ID]; ok {
			r = now
		}
		sign, colour := runSign(r.State)
		what := changes(r.Summary)
		if !r.State.Ended() && r.Summary.Total > 0 {
			what = bar(r.Summary.Done, r.Summary.Total, 10)
		} else if r.Error != "" {
			what = append(what, span{"  " + firstLine(r.Error), inkBad})
		}
		return []line{
			text(inkName, strconv.FormatUint(r.ID, 10)),
			{{sign + " " + runWord(r.State), colour}},
			text(inkText, r.Hypervisor),
			text(inkDim, string(r.Kind)),
			text(inkDim, moment(a.now, r.Started)),
			text(inkDim, lasted(took(r, a.now))),
			what,
		}
	})
}

// took is how long a run took, or has taken so far.
func took(r model.Run, now time.Time) time.Duration {
	if !r.Finished.IsZero() {
		return r.Finished.Sub(r.Started)
	}
	return now.Sub(r.Started)
}

// approve asks whether a waiting run may apply its plan, and says what it
// would destroy that nobody announced.
func approve(a *app, r *model.Run) tea.Cmd {
	if r == nil || r.State != model.RunWaiting {
		return a.say(inkDim, signNone, "no run waits for approval here")
	}
	run := *r
	level, lines := stops, []line{text(inkText, fmt.Sprintf("%s adds %d, changes %d and destroys %d.", upper(runTag(run.ID)), run.Summary.Add, run.Summary.Change, run.Summary.Destroy))}
	if len(run.Violations) > 0 {
		level = loses
		lines = append(lines, text(inkBad, "Nobody has agreed to lose this yet:"))
		for _, v := range run.Violations {
			lines = append(lines, violationLine(v))
		}
	}
	a.overlay = &confirm{
		title: "Approve " + runTag(run.ID) + " on " + run.Hypervisor + "?", level: level, name: run.Hypervisor, verb: "apply it", lines: lines,
		do: func(a *app) tea.Cmd {
			return a.order(runTag(run.ID)+" approved", func(ctx context.Context) error { return a.lab.Approve(ctx, run.ID) })
		},
	}
	return nil
}

func violationLine(v model.Violation) line {
	label := v.Label
	if label == "" {
		label = v.Address
	}
	_, part, _ := model.ParseResource(v.Address)
	switch disk := part == model.PartRoot || part == model.PartExtra; {
	case v.Action == "replace" && disk:
		return text(inkBad, "  ± "+label+" is made anew: what is on it is lost")
	case v.Action == "replace":
		return text(inkBad, "  ± "+label+" is made anew")
	case disk:
		return text(inkBad, "  − "+label+" is deleted: what is on it is lost")
	}
	return text(inkBad, "  − "+label+" is destroyed")
}

// cancelRun interrupts a run. Before it applies nothing has happened yet;
// while it applies it is asked about.
func cancelRun(a *app, r *model.Run) tea.Cmd {
	if r == nil || r.State.Ended() {
		return a.say(inkDim, signNone, "no run is under way here")
	}
	id := r.ID
	do := func(a *app) tea.Cmd {
		return a.order(runTag(id)+" is being cancelled; c again kills it", func(ctx context.Context) error { return a.lab.Cancel(ctx, id) })
	}
	if r.State != model.RunApplying {
		return do(a)
	}
	a.overlay = &confirm{
		title: "Cancel " + runTag(id) + "?", level: stops, verb: "cancel it", do: do,
		lines: []line{text(inkText, fmt.Sprintf("It has done %d of %d steps. Those stay; the next run does the rest. A second cancel kills terraform in the middle of a step.", r.Summary.Done, r.Summary.Total))},
	}
	return nil
}
