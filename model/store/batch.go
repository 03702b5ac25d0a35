package store

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// batch is one transaction on runs.
type batch struct {
	s      *Store
	tx     *bbolt.Tx
	o      *observed
	loaded map[uint64]*run // ended runs that late records are about
	moved  []*run          // whose state, resources or summary changed
	gone   []*run          // whose plan had no changes
	refs   []model.Ref
}

// find returns the run that a record is about, nil if there is none.
func (b *batch) find(id uint64) *run {
	if live, ok := b.s.runs[id]; ok {
		return live
	}
	if live, ok := b.loaded[id]; ok {
		return live
	}
	head, err := b.s.head(id)
	if err != nil {
		return nil
	}
	live, err := loadLive(b.tx, head)
	if err != nil {
		return nil
	}
	b.loaded[id] = live
	return live
}

// take applies a record to its run and writes it to the log.
func (b *batch) take(live *run, rec model.Record) error {
	if slices.Contains(b.gone, live) {
		return nil
	}
	over := live.State.Ended()
	if over {
		rec.Resource, rec.Summary, rec.Violations, rec.State = nil, nil, nil, ""
	}
	b.fold(live, rec)
	if rec.Message != "" || !over { // what says nothing any more is not kept
		if err := b.log(live, rec); err != nil {
			return err
		}
	}
	if !over && live.State.Ended() {
		return b.ended(live, rec)
	}
	return nil
}

// fold moves the run on.
func (b *batch) fold(live *run, rec model.Record) {
	if rec.Resource == nil && rec.Summary == nil && rec.Violations == nil && rec.State == "" {
		return
	}
	at := -1
	if rec.Resource != nil {
		i, ok := live.index[rec.Resource.Address]
		switch {
		case ok:
			at = i
		case len(live.Resources) >= maxResources:
			rec.Resource = nil
		default:
			i = len(live.Resources)
			live.index[rec.Resource.Address] = i
		}
		if rec.Resource != nil {
			live.dirty[i] = true
		}
	}
	live.FoldAt(rec, at)
	if !slices.Contains(b.moved, live) {
		b.moved = append(b.moved, live)
		b.refs = append(b.refs, runRef(live.ID))
	}
	if rec.State != "" {
		b.refs = append(b.refs, model.Ref{Kind: model.KindStatus, Name: live.Hypervisor})
	}
}

// log writes a record to the log under a number that is greater than those before it:
// the record's own, unless the agent has begun another spool.
func (b *batch) log(live *run, rec model.Record) error {
	if live.lines > maxLines {
		return nil
	}
	if live.lines == maxLines {
		rec.Level, rec.Message = model.LevelWarn, "the log is full; what follows is not kept"
	}
	logs, err := b.tx.Bucket(bucketLogs).CreateBucketIfNotExists(key(live.ID))
	if err != nil {
		return err
	}
	logs.FillPercent = 0.95 // numbers only grow
	rec.Seq = max(rec.Seq, live.logged+1)
	live.logged = rec.Seq
	live.lines++
	if ref := logRef(live.ID); !slices.Contains(b.refs, ref) {
		b.refs = append(b.refs, ref)
	}
	return putJSON(logs, key(rec.Seq), rec)
}

// ended carries out what the end of a run means.
func (b *batch) ended(live *run, rec model.Record) error {
	if live.Finished.IsZero() {
		live.Finished = b.s.now().UTC()
	}
	h, done := live.Hypervisor, live.State == model.RunSucceeded || live.State == model.RunNoop
	old, was := b.o.applied[h]
	if !was {
		old, was = b.s.Applied(h)
	}
	switch {
	case done && live.Kind == model.RunApply:
		b.o.applied[h] = model.Applied{Digest: live.Digest, At: rec.Time, Placements: live.placements}
		b.o.disks[h] = sortDisks(slices.Concat(b.disks(h), disksOf(live.placements)))
	case live.State == model.RunNoop && was && old.Digest == live.Digest:
		old.At = rec.Time
		b.o.applied[h] = old
	case live.Kind == model.RunApply && live.State != model.RunSuperseded && !done:
		b.o.applied[h] = old.Try(live.placements)
	}
	if live.State == model.RunNoop {
		b.gone = append(b.gone, live)
		return b.remove(live.ID)
	}
	return b.tx.Bucket(bucketPlanned).Delete(key(live.ID))
}

func (b *batch) disks(hypervisor string) []model.Disk {
	if d, ok := b.o.disks[hypervisor]; ok {
		return d
	}
	return b.s.Disks(hypervisor)
}

// remove deletes all of a run.
func (b *batch) remove(id uint64) error {
	k := key(id)
	for _, parent := range [][]byte{bucketLogs, bucketResources} {
		if p := b.tx.Bucket(parent); p.Bucket(k) != nil {
			if err := p.DeleteBucket(k); err != nil {
				return err
			}
		}
	}
	return errors.Join(b.tx.Bucket(bucketPlanned).Delete(k), b.tx.Bucket(bucketRuns).Delete(k))
}

// update does one transaction on runs; the caller holds s.running. Runs are
// changed in place: if the transaction fails they are read again.
func (s *Store) update(o *observed, do func(*batch) error) error {
	b := &batch{s: s, o: o, loaded: map[uint64]*run{}}
	var pruned []uint64
	err := s.write(func(tx *bbolt.Tx) error {
		b.tx = tx
		if err := do(b); err != nil {
			return err
		}
		for _, live := range b.moved {
			if slices.Contains(b.gone, live) {
				continue
			}
			if err := live.write(tx); err != nil {
				return err
			}
		}
		var err error
		if pruned, err = b.prune(); err != nil {
			return err
		}
		return o.write(tx)
	})
	if err != nil {
		return errors.Join(fmt.Errorf("write runs: %w", err), s.reload())
	}
	for _, live := range b.gone {
		pruned = append(pruned, live.ID)
	}
	s.published(o, b.moved, pruned)
	s.hub.Publish(b.refs...)
	return nil
}

// prune deletes the oldest ended runs of the hypervisors of which one ended.
func (b *batch) prune() ([]uint64, error) {
	var pruned []uint64
	for _, live := range b.moved {
		if !live.State.Ended() || slices.Contains(b.gone, live) {
			continue
		}
		runs, _ := b.s.Runs(live.Hypervisor)
		kept := 1 // this one, which Runs does not know as ended yet
		for _, r := range runs {
			if r.ID == live.ID || !r.State.Ended() || slices.Contains(pruned, r.ID) {
				continue
			}
			if kept++; kept <= keptRuns {
				continue
			}
			if err := b.remove(r.ID); err != nil {
				return nil, err
			}
			pruned = append(pruned, r.ID)
			b.refs = append(b.refs, runRef(r.ID))
		}
	}
	return pruned, nil
}

// published makes readable what a transaction wrote.
func (s *Store) published(o *observed, moved []*run, removed []uint64) {
	s.mu.Lock()
	for _, live := range moved {
		clear(live.dirty)
		s.heads[live.ID] = live.head()
		if live.State.Ended() {
			delete(s.runs, live.ID)
		}
	}
	for _, id := range removed {
		delete(s.heads, id)
		delete(s.runs, id)
	}
	o.publish(s)
	s.mu.Unlock()
	s.takeSnapshot(moved)
}

// reload reads the runs under way again, after a transaction that failed.
func (s *Store) reload() error {
	return s.view(func(tx *bbolt.Tx) error {
		for id := range s.runs {
			head, err := s.head(id)
			if err != nil {
				return err
			}
			if s.runs[id], err = loadLive(tx, head); err != nil {
				return err
			}
		}
		return nil
	})
}
