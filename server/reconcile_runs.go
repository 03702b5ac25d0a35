package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/decide"
)

// render renders the config if what it is made from may have changed. If it
// has, the pause begins in which more edits may come.
func (r *reconciler) render(state *model.State, now time.Time) {
	disks := r.s.store.Disks(r.name)
	if r.dirty.IsZero() && r.state != nil && slices.Equal(disks, r.disks) {
		return
	}
	if r.preparing = !r.s.minions.ready(state, r.name); r.preparing {
		if r.dirty.IsZero() {
			r.dirty = now
		}
		return
	}
	at, first, before, wasIncomplete := r.dirty, r.state == nil, r.digest(), r.incomplete
	if at.IsZero() {
		at = now
	}
	// An edit that comes from here on has a newer state and marks again.
	r.dirty, r.state, r.disks, r.incomplete = time.Time{}, state, disks, ""
	config, err := r.s.configs.desired(state, r.name)
	if err != nil {
		config, r.incomplete = nil, err.Error()
	}
	r.config = config
	if !first && (r.digest() != before || r.incomplete != wasIncomplete) {
		r.changed(at)
	}
}

// digest is that of the config, empty if it cannot be rendered.
func (r *reconciler) digest() string {
	if r.config == nil {
		return ""
	}
	return r.config.Digest
}

// recall finds how the last runs ended, after a restart of the server.
func (r *reconciler) recall() {
	record, err := r.s.store.Power(r.name)
	if err != nil {
		r.s.log.Error("reading how far the order about its power has come", "hypervisor", r.name, "error", err)
	}
	r.record, r.resumed = record, !record.Order.Cutting.IsZero()
	runs, err := r.s.store.Runs(r.name)
	if err != nil {
		r.s.log.Error("reading the runs", "hypervisor", r.name, "error", err)
		return
	}
	for _, run := range runs {
		if !run.State.Ended() {
			continue
		}
		r.lastRun = max(r.lastRun, run.ID)
		if run.Kind != model.RunApply || run.State == model.RunSuperseded {
			continue
		}
		if r.last.Digest == "" {
			r.last = decide.Attempt{Digest: run.Digest, Run: run.ID, Ended: run.Finished, Err: run.Error, Cancelled: run.State == model.RunCancelled}
		}
		if run.Digest != r.last.Digest || run.State != model.RunFailed {
			return
		}
		r.last.Failures++
	}
}

// activeRun is the run of this hypervisor that is under way.
func (r *reconciler) activeRun() (model.Run, bool) {
	for _, run := range r.s.store.ActiveRuns() {
		if run.Hypervisor == r.name {
			return run, true
		}
	}
	return model.Run{}, false
}

// holds tells whether the agent has a run.
func (r *reconciler) holds(id uint64) bool {
	return r.sent == id || slices.Contains(r.conn.hello.Unfinished, id)
}

// lookAtRun notes which run is under way, and how the one before it ended.
func (r *reconciler) lookAtRun() {
	run, active := r.activeRun()
	if r.run != 0 && (!active || run.ID != r.run) {
		r.ended(r.run)
		r.run = 0
		r.s.configs.hold(r.name, nil)
	}
	if active {
		r.run, r.kind = run.ID, run.Kind
	}
}

// ended notes how a run ended; one that the store does not have any more found
// nothing to change.
func (r *reconciler) ended(id uint64) {
	run, err := r.s.store.Run(id)
	if err == nil {
		r.lastRun = max(r.lastRun, id)
	}
	if r.kind != model.RunApply {
		return
	}
	applied, _ := r.s.store.Applied(r.name)
	switch {
	case err != nil || run.State == model.RunSucceeded || run.State == model.RunNoop:
		r.last, r.verified = decide.Attempt{Digest: applied.Digest, Run: id}, applied.Digest
	case run.State == model.RunSuperseded:
		r.verified = ""
	default:
		r.verified = ""
		failures := 0
		if r.last.Digest == run.Digest {
			failures = r.last.Failures
		}
		if run.State == model.RunFailed {
			failures++
		}
		// By this clock: the agent's may be wrong.
		r.last = decide.Attempt{Digest: run.Digest, Run: id, Failures: failures, Ended: time.Now(), Err: run.Error, Cancelled: run.State == model.RunCancelled}
	}
}

