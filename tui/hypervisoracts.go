package tui

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// hypervisorActions are what can be done to a hypervisor, wherever it is shown.
func hypervisorActions(a *app, row func(a *app) *hvRow, edit binding) []action {
	var run *model.Run
	held, release, joins := keyHold, 0, false
	if r := row(a); r != nil {
		run, joins = r.run, r.st.Phase == model.PhaseNew
		if r.Hold {
			held, release = keyRelease, 1
		}
	}
	on := func(b binding, f func(a *app, r *hvRow) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if r := row(a); r != nil {
				return f(a, r)
			}
			return nil
		}}
	}
	holding := on(held, hold)
	holding.at = release
	return []action{
		on(keyPower, power),
		on(keyApply, func(a *app, r *hvRow) tea.Cmd { return startRun(a, r.Name, model.RunApply) }),
		on(keyLog, openLog),
		holding,
		on(edit, func(a *app, r *hvRow) tea.Cmd { return a.open(newHypervisorForm(a, r.Name)) }),
		on(keyPlan, func(a *app, r *hvRow) tea.Cmd { return startRun(a, r.Name, model.RunPlan) }),
		on(keyApprove, func(a *app, r *hvRow) tea.Cmd { return approve(a, r.run) }).only(run != nil && run.State == model.RunWaiting),
		on(keyCancel, func(a *app, r *hvRow) tea.Cmd { return cancelRun(a, r.run) }).only(run != nil),
		on(keyJoin, func(a *app, r *hvRow) tea.Cmd { return invite(a, r.Name) }).only(joins),
		on(keyRemoveHV, removeHypervisor),
		on(keyWatts, func(a *app, r *hvRow) tea.Cmd { return openPlot(a, model.KindHypervisor, r.Name) }),
		on(keyRecycle, cycleMachine),
		{binding: keyAllOff, do: allOff},
		on(keySalt, func(a *app, r *hvRow) tea.Cmd { return a.open(&saltScreen{name: r.Name}) }),
		on(keyReapply, func(a *app, r *hvRow) tea.Cmd { return reapply(a, r.Name) }),
	}
}

// removeHypervisor forgets a machine, its agent and the invites to it.
func removeHypervisor(a *app, r *hvRow) tea.Cmd {
	name := r.Name
	return a.propose(change{
		title: "Remove hypervisor " + name, verb: "remove it", least: stops,
		lines: []line{text(inkText, "Its agent may not connect any more. The machine itself is left as it is.")},
		edit: model.Edits(func(s *model.State) error {
			delete(s.Agents, name)
			delete(s.Invites, name)
			return nil
		}, model.Remove[model.Hypervisor](name)),
	})
}

func startRun(a *app, name string, kind model.RunKind) tea.Cmd {
	return a.async(func(ctx context.Context) done {
		run, err := a.lab.StartRun(ctx, name, kind)
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			return a.say(inkBusy, signRun, fmt.Sprintf("%s of %s started, %s; l shows its log", kind, name, runTag(run.ID)))
		}
	})
}

// openLog opens the run under way, or the last one.
func openLog(a *app, r *hvRow) tea.Cmd {
	id := r.st.Run
	if id == 0 {
		id = r.st.LastRun
	}
	if id == 0 {
		return a.say(inkDim, signNone, r.Name+" has had no run yet")
	}
	return a.open(newRunScreen(id))
}

func hold(a *app, r *hvRow) tea.Cmd {
	title := "Hold " + r.Name
	if r.Hold {
		title = "Release " + r.Name
	}
	want := !r.Hold
	return a.propose(change{title: title, edit: model.Change(r.Name, 0, func(hv *model.Hypervisor) error {
		hv.Hold = want
		return nil
	})})
}
