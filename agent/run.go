package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// maxMessage is the longest log line, in bytes; many fit into a frame.
const maxMessage = 16 << 10

// oneLine makes one line of a text that terraform has drawn a box around.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.NewReplacer("╷", "", "│", "", "╵", "").Replace(s)), " ")
	if len(s) > 2000 {
		s = strings.ToValidUTF8(s[:2000], "") + "…"
	}
	return s
}

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

// job is the run under way.
type job struct {
	wire.Run
	ctx    context.Context
	cancel context.CancelCauseFunc
	a      *agent
	flaws  []error         // that let the run fail in the end; its own goroutine's
	out    map[string]bool // IDs of VMs that it leaves as they are; its own goroutine's

	mu       sync.Mutex
	state    model.RunState
	cmd      *command      // terraform, while it runs
	approved chan struct{} // closed by approval
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

func (j *job) is(s model.RunState) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state == s
}

// supersede ends the run if it does not apply yet.
func (j *job) supersede() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state != model.RunApplying {
		j.cancel(errSuperseded)
	}
}

func (j *job) approve() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state != model.RunWaiting || j.ctx.Err() != nil {
		return fmt.Errorf("run %d is %s and does not wait for approval", j.ID, j.state)
	}
	select {
	case <-j.approved:
	default:
		close(j.approved)
	}
	return nil
}

func (j *job) kill() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cmd != nil {
		j.cmd.Kill()
	}
}

// enter changes the run's state; false if the run was ended meanwhile.
func (j *job) enter(s model.RunState, rec model.Record) bool {
	j.mu.Lock()
	if j.ctx.Err() != nil {
		j.mu.Unlock()
		return false
	}
	j.state = s
	j.mu.Unlock()
	rec.State = s
	j.record(rec)
	return j.a.spool.Sync() == nil
}

// record says something about the run.
func (j *job) record(r model.Record) {
	if len(r.Message) > maxMessage {
		r.Message = strings.ToValidUTF8(r.Message[:maxMessage], "") + "…"
	}
	r.Run, r.Time = j.ID, time.Now().UTC()
	j.a.spool.Append(r)
}

func (j *job) say(format string, args ...any) {
	j.record(model.Record{Level: model.LevelInfo, Message: fmt.Sprintf(format, args...)})
}

func (j *job) warn(format string, args ...any) {
	j.record(model.Record{Level: model.LevelWarn, Message: fmt.Sprintf(format, args...)})
}

// flaw notes what lets the run fail when all else is done.
func (j *job) flaw(err error) {
	j.flaws = append(j.flaws, err)
	j.record(model.Record{Level: model.LevelError, Message: oneLine(err.Error())})
}

// flawed puts what was noted before the error that a run ended with.
func (j *job) flawed(err error) error {
	for _, f := range slices.Backward(j.flaws) {
		if err == nil {
			err = f
		} else {
			err = fmt.Errorf("%w; %w", f, err)
		}
	}
	return err
}

// end writes how the run ended.
func (j *job) end(state model.RunState, err error) {
	cause := context.Cause(j.ctx)
	rec := model.Record{State: state}
	if err != nil {
		rec.State, rec.Error = model.RunFailed, oneLine(err.Error())
		switch {
		case errors.Is(cause, errSuperseded):
			rec.State, rec.Error = model.RunSuperseded, ""
		case errors.Is(cause, errCancelled):
			rec.State = model.RunCancelled
			if errors.Is(err, errCancelled) {
				rec.Error = "cancelled before anything was applied"
			}
		case cause != nil:
			rec.Error = cause.Error()
		}
	}
	switch {
	case rec.State == model.RunFailed:
		rec.Level, rec.Message = model.LevelError, rec.Error
	case rec.Error != "":
		rec.Level, rec.Message = model.LevelWarn, rec.Error
	}
	j.a.log.Info("run ended", "run", j.ID, "state", rec.State, "error", rec.Error)
	// The server must know of disks before it renders what follows.
	j.a.virt.files.Look()
	j.a.report(context.WithoutCancel(j.ctx))
	j.record(rec)
	if err := errors.Join(j.a.spool.Sync(), j.a.f.forget(runFile)); err != nil {
		j.a.log.Error("cannot end the run in order", "run", j.ID, "error", err)
	}
}
