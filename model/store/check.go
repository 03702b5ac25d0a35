package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// Report is what a store holds that was checked.
type Report struct {
	Bytes       int64     `json:"bytes"`
	Schema      uint64    `json:"schema"`
	Revision    uint64    `json:"revision"`
	Changed     time.Time `json:"changed,omitzero"` // when that was made
	Hypervisors int       `json:"hypervisors"`
	VMs         int       `json:"vms"`
	Users       int       `json:"users"`
	Runs        int       `json:"runs"`
}

// Check looks whether a file is a sound store, and changes nothing: that each
// page and each entry can be read, that the state is valid and what the
// revisions made of it, and that nothing is kept of runs that are not there.
// Its error joins all that is wrong. A file that a server has open is a
// [LockedError]: check a copy.
func Check(path string) (Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Report{}, err
	}
	if info.Size() == 0 {
		return Report{}, &DamagedError{Path: path, Why: "it is empty"}
	}
	db, err := openFile(path, true)
	if err != nil {
		return Report{}, err
	}
	defer db.Close()
	var r Report
	err = guard(path, func() error {
		return db.View(func(tx *bbolt.Tx) (err error) {
			r, err = checkAll(tx, path)
			return err
		})
	})
	return r, err
}

func checkAll(tx *bbolt.Tx, path string) (Report, error) {
	r := Report{Bytes: tx.Size()}
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return r, fmt.Errorf("%s is no file of homelab's", path)
	}
	if r.Schema = number(meta.Get(keySchema)); r.Schema > schema {
		return r, &NewerError{path, r.Schema}
	}
	// First what is read here: bbolt's own check does not survive every page.
	if err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return readAll(string(name), b) }); err != nil {
		return r, &DamagedError{Path: path, Why: err.Error()}
	}
	for err := range tx.Check() {
		return r, &DamagedError{Path: path, Why: err.Error()}
	}
	st, stateErr := readState(tx)
	if stateErr != nil {
		return r, stateErr
	}
	r.Revision, r.Hypervisors, r.VMs, r.Users = st.Revision, len(st.Hypervisors), len(st.VMs), len(st.Users)
	r.Runs = tx.Bucket(bucketRuns).Stats().KeyN
	changed, historyErr := checkHistory(tx, st.Revision)
	r.Changed = changed
	if err := errors.Join(model.Validate(st), historyErr, checkRuns(tx)); err != nil {
		return r, fmt.Errorf("%s holds what cannot be: %w", path, err)
	}
	return r, nil
}

// readAll reads each entry of a bucket and of those in it.
func readAll(name string, b *bbolt.Bucket) error {
	return b.ForEach(func(k, v []byte) error {
		if v == nil {
			return readAll(name, b.Bucket(k))
		}
		if len(v) > 0 && (v[0] == '{' || v[0] == '[') && !json.Valid(v) && name != string(bucketSecrets) && name != string(bucketMeters) && name != string(bucketLoads) {
			return fmt.Errorf("entry %q of %s cannot be read", k, name)
		}
		return nil
	})
}

// checkHistory looks whether the revisions are all there and made the state
// that is there. It returns when the last was made.
func checkHistory(tx *bbolt.Tx, last uint64) (time.Time, error) {
	var at time.Time
	next := uint64(0)
	made := map[model.Ref]json.RawMessage{}
	err := each(tx.Bucket(bucketRevisions), func(k []byte, rev model.Revision) {
		if next != 0 && number(k) != next {
			made[model.Ref{}] = nil // one is missing
		}
		next, at = number(k)+1, rev.Time
		for _, c := range rev.Changes {
			made[c.Ref] = c.After
		}
	})
	if err != nil {
		return at, fmt.Errorf("revisions: %w", err)
	}
	if _, missing := made[model.Ref{}]; missing || next != 0 && next != last+1 || next == 0 && last != 0 {
		return at, fmt.Errorf("revisions are missing: the state is at %d", last)
	}
	for ref, want := range made {
		var got []byte
		if b := tx.Bucket(bucketState).Bucket([]byte(ref.Kind)); b != nil {
			got = b.Get([]byte(ref.Name))
		}
		if !bytes.Equal(got, want) {
			return at, fmt.Errorf("%s is not as the history says", ref)
		}
	}
	return at, nil
}

// checkRuns looks for what is kept of runs that are not there.
func checkRuns(tx *bbolt.Tx) error {
	runs := tx.Bucket(bucketRuns)
	for _, of := range [][]byte{bucketResources, bucketLogs, bucketPlanned} {
		b := tx.Bucket(of)
		if b == nil {
			continue
		}
		if err := b.ForEach(func(k, _ []byte) error {
			if runs.Get(k) == nil {
				return fmt.Errorf("%s are kept of run %d, which is not there", of, number(k))
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
