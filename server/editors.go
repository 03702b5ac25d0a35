package server

import (
	"slices"
	"sync"

	"homelab/model"
)

// editors knows who edits what in a dashboard, so that two people who edit the
// same thing see each other before either saves.
type editors struct {
	hub *model.Hub
	mu  sync.Mutex
	by  map[model.Ref][]*lab
}

func (e *editors) add(ref model.Ref, l *lab) (done func()) {
	e.mu.Lock()
	if e.by == nil {
		e.by = map[model.Ref][]*lab{}
	}
	e.by[ref] = append(e.by[ref], l)
	e.mu.Unlock()
	e.told(ref)
	return sync.OnceFunc(func() {
		e.mu.Lock()
		if i := slices.Index(e.by[ref], l); i >= 0 {
			e.by[ref] = slices.Delete(e.by[ref], i, i+1)
		}
		if len(e.by[ref]) == 0 {
			delete(e.by, ref)
		}
		e.mu.Unlock()
		e.told(ref)
	})
}

func (e *editors) told(ref model.Ref) {
	e.hub.Publish(model.Ref{Kind: model.KindEditing, Name: string(ref.Kind) + " " + ref.Name})
}

// others are the users who edit a thing in other sessions than l's.
func (e *editors) others(ref model.Ref, l *lab) []string {
	e.mu.Lock()
	all := slices.Clone(e.by[ref])
	e.mu.Unlock()
	var names []string
	for _, other := range all {
		if other != l {
			names = append(names, other.User().Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Editing says that this session edits a thing, until done is called.
func (l *lab) Editing(ref model.Ref) (done func()) { return l.s.editors.add(ref, l) }

// Editors are who edits a thing in other sessions.
func (l *lab) Editors(ref model.Ref) []string { return l.s.editors.others(ref, l) }
