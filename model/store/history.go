package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// Revisions returns up to limit revisions, newest first, that are older than
// before; 0 begins with the newest.
func (s *Store) Revisions(before uint64, limit int) ([]model.Revision, error) {
	var revs []model.Revision
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRevisions).Cursor()
		k, v := c.Last()
		if before > 0 {
			if k, v = c.Seek(key(before)); k == nil {
				k, v = c.Last()
			}
			for k != nil && number(k) >= before {
				k, v = c.Prev()
			}
		}
		for ; k != nil && len(revs) < limit; k, v = c.Prev() {
			var rev model.Revision
			if err := json.Unmarshal(v, &rev); err != nil {
				return fmt.Errorf("revision %d: %w", number(k), err)
			}
			revs = append(revs, rev)
		}
		return nil
	})
	return revs, err
}

// Revision returns one revision.
func (s *Store) Revision(n uint64) (model.Revision, error) {
	revs, err := s.Revisions(n+1, 1)
	if err != nil {
		return model.Revision{}, err
	}
	if len(revs) == 0 || revs[0].Number != n {
		return model.Revision{}, fmt.Errorf("there is no revision %d", n)
	}
	return revs[0], nil
}

// UndoError says which later revisions changed what an undo would revert.
type UndoError struct {
	Revision uint64
	Later    []LaterChange // oldest first
}

// LaterChange is a later revision that touched the same things.
type LaterChange struct {
	Revision uint64
	Who      string
	Refs     []model.Ref
}

func (e *UndoError) Error() string {
	later := make([]string, 0, len(e.Later))
	for _, l := range e.Later {
		names := make([]string, 0, len(l.Refs))
		for _, r := range l.Refs {
			names = append(names, fmt.Sprintf("%s %q", r.Kind.Word(), r.Name))
		}
		later = append(later, fmt.Sprintf("revision %d by %s (%s)", l.Revision, l.Who, strings.Join(names, ", ")))
	}
	return fmt.Sprintf("revision %d cannot be undone: the same was changed later, in %s; undo that first", e.Revision, strings.Join(later, " and "))
}

// Undo reverts one revision by a new one. It refuses with an [UndoError] when
// later revisions touched the same things, and never gives or takes access.
func (s *Store) Undo(who, via string, n uint64) (model.Revision, error) {
	edit, err := s.UndoEdit(n)
	if err != nil {
		return model.Revision{}, err
	}
	return s.commit(who, via, n, edit)
}

// UndoEdit is the edit that reverts a revision, for a preview.
func (s *Store) UndoEdit(n uint64) (model.Edit, error) {
	rev, err := s.Revision(n)
	if err != nil {
		return nil, err
	}
	if err := refuseAccess(rev); err != nil {
		return nil, err
	}
	return func(st *model.State) error {
		// Inside of the edit: nothing can be committed between check and write.
		if err := s.untouched(rev, st.Revision); err != nil {
			return err
		}
		before := st.Clone()
		for _, c := range slices.Backward(rev.Changes) {
			if c.Kind == model.KindInvite {
				continue // it went with its hypervisor, and its key is not let in again
			}
			if err := revert(st, c); err != nil {
				return err
			}
		}
		changes, err := model.Diff(before, st)
		if err == nil && len(changes) == 0 {
			return fmt.Errorf("revision %d has nothing that can be taken back", n)
		}
		return err
	}, nil
}

// refuseAccess refuses revisions that gave or took access: that is done by
// name, never as a side effect.
func refuseAccess(rev model.Revision) error {
	invites := 0
	for _, c := range rev.Changes {
		switch c.Kind {
		case model.KindUser, model.KindAgent:
			return fmt.Errorf("revision %d cannot be undone: it changed who has access (%s %q); change that by its own command",
				rev.Number, c.Kind.Word(), c.Name)
		case model.KindInvite:
			invites++
		case model.KindSettings:
			if changesAccess(c) {
				return fmt.Errorf("revision %d cannot be undone: it changed whose certificates let people in; change that by its own command", rev.Number)
			}
		}
	}
	if invites == len(rev.Changes) {
		return errors.New("an invite cannot be taken back by undo; revoke it, or invite again")
	}
	return nil
}

// changesAccess tells whether a change of the settings gave or took access.
func changesAccess(c model.ObjectChange) bool {
	var before, after model.Settings
	if json.Unmarshal(c.Before, &before) != nil || json.Unmarshal(c.After, &after) != nil {
		return true
	}
	return !slices.Equal(before.UserCA, after.UserCA) || !slices.Equal(before.Revoked, after.Revoked)
}

// untouched checks that nothing of rev was changed since, up to revision now.
func (s *Store) untouched(rev model.Revision, now uint64) error {
	touched := map[model.Ref]bool{}
	for _, c := range rev.Changes {
		touched[c.Ref] = c.Kind != model.KindInvite
	}
	later := &UndoError{Revision: rev.Number}
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketRevisions).Cursor()
		for k, v := c.Seek(key(rev.Number + 1)); k != nil && number(k) <= now; k, v = c.Next() {
			var r model.Revision
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("revision %d: %w", number(k), err)
			}
			l := LaterChange{Revision: r.Number, Who: r.Who}
			for _, c := range r.Changes {
				if touched[c.Ref] {
					l.Refs = append(l.Refs, c.Ref)
				}
			}
			if len(l.Refs) > 0 {
				later.Later = append(later.Later, l)
			}
		}
		return nil
	})
	if err == nil && len(later.Later) > 0 {
		return later
	}
	return err
}

// revert puts back what a change replaced. A VM's rebuilds are not taken
// back: another number would rebuild it once more.
func revert(st *model.State, c model.ObjectChange) error {
	if c.Before == nil {
		return st.Drop(c.Ref)
	}
	rebuild := 0
	if vm, ok := st.VMs[c.Name]; ok && c.Kind == model.KindVM {
		rebuild = vm.Rebuild
	}
	if err := st.Put(c.Ref, c.Before); err != nil {
		return err
	}
	if vm := st.VMs[c.Name]; c.Kind == model.KindVM && vm.Rebuild < rebuild {
		vm.Rebuild = rebuild
		st.VMs[c.Name] = vm
	}
	return nil
}
