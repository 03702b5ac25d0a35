package store

import (
	"errors"
	"fmt"
	"slices"

	"homelab/model"
)

// Bounds of what one agent can make the store keep.
const (
	maxMessage   = 8 << 10 // bytes of a log line or an error
	maxLines     = 100_000 // records of one log
	maxResources = 20_000  // of one run
	maxWord      = 200     // bytes of a label, a level, an action
)

// GapError says that records are missing between what was taken in and what
// came: the agent must send from Acked+1, or begin another spool.
type GapError struct {
	Hypervisor string
	Acked      uint64
	Got        uint64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("the agent of %s sent record %d after record %d; it must send record %d, or begin a new spool",
		e.Hypervisor, e.Got, e.Acked, e.Acked+1)
}

// Ingest takes in an agent's records, each exactly once and in order, in one
// transaction: logs grow, runs move on, and a success sets what is applied.
// Records that are there already are passed over; another spool begins at 1.
// ack is the last record taken in, also beside an error.
//
// A record about a run that is unknown, of another hypervisor or over changes
// no run's state: it is acknowledged, so that it cannot hold up those after it.
func (s *Store) Ingest(hypervisor, spool string, records []model.Record) (ack uint64, err error) {
	if spool == "" || len(spool) > maxWord {
		return 0, errors.New("an agent's spool needs an ID of at most 200 bytes")
	}
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.RLock()
	at := s.spools[hypervisor]
	s.mu.RUnlock()
	if at.Spool != spool {
		at = position{Spool: spool}
	}
	start := at.Acked
	fresh := make([]model.Record, 0, len(records))
	for _, rec := range records {
		if rec.Seq <= at.Acked {
			continue
		}
		if rec.Seq != at.Acked+1 {
			return start, &GapError{hypervisor, at.Acked, rec.Seq}
		}
		at.Acked++
		fresh = append(fresh, rec)
	}
	if len(fresh) == 0 {
		return start, nil
	}
	o := newObserved()
	o.spools[hypervisor] = at
	err = s.update(o, func(b *batch) error {
		for _, rec := range fresh {
			live := b.find(rec.Run)
			if live == nil || live.Hypervisor != hypervisor {
				continue
			}
			if err := b.take(live, bounded(rec)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return start, err
	}
	return at.Acked, nil
}

// bounded cuts what is too long of a record and takes control characters out.
func bounded(rec model.Record) model.Record {
	rec.Message, rec.Error = text(rec.Message, maxMessage), text(rec.Error, maxMessage)
	rec.Level = line(rec.Level, maxWord)
	if rec.Resource != nil {
		res := *rec.Resource
		res.Address, res.Label = line(res.Address, maxWord), line(res.Label, maxWord)
		res.Action, res.Status = line(res.Action, maxWord), model.ResourceStatus(line(string(res.Status), maxWord))
		res.Changes = boundedChanges(res.Changes)
		rec.Resource = &res
	}
	if rec.Violations != nil {
		rec.Violations = slices.Clone(rec.Violations[:min(len(rec.Violations), maxResources)])
		for i := range rec.Violations {
			v := &rec.Violations[i]
			v.Address, v.Label, v.Action = line(v.Address, maxWord), line(v.Label, maxWord), line(v.Action, maxWord)
		}
	}
	if !known(rec.State) {
		rec.State = ""
	}
	return rec
}

func boundedChanges(changes []model.AttributeChange) []model.AttributeChange {
	changes = slices.Clone(changes[:min(len(changes), model.MaxChanges)])
	for i := range changes {
		c := &changes[i]
		c.Path, c.Before, c.After = line(c.Path, model.MaxAttribute), line(c.Before, model.MaxAttribute), line(c.After, model.MaxAttribute)
	}
	return changes
}

func known(state model.RunState) bool {
	switch state {
	case model.RunPlanning, model.RunWaiting, model.RunApplying, model.RunQueued:
		return true
	}
	return state.Ended()
}
