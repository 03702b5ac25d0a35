package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// runScreen is one run: how far each step is, why it waits, and its log.
type runScreen struct {
	id      uint64
	run     model.Run
	known   bool
	gone    bool
	log     logView
	noSteps bool
	full    bool // the log alone
	reading bool
}

func newRunScreen(id uint64) *runScreen { return &runScreen{id: id, log: logView{run: id}} }

func (s *runScreen) title() string { return upper(runTag(s.id)) }

func (s *runScreen) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	name := strconv.FormatUint(s.id, 10)
	_, grew := dirty[model.Ref{Kind: model.KindLog, Name: name}]
	_, moved := dirty[model.Ref{Kind: model.KindRun, Name: name}]
	var cmds []tea.Cmd
	if dirty == nil || grew || moved {
		cmds = append(cmds, s.log.more(a))
	}
	if run, ok := a.cache.status.Runs[s.id]; ok {
		s.run, s.known = run, true
	} else if dirty == nil || moved || s.known && !s.run.State.Ended() {
		cmds = append(cmds, s.read(a))
	}
	return tea.Batch(cmds...)
}

// read reads a run that is not under way any more.
func (s *runScreen) read(a *app) tea.Cmd {
	if s.reading {
		return nil
	}
	s.reading = true
	return a.async(func(context.Context) done {
		run, err := a.lab.Run(s.id)
		return func(a *app) tea.Cmd {
			s.reading = false
			if err != nil {
				s.gone = !s.known
				s.run.State = model.RunNoop
				return nil
			}
			s.run, s.known = run, true
			return nil
		}
	})
}

// newer is the newest run of the same machine, if there is a newer one: 0 is none.
func (s *runScreen) newer(a *app) uint64 {
	st := a.cache.status.Hypervisors[s.run.Hypervisor]
	if id := max(st.Run, st.LastRun); id > s.id {
		return id
	}
	return 0
}

func (s *runScreen) actions(a *app) []action {
	id := s.newer(a)
	newest := keyLog
	newest.short, newest.long = runTag(id), "go to the newest run of this machine"
	scroll := keyMove
	scroll.short, scroll.long = "scroll", "scroll the log; also j k, pgup pgdown, ctrl+u ctrl+d, gg G"
	scroll.keys = append([]string{"b", "space"}, scroll.keys...)
	return append([]action{
		action{binding: newest, do: func(a *app) tea.Cmd {
			if id == 0 {
				return a.say(inkDim, signNone, "this is the newest run of "+s.run.Hypervisor)
			}
			a.going()
			a.stack = append(slices.Clone(a.stack[:len(a.stack)-1]), newRunScreen(id))
			return a.top().refresh(a, nil)
		}}.only(id != 0),
		action{binding: keyApprove, do: func(a *app) tea.Cmd { return approve(a, &s.run) }}.only(s.run.State == model.RunWaiting),
		action{binding: keyCancel, do: func(a *app) tea.Cmd { return cancelRun(a, &s.run) }}.only(s.known && !s.run.State.Ended()),
		action{binding: keyFollow, do: func(a *app) tea.Cmd {
			s.log.free = false
			return nil
		}}.only(s.log.free),
		{binding: keyDiff, do: func(a *app) tea.Cmd { return a.open(&planScreen{of: s}) }},
		{binding: keySteps, at: either(s.full, -1, 0), do: func(a *app) tea.Cmd {
			s.noSteps = !s.noSteps
			return nil
		}},
		{binding: scroll},
	}, s.logActions()...)
}

// scroll moves in the log.
func (s *runScreen) scroll(k tea.KeyPressMsg) bool { return s.log.key(k) }

func (s *runScreen) draw(a *app, w, h int) []line {
	if !s.known {
		words := "  Reading …"
		if s.gone {
			words = "  This run is not kept any more: its plan had nothing to change, or 50 newer ones have come."
		}
		return []line{nil, text(inkDim, words)}
	}
	if s.full {
		return s.logBlock(a, w, h)
	}
	top := s.summary(a, w)
	body := h - len(top)
	if s.noSteps {
		return append(top, s.logBlock(a, w, body)...)
	}
	if w >= wide {
		lw := 46
		return append(top, beside(s.steps(lw, body), s.logBlock(a, w-lw-2, body), lw, w-lw, body)...)
	}
	steps := s.steps(w, max(body/3, 1))
	steps = append(steps, make([]line, max(body/3, 1)-len(steps))...)
	return append(append(top, steps...), s.logBlock(a, w, body-len(steps))...)
}

