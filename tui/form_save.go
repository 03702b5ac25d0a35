package tui

import (
	"context"
	"errors"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// save finds out what saving does, asks where it costs something, and commits.
func (f *form) save(a *app) tea.Cmd {
	if f.saving {
		return nil
	}
	f.saving, f.tried = true, true
	v, base := f.values(), f.base
	return a.async(func(context.Context) done {
		impacts, err := a.lab.Preview(f.edit(v, base))
		err = whoElse(a.lab, err)
		now := a.lab.State() // the cache may be older than a conflict
		return func(a *app) tea.Cmd {
			f.saving = false
			if err != nil {
				return f.refused(a, err, now)
			}
			f.known, f.impacts = f.serial, impacts
			f.blame(nil)
			if level := damageOf(impacts); level > harmless {
				a.overlay = &confirm{
					title: "Save " + f.name(v) + "?", impacts: impacts, level: level, name: f.name(v), verb: "save it",
					do: func(a *app) tea.Cmd { return f.commit(a, v, base) },
				}
				return nil
			}
			return f.commit(a, v, base)
		}
	})
}

// whoElse finds out who made the revision that a conflict is with.
func whoElse(lab Lab, err error) error {
	var conflict *model.ConflictError
	if !errors.As(err, &conflict) || conflict.Who != "" {
		return err
	}
	c := *conflict
	c.Who = whoMade(lab, c.Version)
	return &c
}

// whoMade says whose a revision is, if that is known.
func whoMade(lab Lab, revision uint64) string {
	if revs, _ := lab.History(revision+1, 1); len(revs) > 0 && revs[0].Number == revision {
		return revs[0].Who
	}
	return ""
}

// name is what the object is called.
func (f *form) name(v values) string {
	if f.ref.Name != "" {
		return f.ref.Name
	}
	return v["name"]
}

// refused shows a conflict, goes to the first field that is wrong, or says
// what else is. What was typed stays.
func (f *form) refused(a *app, err error, now *model.State) tea.Cmd {
	var conflict *model.ConflictError
	if errors.As(err, &conflict) {
		a.overlay = newConflictBox(f, conflict, now)
		return nil
	}
	f.known, f.impacts = f.serial, nil
	f.blame(err)
	for i, fl := range f.fields {
		if fl.err != "" {
			f.goTo(i)
			fl.in.all = false // what is wrong is put right, not typed anew
			return f.notYet(a, fl)
		}
	}
	return a.fail(err)
}

// notYet says what is wrong with a field. Where the status line has no room the
// hint does, or else a box.
func (f *form) notYet(a *app, fl *field) tea.Cmd {
	words := fl.label + " " + fl.err
	switch {
	case width(clean("not saved: "+words)) <= a.w-3:
		return a.say(inkBad, signFailed, "not saved: "+words)
	case len(wrap(words, f.w-3)) <= hintRows(f.w):
		return a.say(inkBad, signFailed, "not saved: "+fl.label+" to put right")
	}
	return a.fail(errors.New("not saved: " + words))
}

func (f *form) commit(a *app, v values, base uint64) tea.Cmd {
	f.saving = true
	what := f.verb
	if f.ref.Name == "" {
		what += " " + v["name"]
	}
	edit, via := f.edit(v, base), "dashboard: "+what
	return a.async(func(ctx context.Context) done {
		rev, err := a.lab.Commit(ctx, via, edit)
		err = whoElse(a.lab, err)
		now := a.lab.State()
		var half error
		var kept bool
		if err == nil && f.also != nil {
			kept, half = f.also(ctx, a.lab, via, v)
		}
		return func(a *app) tea.Cmd {
			f.saving = false
			if err != nil {
				return f.refused(a, err, now)
			}
			f.start = f.values()
			back := a.leave(f)
			if half != nil {
				return tea.Batch(back, a.fail(half))
			}
			if v["name"] != "" {
				a.lookAt(v["name"])
			}
			if kept && rev.Number == 0 { // secrets make no revision
				return tea.Batch(back, a.say(inkGood, signDone, upper(what)+": what is secret is kept"))
			}
			return tea.Batch(back, a.saved(upper(what), rev), a.offerRebuild(now, f.impacts))
		}
	})
}

// lookAt chooses what was added or renamed, as soon as it is there.
func (a *app) lookAt(name string) {
	switch s := a.top().(type) {
	case *vmDetail:
		s.name = name
	case listed:
		l := s.rows()
		l.want = name
		if l.choose(name) {
			l.want = ""
		}
	}
}

// quit leaves the form, after a question where something was typed.
func (f *form) quit(a *app) tea.Cmd {
	if !f.unsaved() {
		return a.back()
	}
	a.overlay = &confirm{
		title: "Leave without saving?", level: stops, verb: "throw it away", no: "go on editing",
		lines: []line{text(inkText, "What you typed has not been saved.")},
		do:    func(a *app) tea.Cmd { return a.leave(f) },
	}
	return nil
}
