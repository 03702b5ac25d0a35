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

const historyPage = 100 // revisions read at once

// history lists who changed what, newest first, and undoes it.
type history struct {
	list    list
	all     []model.Revision
	seen    uint64 // the state's revision when the list was read
	reading bool
	whole   bool // there is nothing older
	said    map[uint64]string
	who     int // columns of the widest
}

func (s *history) title() string { return "History" }
func (s *history) rows() *list   { return &s.list }

func (s *history) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.state.Revision && s.all != nil {
		return nil
	}
	s.seen = a.cache.state.Revision
	return s.read(a, 0)
}

// read reads a page of revisions older than before; 0 is the newest.
func (s *history) read(a *app, before uint64) tea.Cmd {
	if s.reading {
		return nil
	}
	s.reading = true
	want := a.cache.state.Revision
	return a.async(func(context.Context) done {
		revs, err := a.lab.History(before, historyPage)
		return func(a *app) tea.Cmd {
			s.reading = false
			if err != nil {
				return a.fail(err)
			}
			s.add(revs, before)
			if a.cache.state.Revision != want {
				return s.read(a, 0)
			}
			return nil
		}
	})
}

// add puts a page where it belongs: newer ones before, older ones behind.
func (s *history) add(revs []model.Revision, before uint64) {
	switch {
	case before != 0:
		s.all = append(s.all, revs...)
		s.whole = len(revs) < historyPage
	case len(s.all) > 0 && len(revs) > 0 && revs[len(revs)-1].Number <= s.all[0].Number:
		newest := s.all[0].Number
		n := slices.IndexFunc(revs, func(r model.Revision) bool { return r.Number <= newest })
		s.all = append(slices.Clone(revs[:n]), s.all...)
	default:
		s.all, s.whole = revs, len(revs) < historyPage
	}
	if s.said == nil {
		s.said = map[uint64]string{}
	}
	keys, search := make([]string, len(s.all)), make([]string, len(s.all))
	s.who = 3
	for i, r := range s.all {
		s.who = min(max(s.who, width(clean(r.Who))), 20)
		if _, ok := s.said[r.Number]; !ok {
			s.said[r.Number] = changedWords(r)
		}
		keys[i] = strconv.FormatUint(r.Number, 10)
		search[i] = strings.ToLower(fmt.Sprintf("revision:%d who:%s via:%s %s", r.Number, r.Who, r.Via, s.said[r.Number]))
	}
	s.list.set(keys, search)
}

// moved reads older revisions when the end comes near.
func (s *history) moved(a *app) tea.Cmd {
	if i, ok := s.list.index(); ok && !s.whole && i > len(s.all)-20 && len(s.all) > 0 {
		return s.read(a, s.all[len(s.all)-1].Number)
	}
	return nil
}

func (s *history) chosen() (model.Revision, bool) {
	if i, ok := s.list.index(); ok && i < len(s.all) {
		return s.all[i], true
	}
	return model.Revision{}, false
}

func (s *history) actions(a *app) []action {
	on := func(b binding, f func(a *app, r model.Revision) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if r, ok := s.chosen(); ok {
				return f(a, r)
			}
			return nil
		}}
	}
	r, _ := s.chosen()
	return []action{
		on(keyOpen, func(a *app, r model.Revision) tea.Cmd { return a.open(&revision{rev: r}) }),
		on(undoKey(a, r), func(a *app, r model.Revision) tea.Cmd { return a.proposeUndo(r) }),
	}
}

func (s *history) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "Nothing has been changed yet.", "", w)
	}
	if w >= wide {
		lw := w * 55 / 100
		var right []line
		if r, ok := s.chosen(); ok {
			right = diffLines(a, r, w-lw-3)
		}
		return beside(s.table(a, lw, h), right, lw, w-lw, h)
	}
	foot := 0
	if h >= 18 {
		foot = 6
	}
	out := s.table(a, w, h-foot)
	if r, ok := s.chosen(); ok && foot > 0 {
		out = append(out, make([]line, h-foot-len(out))...)
		body := diffLines(a, r, w-2)
		body = body[min(2, len(body)):]
		if len(body) > foot-1 {
			body = append(body[:foot-2], text(inkDim, "   enter shows all of it"))
		}
		out = append(append(out, text(inkHead, " CHANGED")), body...)
	}
	return out
}

func (s *history) table(a *app, w, h int) []line {
	cols := []column{
		{head: "REV", w: 5, right: true},
		{head: "WHEN", w: 12, drop: 2},
		{head: "WHO", w: s.who, drop: 1},
		{head: "WHAT", w: 26, grow: true},
	}
	return s.list.draw(w, h, cols, func(i int) []line {
		r := s.all[i]
		what := text(inkText, s.said[r.Number])
		if r.Undoes != 0 {
			what = append(line{{fmt.Sprintf("undoes %d: ", r.Undoes), inkBusy}}, what...)
		}
		return []line{
			text(inkName, strconv.FormatUint(r.Number, 10)),
			text(inkDim, moment(a.now, r.Time)),
			text(inkText, r.Who),
			what,
		}
	})
}

// revision is one revision, field by field.
type revision struct {
	reel
	rev model.Revision
}

func (s *revision) title() string                                { return fmt.Sprintf("Revision %d", s.rev.Number) }
func (s *revision) refresh(*app, map[model.Ref]struct{}) tea.Cmd { return nil }

// undoKey is the key that undoes a revision, for those who may.
func undoKey(a *app, r model.Revision) binding {
	if a.mayUndo(r) {
		return keyUndo
	}
	return keyUndo.by(model.RoleAdmin)
}

func (s *revision) actions(a *app) []action {
	return []action{
		{binding: undoKey(a, s.rev), do: func(a *app) tea.Cmd { return a.proposeUndo(s.rev) }},
		{binding: keyScroll},
	}
}

func (s *revision) draw(a *app, w, h int) []line { return s.window(diffLines(a, s.rev, w-2), h) }
