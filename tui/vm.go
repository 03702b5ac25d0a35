package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// vmDetail is all that is known of one VM: what it is, what it uses, the runs
// that touched it and who changed it.
type vmDetail struct {
	reel
	name string

	runs    []touch
	history []model.Revision
	mark    string // what these were read for
	reading bool
	err     error
}

// touch is a run and what it did to a VM.
type touch struct {
	run  model.Run
	what []model.Resource
}

// mostRead is how many runs and revisions are looked through.
const (
	mostRunsRead      = 50
	mostRevisionsRead = 500
)

func (s *vmDetail) title() string     { return s.name }
func (s *vmDetail) row(a *app) *vmRow { r, _ := a.cache.vm(s.name); return r }

func (s *vmDetail) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	vm := s.row(a)
	if vm == nil || s.reading {
		return nil
	}
	mark := fmt.Sprint(vm.Version)
	if r, ok := a.cache.hypervisor(vm.Hypervisor); ok {
		mark += fmt.Sprint(markOf(r))
	}
	if mark == s.mark {
		return nil
	}
	s.mark, s.reading = mark, true
	name, id, hv := vm.Name, vm.ID, vm.Hypervisor
	return a.async(func(context.Context) done {
		runs, err := touching(a.lab, id, hv)
		var history []model.Revision
		if err == nil {
			history, err = about(a.lab, name)
		}
		return func(a *app) tea.Cmd {
			s.runs, s.history, s.err, s.reading = runs, history, err, false
			return s.refresh(a, nil) // it may have gone on meanwhile
		}
	})
}

// touching finds the runs of a hypervisor that touched a VM, newest first.
func touching(lab Lab, id, hypervisor string) ([]touch, error) {
	all, err := lab.Runs(hypervisor)
	if err != nil {
		return nil, err
	}
	var out []touch
	for _, head := range all[:min(len(all), mostRunsRead)] {
		run, err := lab.Run(head.ID)
		if err != nil {
			continue // it is not kept any more
		}
		t := touch{run: run}
		for _, res := range run.Resources {
			if vm, _, ok := model.ParseResource(res.Address); ok && vm == id {
				t.what = append(t.what, res)
			}
		}
		if len(t.what) > 0 {
			out = append(out, t)
		}
	}
	return out, nil
}

// about finds the revisions that changed a VM, newest first.
func about(lab Lab, name string) ([]model.Revision, error) {
	revs, err := lab.History(0, mostRevisionsRead)
	var out []model.Revision
	for _, r := range revs {
		if slices.ContainsFunc(r.Changes, func(c model.ObjectChange) bool { return c.Kind == model.KindVM && c.Name == name }) {
			out = append(out, r)
		}
	}
	return out, err
}

func (s *vmDetail) actions(a *app) []action {
	acts := vmActions(a, s.row)
	acts = slices.DeleteFunc(acts, func(act action) bool { return act.long == keyDetails.long })
	return append(acts,
		action{binding: keyWatts, do: func(a *app) tea.Cmd { return openPlot(a, model.KindVM, s.name) }},
		action{binding: keyScroll})
}

func (s *vmDetail) draw(a *app, w, h int) []line {
	vm := s.row(a)
	if vm == nil {
		return []line{nil, text(inkDim, "  "+s.name+" is gone: it was removed or renamed. esc goes back.")}
	}
	var body []line
	if w >= wide {
		left, right := vmPane(a, vm, w/2-2), s.past(a, vm, w/2-2)
		rows := max(len(left), len(right), h)
		body = beside(left, right, w/2, w-w/2, rows)
	} else {
		body = append(append(vmPane(a, vm, w), nil), s.past(a, vm, w)...)
	}
	return s.show(body, h)
}

// past is which runs touched a VM, and who changed it.
func (s *vmDetail) past(a *app, vm *vmRow, w int) []line {
	out := []line{text(inkHead, " RUNS THAT TOUCHED IT")}
	switch {
	case s.err != nil:
		out = append(out, wrapped(inkBad, " "+s.err.Error(), w-2, 1)...)
	case len(s.runs) == 0:
		out = append(out, text(inkDim, either(s.reading, " reading …", " none that is kept")))
	}
	for _, t := range s.runs {
		sign, colour := runSign(t.run.State)
		l := append(line{{" " + sign + " ", colour}}, text(inkText, strconv.FormatUint(t.run.ID, 10)).fit(5)...)
		l = append(l, text(inkDim, moment(a.now, t.run.Started)).fit(13)...)
		var did []string
		last := ""
		for _, res := range t.what {
			part := strings.TrimSpace(strings.TrimPrefix(res.Label, vm.Name))
			if res.Action != last {
				part = res.Action + " " + part
			}
			did, last = append(did, part), res.Action
		}
		out = append(out, append(l, span{strings.Join(did, ", "), inkText}))
	}
	out = append(out, nil, text(inkHead, " HISTORY"))
	if len(s.history) == 0 && s.err == nil {
		out = append(out, text(inkDim, either(s.reading, " reading …", " no change of it is kept")))
	}
	for _, r := range s.history {
		l := append(text(inkName, fmt.Sprintf(" %4d ", r.Number)), text(inkDim, moment(a.now, r.Time)).fit(13)...)
		l = append(l, text(inkText, r.Who).fit(10)...)
		out = append(out, append(l, changesOf(r, vm.Name)...))
	}
	return out
}

// changesOf says what a revision changed of one VM.
func changesOf(r model.Revision, vm string) line {
	for _, c := range r.Changes {
		if c.Kind != model.KindVM || c.Name != vm {
			continue
		}
		switch {
		case len(c.Before) == 0:
			return text(inkGood, "+ added")
		case len(c.After) == 0:
			return text(inkBad, "− removed")
		}
		var parts []string
		for _, d := range diff(c) {
			parts = append(parts, d.key+" "+orNone(d.before)+" → "+orNone(d.after))
		}
		return text(inkText, strings.Join(parts, ", "))
	}
	return nil
}

// vmSeen is what is seen of a VM's guest: its addresses, and what it uses.
func vmSeen(a *app, vm *vmRow, w int) []line {
	st := a.cache.status.Hypervisors[vm.Hypervisor]
	g, ok := st.Guest(vm.ID)
	if !ok {
		return nil
	}
	var out []line
	if len(g.Addresses) > 0 {
		out = append(out, factParts("addresses", g.Addresses, w)...)
	}
	if !g.Since.IsZero() {
		out = append(out, fact("up since", text(inkText, moment(a.now, g.Since))))
	}
	if l, ok := st.GuestLoad(g); ok {
		out = append(out, factParts("uses", []string{
			fmt.Sprintf("CPU %d %%", l.CPUPercent),
			mebibytes(l.MemoryUsedMiB) + " of " + mebibytes(l.MemoryMiB),
			"disk " + mebibytes(l.DiskUsedMiB) + " of " + mebibytes(l.DiskMiB),
		}, w)...)
	}
	for _, d := range st.Drift {
		if d.VM == vm.Name {
			out = append(out, fact("drifted", text(inkWarn, signWarn+" "+d.String())))
		}
	}
	return out
}
