package tui

import (
	"context"
	"errors"
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// change is something that a person wants done to the desired state: what it
// would do is found out first, asked about in proportion, then done.
type change struct {
	title string // "Stop web": the title of the question, and via in the history
	verb  string // what y does
	name  string // to be typed where a disk is lost
	edit  model.Edit
	vms   []string // that it is about, where those are several
	lines []line   // said before what happens
	least damage   // asked for at least
	also  *also    // another way to do it
	noted string   // said once it is done: what was so already
	after func()   // runs once it is done
	// commit replaces the plain commit of edit.
	commit func(ctx context.Context, via string) (model.Revision, error)
}

// also is a key of a question that does more than y does: another edit, or do.
type also struct {
	key, verb string
	edit      model.Edit
	do        func(a *app) tea.Cmd
}

// propose finds out what a change would do, and asks or does it.
func (a *app) propose(c change) tea.Cmd {
	return a.async(func(context.Context) done {
		impacts, err := a.lab.Preview(c.edit)
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			level := max(damageOf(impacts), c.least)
			if level == harmless {
				return a.commit(c)
			}
			a.overlay = &confirm{
				title: c.title + "?", lines: append(c.lines, untouched(c.vms, impacts)...), impacts: impacts, level: level, name: c.name, verb: c.verb, also: c.also,
				do: func(a *app) tea.Cmd { return a.commit(c) },
			}
			return nil
		}
	})
}

// untouched says which VMs have no guest now that a change of theirs would reach.
func untouched(vms []string, impacts []model.Impact) []line {
	rest := slices.DeleteFunc(slices.Clone(vms), func(vm string) bool {
		return slices.ContainsFunc(impacts, func(i model.Impact) bool { return i.VM == vm })
	})
	if len(rest) == 0 {
		return nil
	}
	return []line{text(inkDim, sentence(rest)+plural(len(rest), " has", " have")+" no guest now that this touches.")}
}

func (a *app) commit(c change) tea.Cmd {
	via := "dashboard: " + c.title
	return a.async(func(ctx context.Context) done {
		var rev model.Revision
		var err error
		if c.commit != nil {
			rev, err = c.commit(ctx, via)
		} else {
			rev, err = a.lab.Commit(ctx, via, c.edit)
		}
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			if c.after != nil {
				c.after()
			}
			if c.noted != "" && rev.Number != 0 {
				return a.saved(c.title+" ("+c.noted+")", rev)
			}
			return a.saved(c.title, rev)
		}
	})
}

// saved says that a revision was made and offers to undo it.
func (a *app) saved(what string, rev model.Revision) tea.Cmd {
	if rev.Number == 0 {
		return a.say(inkDim, signNone, what+": it was so already")
	}
	number := ", revision " + strconv.FormatUint(rev.Number, 10)
	if !a.mayUndo(rev) {
		return a.say(inkGood, signDone, what+number)
	}
	a.last = rev
	const undo = "; u undoes it"
	if room := a.w - 3 - width(number+undo); room < width(clean(what)) { // the offer stays in sight
		what, number = cut(clean(what), room+width(number)), ""
	}
	return a.say(inkGood, signDone, what+number+undo)
}

// offerRebuild asks whether to rebuild the one guest that has what was saved
// only then.
func (a *app) offerRebuild(s *model.State, impacts []model.Impact) tea.Cmd {
	if len(impacts) != 1 || !impacts[0].AwaitsRebuild() || impacts[0].Protected {
		return nil
	}
	vm := impacts[0].VM
	if _, ok := s.VMs[vm]; !ok || !a.may(model.RoleAdmin) {
		return nil
	}
	return a.propose(change{
		title: "Rebuild " + vm, verb: "rebuild it now", name: vm, least: stops,
		lines: []line{text(inkText, "It is saved. "+upper(impacts[0].Note)+".")},
		edit:  changeVM(vm, func(v *model.VM) { v.Rebuild++ }),
	})
}

// proposeUndo asks whether to revert a revision, and shows what that does.
func (a *app) proposeUndo(rev model.Revision) tea.Cmd {
	n := strconv.FormatUint(rev.Number, 10)
	return a.propose(change{
		title: "Undo revision " + n, verb: "undo it", name: n, least: stops, edit: revert(rev),
		lines: []line{text(inkText, upper(changedWords(rev))+"."), text(inkDim, "By "+rev.Who+", "+rev.Via+".")},
		commit: func(ctx context.Context, via string) (model.Revision, error) {
			return a.lab.Undo(ctx, via, rev.Number)
		},
	})
}

// revert is the edit that an undo is, for its preview only: the server's own
// also checks what was changed since.
func revert(rev model.Revision) model.Edit {
	return func(s *model.State) error {
		var errs []error
		for _, c := range rev.Changes {
			if len(c.Before) == 0 {
				errs = append(errs, s.Drop(c.Ref))
				continue
			}
			errs = append(errs, s.Put(c.Ref, c.Before))
		}
		return errors.Join(errs...)
	}
}

// order does something that is no change of the desired state, and says so.
func (a *app) order(what string, f func(ctx context.Context) error) tea.Cmd {
	return a.async(func(ctx context.Context) done {
		err := f(ctx)
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			return a.say(inkGood, signDone, what)
		}
	})
}
