package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"homelab/model"
	"homelab/server/command"
	"homelab/tui"
)

// lab is the lab as one connected user may use it: what screens and commands
// are handed. Permissions are checked here and nowhere else, against the role
// that the user has at that moment.
type lab struct {
	s       *Server
	with    credential // that the user has proved to have
	address string     // HOST:PORT that it connected to
	doing   string     // what it is used for, for the audit: a command, or the dashboard
	seen    atomic.Pointer[redacted]
}

var (
	_ tui.Lab     = (*lab)(nil)
	_ command.Lab = (*lab)(nil)
)

func (s *Server) lab(with credential, address string) *lab {
	return &lab{s: s, with: with, address: address}
}

// PermissionError says that a user may not do something.
type PermissionError struct {
	User string
	Role model.Role // that the user has
	Need model.Role
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s has the role %s and this needs %s: ask an admin", e.User, e.Role, e.Need)
}

var ranks = map[model.Role]int{model.RoleViewer: 1, model.RoleOperator: 2, model.RoleAdmin: 3}

// has tells whether the user has at least a role now. One whose key was
// removed has none.
func (l *lab) has(need model.Role) bool { return ranks[l.User().Role] >= ranks[need] }

// may is has for what is about to be done: that it is refused is noted.
func (l *lab) may(need model.Role) error { return l.noted(l.check(need)) }

func (l *lab) check(need model.Role) error {
	switch user := l.User(); {
	case user.Name == "":
		return errors.New("the key that you connected with may not connect any more")
	case ranks[user.Role] < ranks[need]:
		return &PermissionError{User: user.Name, Role: user.Role, Need: need}
	}
	return nil
}

// noted notes it in the audit if an error is that something is denied.
func (l *lab) noted(err error) error {
	var denied *PermissionError
	if errors.As(err, &denied) {
		l.note(model.AuditDenied, fmt.Sprintf("%s: needs %s", cmp.Or(l.doing, "something"), denied.Need))
	}
	return err
}

// User is who the key belongs to now; it may have been renamed. The zero User
// is that it may not connect any more.
func (l *lab) User() model.User {
	who, err := l.s.identities.of(l.with)
	if err != nil || who.kind != isUser {
		return model.User{}
	}
	return l.s.store.State().Users[who.name]
}

// Status is what is observed now.
func (l *lab) Status() model.Status {
	st := l.s.observed.status()
	st.Moves = l.s.moves.statuses()
	return st
}

func (l *lab) Watch() *model.Watcher { return l.s.store.Hub().Watch() }

func (l *lab) Runs(hypervisor string) ([]model.Run, error) { return l.s.store.Runs(hypervisor) }
func (l *lab) Run(id uint64) (model.Run, error)            { return l.s.store.Run(id) }

func (l *lab) Log(run, after uint64, limit int) ([]model.Record, error) {
	return l.s.store.Log(run, after, limit)
}

func (l *lab) Preview(edit model.Edit) ([]model.Impact, error) {
	if err := l.mayEdit(edit); err != nil {
		return nil, err
	}
	return l.s.store.Preview(l.limited(edit))
}

func (l *lab) Commit(_ context.Context, via string, edit model.Edit) (model.Revision, error) {
	if err := l.mayEdit(edit); err != nil {
		return model.Revision{}, err
	}
	return l.s.store.Commit(l.User().Name, via, l.limited(edit))
}

func (l *lab) Undo(_ context.Context, via string, revision uint64) (model.Revision, error) {
	edit, err := l.s.store.UndoEdit(revision)
	if err == nil {
		err = l.mayEdit(edit)
	}
	if err == nil {
		// What it reverts cannot change before it is committed: then it is
		// refused.
		err = l.limited(edit)(l.s.store.State().Clone())
	}
	if err != nil {
		return model.Revision{}, err
	}
	return l.s.store.Undo(l.User().Name, via, revision)
}

// mayEdit tells a viewer which role an edit needs; what an operator may not is
// found as it is done.
func (l *lab) mayEdit(edit model.Edit) error {
	err := l.check(model.RoleOperator)
	var denied *PermissionError
	if errors.As(err, &denied) {
		if more, err := beyondSwitches(l.s.store.State().Clone(), edit); err == nil && len(more) > 0 {
			denied.Need = model.RoleAdmin
		}
	}
	return l.noted(err)
}

// limited is an edit as this user may do it: an operator switches things on
// and off, and changes nothing else.
func (l *lab) limited(edit model.Edit) model.Edit {
	if l.has(model.RoleAdmin) {
		return edit
	}
	return func(s *model.State) error {
		changes, err := beyondSwitches(s, edit)
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			what := "changed"
			switch c := changes[0]; {
			case c.Before == nil:
				what = "added"
			case c.After == nil:
				what = "removed"
			}
			return l.noted(fmt.Errorf("%s would be %s: %w", changes[0].Ref, what, &PermissionError{User: l.User().Name, Role: l.User().Role, Need: model.RoleAdmin}))
		}
		return nil
	}
}

// beyondSwitches does an edit and returns what of it an operator may not.
func beyondSwitches(s *model.State, edit model.Edit) ([]model.ObjectChange, error) {
	before := s.Clone()
	if err := edit(s); err != nil {
		return nil, err
	}
	after := s.Clone()
	sameSwitches(before, after)
	return model.Diff(before, after)
}

// sameSwitches gives after the settings of before that an operator may change.
func sameSwitches(before, after *model.State) {
	for name, h := range after.Hypervisors {
		if old, ok := before.Hypervisors[name]; ok {
			h.PowerWanted, h.Hold = old.PowerWanted, old.Hold
			h.PowerBy, h.PowerAt, h.PowerWhy = old.PowerBy, old.PowerAt, old.PowerWhy
			h.PowerByHand, h.PowerCycle = old.PowerByHand, old.PowerCycle
			after.Hypervisors[name] = h
		}
	}
	for name, vm := range after.VMs {
		if old, ok := before.VMs[name]; ok {
			vm.Running, vm.Enabled = old.Running, old.Enabled
			after.VMs[name] = vm
		}
	}
}

func (l *lab) SwitchOutlet(ctx context.Context, name string, on, force bool) error {
	if err := l.may(model.RoleOperator); err != nil {
		return err
	}
	what := "outlet switched off"
	if on {
		what = "outlet switched on"
	}
	l.did(what, "outlet", name, "force", force)
	return l.s.outlets.byPerson(ctx, name, on, force)
}

func (l *lab) CycleOutlet(ctx context.Context, name string, force bool) error {
	if err := l.may(model.RoleOperator); err != nil {
		return err
	}
	l.did("outlet cycled", "outlet", name, "force", force)
	return l.s.outlets.cycleByPerson(ctx, name, force)
}

func (l *lab) Config(hypervisor string) ([]byte, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return nil, err // it holds the guests' secrets
	}
	config, err := l.s.configs.desired(l.State(), hypervisor)
	if err != nil {
		return nil, err
	}
	return config.Tar, nil
}
