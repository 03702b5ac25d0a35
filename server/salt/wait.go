package salt

import (
	"context"
	"fmt"
	"slices"
	"time"

	"homelab/model"
)

// lookPause is how long the events are trusted to bring a result, before the
// master is asked for it.
const lookPause = 20 * time.Second

// Outcome is how one minion's part of an apply ended; Err is why there is no
// result.
type Outcome struct {
	Minion string
	Result model.SaltResult
	Err    error
}

// waiter gets the results of state functions as events bring them.
type waiter struct {
	results []arrived // under the follower's mu
	wake    chan struct{}
}

type arrived struct {
	job, minion string
	result      model.SaltResult
}

// returned hands a result to those who wait.
func (f *Follower) returned(e Event, now time.Time) {
	job, minion, ok := e.returns()
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.waiters {
		w.results = append(w.results, arrived{job, minion, parseResult(job, now, e.Return, e.failed())})
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (f *Follower) wait() *waiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &waiter{wake: make(chan struct{}, 1)}
	f.waiters[w] = true
	return w
}

func (f *Follower) leave(w *waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.waiters, w)
}

func (f *Follower) arrived(w *waiter) []arrived {
	f.mu.Lock()
	defer f.mu.Unlock()
	results := w.results
	w.results = nil
	return results
}

// Apply has minions apply their whole state and hands over each outcome as it
// comes, from the events or, where those have a gap, from the master's memory
// of the job. It returns when all are in, or when ctx ends. Run must be
// running.
func (f *Follower) Apply(ctx context.Context, ids []string, each func(Outcome)) error {
	w := f.wait() // before the job: its events may be faster than its ID
	defer f.leave(w)
	job, err := f.src.StartApply(ctx, ids)
	if err != nil {
		return err
	}
	a := apply{f: f, job: job, left: slices.Clone(ids), each: each}
	look := time.NewTicker(lookPause)
	defer look.Stop()
	for {
		for _, r := range f.arrived(w) {
			if r.job == job {
				a.ended(Outcome{Minion: r.minion, Result: r.result})
			}
		}
		if len(a.left) == 0 {
			return nil
		}
		select {
		case <-w.wake:
		case <-look.C:
			a.look(ctx)
		case <-ctx.Done():
			return fmt.Errorf("job %s still runs on %d minions: %w", job, len(a.left), context.Cause(ctx))
		}
	}
}

// apply is one job whose outcomes are awaited.
type apply struct {
	f      *Follower
	job    string
	left   []string
	each   func(Outcome)
	looked int
}

func (a *apply) ended(o Outcome) {
	if i := slices.Index(a.left, o.Minion); i >= 0 {
		a.left = slices.Delete(a.left, i, i+1)
		a.each(o)
	}
}

// look asks for what no event has brought, and gives up on minions that are
// known to be gone.
func (a *apply) look(ctx context.Context) {
	if found, err := a.f.src.Lookup(ctx, a.job); err == nil {
		for id, result := range found {
			a.ended(Outcome{Minion: id, Result: result})
		}
	}
	if a.looked++; a.looked == 1 {
		a.f.Refresh() // what is known may be old
		return
	}
	s := a.f.Snapshot()
	for _, id := range slices.Clone(a.left) {
		switch m, known := s.Minions[id]; {
		case !s.Reached:
		case !known || !slices.Contains(s.Keys.Accepted, id):
			a.ended(Outcome{Minion: id, Err: fmt.Errorf("minion %s has no accepted key on master %s", id, a.f.opts.Master.Name)})
		case m.State == model.SaltDown || m.State == model.SaltNever || m.State == model.SaltDenied:
			a.ended(Outcome{Minion: id, Err: fmt.Errorf("minion %s is not there (%s)", id, m.State)})
		}
	}
}
