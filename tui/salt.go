package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

var (
	keySalt    = bind("t", "", "what Salt says: the last state.apply, state by state")
	keyReapply = bind("T", "", "apply the Salt state again", "T").by(model.RoleOperator)
)

// minion is what is known of a VM's minion; false where no master is asked
// about it.
func (c *cache) minion(vm *vmRow) (model.SaltStatus, bool) {
	st, ok := c.status.Minions[vm.ID]
	return st, ok
}

// saltInk is how well a minion is.
func saltInk(s model.SaltState) ink {
	switch s {
	case model.SaltConfigured:
		return inkGood
	case model.SaltFailed, model.SaltDenied, model.SaltRejected:
		return inkBad
	case model.SaltPending:
		return inkWarn
	case model.SaltConfiguring:
		return inkBusy
	case model.SaltUp:
		return inkText
	}
	return inkDim
}

// saltLine says a minion's state in words.
func saltLine(st model.SaltStatus) line { return text(saltInk(st.State), st.String()) }

// saltCell says it in the list of VMs.
func saltCell(a *app, vm *vmRow) line {
	st, ok := a.cache.minion(vm)
	if !ok {
		return text(inkDim, "–")
	}
	return saltLine(st)
}

// vmSalt is what the detail of a VM says of Salt.
func vmSalt(a *app, vm *vmRow, w int) []line {
	st, ok := a.cache.minion(vm)
	if !ok {
		return []line{fact("salt", text(inkText, orNone(a.cache.state.Master(vm.VM))))}
	}
	var out []line
	for n, l := range wrapped(saltInk(st.State), st.String(), w-11, 0) {
		out = append(out, fact(either(n == 0, "salt", ""), l))
	}
	by := "by " + st.Master
	if !st.Since.IsZero() {
		by += " since " + moment(a.now, st.Since)
	}
	return append(out, fact("", text(inkDim, by+"; t shows more")))
}

// saltNotes say which machines Salt could not configure, and which master does
// not answer.
func saltNotes(c *cache) []note {
	var notes []note
	for _, name := range model.Names(c.status.SaltMasters) {
		if st := c.status.SaltMasters[name]; st.Error != "" {
			notes = append(notes, note{ink: inkWarn, rank: 3, sign: signWarn, hv: name, text: "Salt master: " + firstLine(st.Error)})
		}
	}
	for i := range c.vms {
		if st, ok := c.minion(&c.vms[i]); ok && st.State == model.SaltFailed && c.vms[i].guest.up {
			notes = append(notes, note{ink: inkBad, rank: 3, sign: signFailed, hv: c.vms[i].Name, text: "Salt " + firstLine(st.String())})
		}
	}
	return notes
}

// reapply has the minion of a VM or a hypervisor apply its state, and shows how
// that goes.
func reapply(a *app, name string) tea.Cmd {
	order := a.async(func(ctx context.Context) done {
		var failed string
		err := a.lab.SaltApply(ctx, []string{name}, func() {}, func(answer model.SaltAnswer) {
			switch {
			case answer.Error != "":
				failed = answer.Error
			case answer.Failed():
				failed = answer.Result.Failure()
			}
		})
		return func(a *app) tea.Cmd {
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return nil // it goes on, and shows
			case failed != "":
				return a.fail(errors.New(name + ": " + failed))
			case err != nil:
				return a.fail(err)
			}
			return a.say(inkGood, signDone, name+" is configured")
		}
	})
	said := a.say(inkBusy, signRun, "Salt applies the state of "+name)
	if s, ok := a.top().(*saltScreen); ok && s.name == name {
		return tea.Batch(order, said)
	}
	return tea.Batch(order, said, a.open(&saltScreen{name: name}))
}

// saltScreen is the minion of a VM or a hypervisor: its state, and what came of
// the last state.apply, state by state.
type saltScreen struct {
	reel
	name string
}

func (s *saltScreen) title() string                                { return "Salt " + s.name }
func (s *saltScreen) refresh(*app, map[model.Ref]struct{}) tea.Cmd { return nil }

func (s *saltScreen) status(a *app) (model.SaltStatus, bool) {
	if vm, ok := a.cache.vm(s.name); ok {
		return a.cache.minion(vm)
	}
	if hv, ok := a.cache.hypervisor(s.name); ok && hv.st.Salt != nil {
		return *hv.st.Salt, true
	}
	return model.SaltStatus{}, false
}

func (s *saltScreen) actions(*app) []action {
	again := keyReapply
	again.short = "apply again"
	return []action{
		{binding: again, do: func(a *app) tea.Cmd { return reapply(a, s.name) }},
		{binding: keyScroll},
	}
}

func (s *saltScreen) draw(a *app, w, h int) []line {
	st, ok := s.status(a)
	if !ok {
		return []line{nil, text(inkText, "  No Salt master is asked about "+s.name+"."), nil, text(inkDim, "  salt master edit NAME --reach 'sudo -n' says how its command line is reached.")}
	}
	top := []line{
		fact("state", saltLine(st)),
		fact("minion", line{{st.Minion, inkText}, {" of " + st.Master, inkDim}}),
	}
	if st.Result == nil {
		return append(top, nil, text(inkDim, " No state.apply was seen yet. T applies the state now."))
	}
	top = append(top, fact("applied", text(inkDim, age(a.now, st.Result.At)+", "+resultWords(st.Result))), nil)
	return append(top, s.show(resultLines(st.Result, w), h-len(top))...)
}

func resultWords(r *model.SaltResult) string {
	failed, took := 0, 0.0
	for _, step := range r.Steps {
		took += step.Seconds
		if !step.OK {
			failed++
		}
	}
	words := []string{count(len(r.Steps), "state")}
	if n := r.Changed(); n > 0 {
		words = append(words, fmt.Sprintf("%d changed", n))
	}
	if failed > 0 {
		words = append(words, fmt.Sprintf("%d failed", failed))
	}
	return strings.Join(words, ", ") + fmt.Sprintf(" in %.1f s", took)
}

// resultLines lists a result, what failed with all that is said of it.
func resultLines(r *model.SaltResult, w int) []line {
	var out []line
	for _, e := range r.Errors {
		out = append(out, wrapped(inkBad, " "+e, w-1, 1)...)
	}
	for _, step := range r.Steps {
		sign, colour := signDone, inkDim
		switch {
		case !step.OK:
			sign, colour = signFailed, inkBad
		case len(step.Changes) > 0:
			sign, colour = signHalf, inkGood
		}
		left := line{{" " + sign + " ", colour}, {step.ID, inkText}, {"  " + step.Function, inkDim}}
		out = append(out, spread(left, text(inkDim, fmt.Sprintf("%.1f s ", step.Seconds)), w-1))
		switch {
		case !step.OK:
			out = append(out, wrapped(inkBad, "     "+step.Comment, w-1, 5)...)
		case len(step.Changes) > 0:
			out = append(out, text(inkDim, "     "+firstLine(step.Comment)))
		}
	}
	return out
}
