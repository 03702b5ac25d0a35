package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// Why a run was ended from outside.
var (
	errSuperseded = errors.New("another config is wanted now")
	errCancelled  = errors.New("cancelled")
	errStopped    = errors.New("the agent was stopped during the run; it is tried again when the agent is back")
)

// runner carries out the runs that the server orders, one at a time.
type runner struct {
	a    *agent
	ctx  context.Context
	stop context.CancelCauseFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	cur    *job
	next   *wire.Run // waits for cur, which applies
	known  []uint64  // runs seen lately: the server may repeat an order
	closed string    // why no run is started any more
}

func newRunner(a *agent) *runner {
	r := &runner{a: a}
	r.ctx, r.stop = context.WithCancelCause(context.Background())
	return r
}

// Start starts a run, or keeps it until the apply that is under way ends. A
// run that does not apply yet makes room.
func (r *runner) Start(order wire.Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.known, order.ID) {
		return
	}
	r.known = append(r.known, order.ID)
	r.known = r.known[max(0, len(r.known)-100):]
	if r.closed != "" {
		r.refuse(order, model.RunFailed, r.closed)
		return
	}
	if r.next != nil {
		r.refuse(*r.next, model.RunSuperseded, "")
	}
	if r.next = &order; r.cur == nil {
		r.startNext()
		return
	}
	r.cur.supersede()
}

// refuse ends a run that was never begun.
func (r *runner) refuse(order wire.Run, state model.RunState, why string) {
	rec := model.Record{Run: order.ID, Time: time.Now().UTC(), State: state, Error: why}
	if why != "" {
		rec.Level, rec.Message = model.LevelError, why
	}
	r.a.spool.Append(rec)
}

// startNext starts the run that waits, if there is one. The caller has r.mu.
func (r *runner) startNext() {
	r.cur = nil
	if r.next == nil {
		return
	}
	j := &job{Run: *r.next, a: r.a, state: model.RunPlanning, approved: make(chan struct{})}
	r.next = nil
	if r.closed != "" {
		r.refuse(j.Run, model.RunFailed, r.closed)
		return
	}
	j.ctx, j.cancel = context.WithCancelCause(r.ctx)
	r.cur = j
	r.wg.Go(func() {
		j.work()
		j.cancel(nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.startNext()
	})
}

// Desired tells which config is wanted now.
func (r *runner) Desired(digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.cur; j != nil && j.Digest != digest && (digest != "" || j.Kind == model.RunApply) {
		j.supersede()
	}
}

// Approve lets a waiting run apply its plan.
func (r *runner) Approve(id uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.cur; j != nil && j.ID == id {
		return j.approve()
	}
	return fmt.Errorf("run %d is not under way", id)
}

// Cancel interrupts a run in order, and kills terraform when asked again.
func (r *runner) Cancel(id uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.next != nil && r.next.ID == id:
		r.refuse(*r.next, model.RunCancelled, errCancelled.Error())
		r.next = nil
	case r.cur != nil && r.cur.ID == id:
		if r.cur.ctx.Err() != nil {
			r.cur.kill()
		}
		r.cur.cancel(errCancelled)
	default:
		return fmt.Errorf("run %d is not under way", id)
	}
	return nil
}

// Unfinished are the IDs of the runs that are not ended.
func (r *runner) Unfinished() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []uint64{}
	if r.cur != nil {
		ids = append(ids, r.cur.ID)
	}
	if r.next != nil {
		ids = append(ids, r.next.ID)
	}
	return ids
}

// Applying tells whether a run is changing the machine.
func (r *runner) Applying() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cur != nil && r.cur.is(model.RunApplying)
}

// Aside runs f beside the runs. Stop waits for it, too.
func (r *runner) Aside(f func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() == nil {
		r.wg.Go(func() { f(r.ctx) })
	}
}

// Close lets no more runs start and ends the one under way, in order; it
// waits for that as long as ctx lasts.
func (r *runner) Close(ctx context.Context, why string) {
	r.mu.Lock()
	r.closed = why
	if r.cur != nil {
		r.cur.cancel(errors.New(why))
	}
	r.mu.Unlock()
	for pause(ctx, 20*time.Millisecond) == nil {
		if len(r.Unfinished()) == 0 {
			return
		}
	}
}

// Reserve lets no more runs start, unless one is under way: false.
func (r *runner) Reserve(why string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cur != nil || r.next != nil || r.closed != "" {
		return false
	}
	r.closed = why
	return true
}

// Open lets runs start again.
func (r *runner) Open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = ""
}

// Stop ends everything in order, kills what takes too long, and waits.
func (r *runner) Stop() {
	r.stop(errStopped)
	patience := time.AfterFunc(time.Minute, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cur != nil {
			r.cur.kill()
		}
	})
	defer patience.Stop()
	r.mu.Lock()
	r.closed = errStopped.Error()
	r.mu.Unlock()
	r.wg.Wait()
}
