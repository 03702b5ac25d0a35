package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// recentRuns keeps the runs of the hypervisors that were looked at. They are
// read again when the hypervisor's newest run or its state is another.
type recentRuns map[string]*runsOf

type runsOf struct {
	mark runMark
	list []model.Run
}

// runMark changes when a hypervisor's list of runs does.
type runMark struct {
	last, run uint64
	state     model.RunState
	phase     model.Phase
}

func markOf(r *hvRow) runMark {
	m := runMark{last: r.st.LastRun, run: r.st.Run, phase: r.st.Phase}
	if r.run != nil {
		m.state = r.run.State
	}
	return m
}

// needRuns reads the runs of a hypervisor if what is known of them is old.
func (a *app) needRuns(name string) tea.Cmd {
	r, ok := a.cache.hypervisor(name)
	if !ok {
		return nil
	}
	if a.recent == nil {
		a.recent = recentRuns{}
	}
	mark := markOf(r)
	have := a.recent[name]
	if have == nil {
		have = &runsOf{}
		a.recent[name] = have
	} else if have.mark == mark {
		return nil
	}
	have.mark = mark
	return a.async(func(context.Context) done {
		list, err := a.lab.Runs(name)
		return func(a *app) tea.Cmd {
			if err != nil {
				have.mark = runMark{}
				return a.fail(err)
			}
			have.list = list
			return nil
		}
	})
}

// runsFor are the known runs of a hypervisor, newest first, those under way
// as they are now.
func (a *app) runsFor(name string) []model.Run {
	have := a.recent[name]
	if have == nil {
		return nil
	}
	return a.live(have.list)
}

// live puts what is known now in the place of runs that are under way.
func (a *app) live(list []model.Run) []model.Run {
	out := make([]model.Run, len(list))
	for i, r := range list {
		if now, ok := a.cache.status.Runs[r.ID]; ok {
			r = now
		}
		out[i] = r
	}
	return out
}