// mending counts a run that drift makes start.
func (r *reconciler) mending(now time.Time) {
	if len(r.drift) == 0 {
		return
	}
	r.s.log.Info("mending", "hypervisor", r.name, "drift", decide.DriftText(r.drift))
	r.mends = r.mends.More(now)
}

// startRun starts a run of the config as it is rendered.
func (r *reconciler) startRun(kind model.RunKind) (model.Run, error) {
	if kind == model.RunApply {
		r.verified = ""
	}
	applied, _ := r.s.store.Applied(r.name)
	run, err := r.s.store.NewRun(model.Run{
		Hypervisor: r.name, Kind: kind, Digest: r.config.Digest, Revision: r.state.Revision, Started: time.Now().UTC(),
	}, model.Placements(r.state, r.name, r.disks))
	if err != nil {
		return model.Run{}, err
	}
	r.run, r.kind = run.ID, kind
	r.s.configs.hold(r.name, r.config)
	frame := wire.Run{
		ID: run.ID, Kind: kind, Digest: r.config.Digest, Announced: r.state.Agreed(r.name, r.disks, applied),
		Review: r.state.Hypervisors[r.name].Policy == model.PolicyReview, GraceSeconds: int(decide.GuestGrace(r.state) / time.Second),
	}
	r.sent = run.ID
	if err := r.conn.send(wire.Frame{Kind: wire.KindRun, Run: &frame}); err != nil {
		return model.Run{}, errors.Join(err, r.lose())
	}
	r.s.log.Info("run ordered", "hypervisor", r.name, "run", run.ID, "kind", kind, "digest", run.Digest, "revision", run.Revision)
	return run, nil
}

// lose ends the run under way, which the agent does not have: the connection
// was lost before it got it.
func (r *reconciler) lose() error {
	run, ok := r.activeRun()
	if !ok {
		return nil
	}
	err := r.s.store.EndRun(run.ID, model.RunFailed, "the agent does not have this run: the connection was lost before it was ordered, or the agent lost its data")
	if err != nil {
		return err
	}
	r.lookAtRun()
	if run.State == model.RunQueued {
		r.last = decide.Attempt{} // it never started: no reason to wait
	}
	return nil
}

// agentComes says what brings the agent of a hypervisor, for one that is missed.
func agentComes(state *model.State, h model.Hypervisor) string {
	_, joined := state.Agents[h.Name]
	switch {
	case !joined:
		return fmt.Sprintf("it has never joined: `agent invite %s`", h.Name)
	case h.PowerWanted == model.PowerWantedOn:
		return fmt.Sprintf("it comes once the machine has booted: `power status %s`", h.Name)
	case len(h.Outlets) > 0:
		return fmt.Sprintf("if the machine is off, `power on %s`", h.Name)
	}
	return "see that the machine is on, and that the agent runs there"
}

// asked starts a run for a person, without any pause.
func (r *reconciler) asked(ctx context.Context, kind model.RunKind) (model.Run, error) {
	state := r.s.store.State()
	h, ok := state.Hypervisors[r.name]
	if !ok {
		return model.Run{}, notFound(model.KindHypervisor, r.name)
	}
	now := time.Now()
	r.dirty = now // its commit may not have been heard of yet
	if _, err := r.s.minions.keys(ctx, state, r.name); err != nil {
		return model.Run{}, err
	}
	r.look(state, h, now)
	r.settles = time.Time{}
	switch {
	case h.Hold && kind == model.RunApply:
		return model.Run{}, r.errorf("it is held: `release %s` first", r.name)
	case r.conn == nil:
		return model.Run{}, r.errorf("its agent is not connected: %s", agentComes(state, h))
	case r.incomplete != "":
		return model.Run{}, r.errorf("%s", r.incomplete)
	}
	r.tell(h)
	if run, active := r.activeRun(); active {
		switch {
		case !r.holds(run.ID):
			if err := r.lose(); err != nil {
				return model.Run{}, err
			}
		case run.State == model.RunWaiting:
			return model.Run{}, r.errorf("run %d waits for approval: `approve %d` or `cancel %d`", run.ID, run.ID, run.ID)
		default:
			return model.Run{}, r.errorf("run %d is under way: `logs -f %d` follows it, `cancel %d` ends it", run.ID, run.ID, run.ID)
		}
	}
	return r.startRun(kind)
}
