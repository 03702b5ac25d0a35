package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// news tells what has ended since the cache before, wherever it was started:
// runs, and machines that were switched on or off.
func (a *app) news(before *cache) tea.Cmd {
	var cmds []tea.Cmd
	for id := range before.status.Runs {
		if _, still := a.cache.status.Runs[id]; !still && !a.watches(id) {
			cmds = append(cmds, a.tellRun(id))
		}
	}
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		was, now := running(before.status.Hypervisors[r.Name]), r.st.Sequence
		if was == nil || now == nil || now.Ended.IsZero() || !now.At.Equal(was.At) {
			continue
		}
		goal := map[string]string{"on": "on", "off": "off", "cycle": "on again"}[now.Goal]
		if now.Error != "" {
			cmds = append(cmds, a.alarm(r.Name+" is not "+goal+": "+firstLine(now.Error)))
		} else {
			cmds = append(cmds, a.tell(inkGood, signDone, r.Name+" is "+goal))
		}
	}
	return tea.Batch(cmds...)
}

// watches tells whether a run is on the front screen.
func (a *app) watches(run uint64) bool {
	s, ok := a.top().(*runScreen)
	return ok && s.id == run
}

// tellRun says how a run ended, if anything came of it.
func (a *app) tellRun(id uint64) tea.Cmd {
	return a.async(func(context.Context) done {
		run, err := a.lab.Run(id)
		return func(a *app) tea.Cmd {
			what := run.Hypervisor + ": " + runTag(id) + " " + runWord(run.State)
			switch {
			case err != nil: // it is not kept: its plan had nothing to change
			case run.State == model.RunSucceeded:
				return a.tell(inkGood, signDone, what)
			case run.State == model.RunFailed:
				return a.alarm(what + ": " + firstLine(run.Error))
			case run.State == model.RunCancelled:
				return a.tell(inkDim, signNone, what)
			}
			return nil
		}
	})
}
