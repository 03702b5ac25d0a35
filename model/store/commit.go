package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"homelab/model"
	"homelab/model/userdata"
)

// Commit does an edit: it is validated, written and becomes a revision in one
// transaction. An edit that changes nothing is Revision{} and no error. A
// [model.ConflictError] says who was faster.
func (s *Store) Commit(who, via string, edit model.Edit) (model.Revision, error) {
	return s.commit(who, via, 0, edit)
}

func (s *Store) commit(who, via string, undoes uint64, edit model.Edit) (model.Revision, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	before := s.State()
	who = line(who, 200)
	after, changes, err := s.try(before, edit, who)
	if err != nil || len(changes) == 0 {
		return model.Revision{}, err
	}
	rev := model.Revision{
		Number: before.Revision + 1, Time: s.now().UTC(), Who: who, Via: line(via, 1000), Undoes: undoes, Changes: changes,
	}
	model.Stamp(before, after, changes, rev.Number, rev.Time)
	if err := stamped(after, changes); err != nil {
		return model.Revision{}, err
	}
	if err := s.write(func(tx *bbolt.Tx) error {
		return errors.Join(writeRevision(tx, rev), followSecrets(tx, before, after, changes), followMeters(tx, after, changes))
	}); err != nil {
		return model.Revision{}, fmt.Errorf("write revision %d: %w", rev.Number, err)
	}
	s.state.Store(after)
	refs := make([]model.Ref, 0, len(changes))
	for _, c := range changes {
		refs = append(refs, c.Ref)
	}
	s.hub.Publish(refs...)
	return rev, nil
}

// try does an edit on a clone and checks the result.
func (s *Store) try(before *model.State, edit model.Edit, who string) (*model.State, []model.ObjectChange, error) {
	after := before.Clone()
	if err := edit(after); err != nil {
		return nil, nil, s.blame(err)
	}
	model.StampPower(before, after, who, s.now())
	if err := model.Check(before, after, s.AllDisks()); err != nil {
		return nil, nil, err
	}
	if err := userdata.Check(before, after); err != nil {
		return nil, nil, err
	}
	changes, err := model.Diff(before, after)
	return after, changes, err
}

// Preview tells what an edit would do to guests and disks, without doing it.
// Its error is what Commit's would be.
func (s *Store) Preview(edit model.Edit) ([]model.Impact, error) {
	before := s.State()
	after, _, err := s.try(before, edit, "")
	if err != nil {
		return nil, err
	}
	return model.Preview(before, after, s.AllDisks()), nil
}

// blame fills into a conflict who made the revision that was faster.
func (s *Store) blame(err error) error {
	var conflict *model.ConflictError
	if errors.As(err, &conflict) && conflict.Who == "" {
		if rev, err := s.Revision(conflict.Version); err == nil {
			conflict.Who = rev.Who
		}
	}
	return err
}

// stamped renews the changes' After, whose versions are known now.
func stamped(after *model.State, changes []model.ObjectChange) error {
	for i := range changes {
		c := &changes[i]
		if c.After == nil {
			continue
		}
		obj, _ := after.Get(c.Ref)
		data, err := json.Marshal(obj)
		if err != nil {
			return err
		}
		c.After = data
	}
	return nil
}

func writeRevision(tx *bbolt.Tx, rev model.Revision) error {
	for _, c := range rev.Changes {
		if c.After == nil {
			if b := tx.Bucket(bucketState).Bucket([]byte(c.Kind)); b != nil {
				if err := b.Delete([]byte(c.Name)); err != nil {
					return err
				}
			}
			continue
		}
		if err := putObject(tx, c.Ref, c.After); err != nil {
			return err
		}
	}
	if err := tx.Bucket(bucketMeta).Put(keyRevision, key(rev.Number)); err != nil {
		return err
	}
	b := tx.Bucket(bucketRevisions)
	b.FillPercent = 0.95 // numbers only grow
	return putJSON(b, key(rev.Number), rev)
}

func putObject(tx *bbolt.Tx, ref model.Ref, obj any) error {
	b, err := tx.Bucket(bucketState).CreateBucketIfNotExists([]byte(ref.Kind))
	if err != nil {
		return err
	}
	return putJSON(b, []byte(ref.Name), obj)
}
