package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// keptRuns is how many ended runs are kept of each hypervisor, with their logs.
const keptRuns = 50

// run is a run under way.
type run struct {
	model.Run
	index      map[string]int // address → position in Resources
	dirty      map[int]bool   // positions to be written
	logged     uint64         // the log's last sequence number
	lines      int            // of the log
	placements []model.Placement
}

// NewRun starts a run: it gets its ID and is queued. placements are what its
// config places; they become the hypervisor's Applied when it succeeds.
func (s *Store) NewRun(r model.Run, placements []model.Placement) (model.Run, error) {
	if r.Hypervisor == "" {
		return model.Run{}, errors.New("a run needs a hypervisor")
	}
	s.running.Lock()
	defer s.running.Unlock()
	r = r.Clone()
	r.State = model.RunQueued
	if r.Started.IsZero() {
		r.Started = s.now().UTC()
	}
	live := newLive(r, slices.Clone(placements))
	err := s.write(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketRuns)
		id, err := b.NextSequence()
		if err != nil {
			return err
		}
		live.ID = id
		if err := putJSON(tx.Bucket(bucketPlanned), key(id), live.placements); err != nil {
			return err
		}
		return live.write(tx)
	})
	if err != nil {
		return model.Run{}, fmt.Errorf("write the new run: %w", err)
	}
	s.runs[live.ID] = live
	s.published(newObserved(), []*run{live}, nil)
	s.hub.Publish(runRef(live.ID), model.Ref{Kind: model.KindStatus, Name: r.Hypervisor})
	return live.Clone(), nil
}

func newLive(r model.Run, placements []model.Placement) *run {
	live := &run{Run: r, index: make(map[string]int, len(r.Resources)), dirty: map[int]bool{}, placements: placements}
	for i, res := range r.Resources {
		live.index[res.Address] = i
		live.dirty[i] = true
	}
	return live
}

// EndRun ends a run that is under way from the server's side; errText is what
// happened and what to do, and goes to the log too. A run that is over stays
// as it is.
func (s *Store) EndRun(id uint64, state model.RunState, errText string) error {
	if !state.Ended() {
		return fmt.Errorf("a run cannot end as %s", state)
	}
	s.running.Lock()
	defer s.running.Unlock()
	live, ok := s.runs[id]
	if !ok {
		_, err := s.head(id)
		return err
	}
	rec := model.Record{Run: id, Time: s.now().UTC(), State: state, Error: text(errText, maxMessage)}
	if errText != "" {
		rec.Level = model.LevelError
	}
	return s.update(newObserved(), func(b *batch) error { return b.take(live, rec) })
}

// ActiveRuns are the runs that are under way, by ID.
func (s *Store) ActiveRuns() map[uint64]model.Run { return *s.snapshot.Load() }

// Run returns one run that is under way or kept.
func (s *Store) Run(id uint64) (model.Run, error) {
	if r, ok := s.ActiveRuns()[id]; ok {
		return r, nil
	}
	r, err := s.head(id)
	if err != nil {
		return model.Run{}, err
	}
	err = s.view(func(tx *bbolt.Tx) error {
		r.Resources, err = readResources(tx, id)
		return err
	})
	return r, err
}

func (s *Store) head(id uint64) (model.Run, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.heads[id]
	if !ok {
		return model.Run{}, &model.NotFoundError{Ref: runRef(id)}
	}
	return r, nil
}

// Runs returns the runs of a hypervisor ("" is all), newest first. Resources
// are left out; [Store.Run] has them.
func (s *Store) Runs(hypervisor string) ([]model.Run, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var runs []model.Run
	for _, r := range s.heads {
		if hypervisor == "" || r.Hypervisor == hypervisor {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b model.Run) int { return int(int64(b.ID) - int64(a.ID)) })
	return runs, nil
}

// Log returns up to limit committed records of a run that follow the record
// with number after (0 is the beginning), in order: log lines, and changes of
// the run or of a resource, which have no message. Their Seq grows within the
// log; it need not be without gaps.
func (s *Store) Log(id, after uint64, limit int) ([]model.Record, error) {
	if _, err := s.head(id); err != nil {
		return nil, err
	}
	var records []model.Record
	err := s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLogs).Bucket(key(id))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(key(after + 1)); k != nil && len(records) < limit; k, v = c.Next() {
			var rec model.Record
			if err := json.Unmarshal(v, &rec); err != nil {
				return fmt.Errorf("log of run %d: %w", id, err)
			}
			records = append(records, rec)
		}
		return nil
	})
	return records, err
}

func (s *Store) loadRuns(tx *bbolt.Tx) error {
	err := each(tx.Bucket(bucketRuns), func(_ []byte, r model.Run) { s.heads[r.ID] = r })
	for id, r := range s.heads {
		if r.State.Ended() || err != nil {
			continue
		}
		s.runs[id], err = loadLive(tx, r)
	}
	s.takeSnapshot(nil)
	return err
}

func loadLive(tx *bbolt.Tx, r model.Run) (*run, error) {
	var err error
	if r.Resources, err = readResources(tx, r.ID); err != nil {
		return nil, err
	}
	placements, err := readPlanned(tx, r.ID)
	if err != nil {
		return nil, err
	}
	live := newLive(r, placements)
	live.dirty = map[int]bool{}
	if b := tx.Bucket(bucketLogs).Bucket(key(r.ID)); b != nil {
		last, _ := b.Cursor().Last()
		live.logged, live.lines = number(last), b.Stats().KeyN
	}
	return live, nil
}

func readResources(tx *bbolt.Tx, id uint64) ([]model.Resource, error) {
	b := tx.Bucket(bucketResources).Bucket(key(id))
	if b == nil {
		return nil, nil
	}
	var all []model.Resource
	err := each(b, func(_ []byte, r model.Resource) { all = append(all, r) })
	return all, err
}

// write writes what changed of the run: its head, and the resources that moved.
func (r *run) write(tx *bbolt.Tx) error {
	if err := putJSON(tx.Bucket(bucketRuns), key(r.ID), r.head()); err != nil {
		return err
	}
	if len(r.dirty) == 0 {
		return nil
	}
	b, err := tx.Bucket(bucketResources).CreateBucketIfNotExists(key(r.ID))
	if err != nil {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(r.dirty)) {
		if err := putJSON(b, binary.BigEndian.AppendUint32(nil, uint32(i)), r.Resources[i]); err != nil {
			return err
		}
	}
	return nil
}

// head is the run without its resources.
func (r *run) head() model.Run {
	h := r.Run
	h.Resources = nil
	return h
}

// takeSnapshot renews what readers see of the runs under way; only those that
// changed are copied.
func (s *Store) takeSnapshot(changed []*run) {
	old := map[uint64]model.Run{}
	if p := s.snapshot.Load(); p != nil {
		old = *p
	}
	now := make(map[uint64]model.Run, len(s.runs))
	for id, r := range s.runs {
		if seen, ok := old[id]; ok && !slices.Contains(changed, r) {
			now[id] = seen
		} else {
			now[id] = r.Clone()
		}
	}
	s.snapshot.Store(&now)
}

func runRef(id uint64) model.Ref {
	return model.Ref{Kind: model.KindRun, Name: strconv.FormatUint(id, 10)}
}

func logRef(id uint64) model.Ref {
	return model.Ref{Kind: model.KindLog, Name: strconv.FormatUint(id, 10)}
}