// summary is where the run is, what is wrong or waited for, and whether there
// is a newer one.
func (s *runScreen) summary(a *app, w int) []line {
	r := s.run
	sign, colour := runSign(r.State)
	what := "  " + string(r.Kind) + " on " + r.Hypervisor + "  "
	if w < 60 {
		what = "  " + r.Hypervisor + "  "
	}
	l := append(line{{" " + sign + " " + runWord(r.State), colour}, {what, inkText}}, changes(r.Summary)...)
	l = fill(w, l, append(text(inkText, "  "), bar(r.Summary.Done, r.Summary.Total, 16)...),
		text(inkDim, "  "+lasted(took(r, a.now))), text(inkDim, fmt.Sprintf("  r%d", r.Revision)))
	second := line{{" started " + moment(a.now, r.Started), inkDim}, {"  config " + digest(r.Digest), inkDim}}
	switch {
	case r.State == model.RunWaiting && len(r.Violations) > 0:
		second = text(inkWarn, " "+signWarn+" y approves: it would destroy "+sentence(labels(r.Violations))+", which nobody announced")
	case r.State == model.RunWaiting:
		second = text(inkWarn, " "+signWarn+" waits for approval: y applies the plan, c drops it")
	case r.Error != "":
		second = text(inkBad, " "+signFailed+" "+firstLine(r.Error))
	}
	if a.h < 16 {
		return []line{l, second}
	}
	var third line
	if id := s.newer(a); id != 0 {
		third = line{{" " + signRun + " " + runTag(id) + " is newer: ", inkBusy}, {"l", inkKey}, {" shows it", inkBusy}}
	}
	return []line{l, second, third}
}

// steps lists the resources, those under way in sight.
func (s *runScreen) steps(w, h int) []line {
	all := s.run.Resources
	if len(all) == 0 {
		return []line{text(inkHead, " STEPS"), text(inkDim, "   no plan yet")}
	}
	out := []line{text(inkHead, " STEPS")}
	rows := h - 1
	first := 0
	for i, res := range all {
		if res.Status == model.ResourceRunning || res.Status == model.ResourceFailed {
			first = max(i-rows/2, 0)
			break
		}
		if res.Status == model.ResourceDone {
			first = max(i-rows+2, 0)
		}
	}
	first = max(min(first, len(all)-rows), 0)
	if rows < len(all) {
		out[0] = append(out[0], span{fmt.Sprintf("  %d more", len(all)-rows), inkDim})
	}
	for _, res := range all[first:min(first+rows, len(all))] {
		sign, colour := resourceSign(res.Status)
		label := res.Label
		if label == "" {
			label = res.Address
		}
		right := line{{res.Action, colour}, {" ", inkText}}
		switch {
		case res.Action == model.ActionFetch && res.Status == model.ResourceRunning:
			right = append(transferred(res.DoneBytes, res.TotalBytes, w/4), right...)
		case res.Seconds >= 1:
			right = line{{res.Action, colour}, {fmt.Sprintf(" %d s ", int(res.Seconds)), inkDim}}
		}
		out = append(out, spread(line{{" " + sign + " ", colour}, {label, inkText}}, right, w-1))
	}
	return out
}

// logBlock is the log under its heading.
func (s *runScreen) logBlock(a *app, w, h int) []line {
	head := line{{" LOG", inkHead}}
	switch {
	case s.log.free:
		words := "  stays here; f follows"
		if left := len(s.log.lines) - s.log.top - s.log.h; left > 0 {
			words = "  scrolled, " + count(left, "line") + " below; f follows"
		}
		head = append(head, span{words, inkWarn})
	case !s.run.State.Ended():
		head = append(head, span{"  following", inkDim})
	}
	out := []line{head}
	for _, l := range s.log.draw(a, w-1, h-1) {
		out = append(out, append(line{{" ", inkText}}, l...))
	}
	return out
}
