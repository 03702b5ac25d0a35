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
