package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/terraform"
)

// Edits that follow one another are carried out together: a run starts when
// none has come for editPause, but not later than maxEditPause after the first.
const (
	editPause    = 200 * time.Millisecond
	maxEditPause = time.Second
)

// errorPause is the pause after the server itself failed, for lack of space
// for example.
const errorPause = 10 * time.Second

// reconciler carries out what next decides for one hypervisor. All but the
// first group of fields belongs to its goroutine.
type reconciler struct {
	s     *Server
	name  string
	stop  context.CancelFunc
	wake  chan struct{}
	asks  chan ask
	retry atomic.Bool
	down  chan error // what became of the order to shut down

	state      *model.State // that config was rendered from
	disks      []model.Disk // likewise
	config     *terraform.Config
	incomplete string
	firstEdit  time.Time // that was not rendered yet; zero if none
	settles    time.Time

	conn     *agentConn
	met      bool   // there was an agent since the server started
	told     string // digest that conn was told to be desired, "?" if none
	sent     uint64 // the run that was sent to conn
	run      uint64 // under way when last looked
	kind     model.RunKind
	last     attempt
	lastRun  uint64
	verified string

	power      string
	powerSince time.Time
	shutdown   shutdown
	phase      model.Phase
}

// ask is a person's wish for a run.
type ask struct {
	kind   model.RunKind
	answer chan answer
}

type answer struct {
	run model.Run
	err error
}

func newReconciler(s *Server, name string, stop context.CancelFunc) *reconciler {
	return &reconciler{s: s, name: name, stop: stop, wake: make(chan struct{}, 1), asks: make(chan ask), down: make(chan error, 1), told: "?"}
}

func (r *reconciler) kicked() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// ask has the goroutine start a run.
func (r *reconciler) ask(ctx context.Context, kind model.RunKind) (model.Run, error) {
	q := ask{kind, make(chan answer, 1)}
	select {
	case r.asks <- q:
	case <-ctx.Done():
		return model.Run{}, ctx.Err()
	}
	select {
	case a := <-q.answer:
		return a.run, a.err
	case <-ctx.Done():
		return model.Run{}, ctx.Err()
	}
}

// Run reconciles until ctx ends.
func (r *reconciler) Run(ctx context.Context) {
	w := r.s.store.Hub().Watch()
	defer w.Close()
	r.recall()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.C():
			if !r.concerns(w.Take()) {
				continue
			}
		case <-r.wake:
		case <-timer.C:
		case err := <-r.down:
			if err != nil && !r.shutdown.ordered.IsZero() {
				r.shutdown.err = err.Error()
			}
		case q := <-r.asks:
			run, err := r.asked(q.kind)
			q.answer <- answer{run, err}
		}
		at := r.step(ctx)
		if at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(time.Until(at), time.Millisecond))
		}
	}
}

// concerns tells whether anything that changed may matter here, and notes when
// edits came.
func (r *reconciler) concerns(dirty map[model.Ref]struct{}) bool {
	matters := false
	for ref := range dirty {
		switch ref.Kind {
		case model.KindSettings, model.KindProfile, model.KindImage, model.KindSaltMaster, model.KindHypervisor, model.KindVM:
			r.edited(time.Now())
			matters = true
		case model.KindStatus:
			// Of others: they may share an outlet. Its own: its disks.
			matters = true
		case model.KindOutlet, model.KindOutletStatus, model.KindRun, model.KindAgent:
			matters = true
		}
	}
	return matters
}

func (r *reconciler) edited(now time.Time) {
	if r.firstEdit.IsZero() {
		r.firstEdit = now
	}
	r.settles = now.Add(editPause)
	if latest := r.firstEdit.Add(maxEditPause); r.settles.After(latest) {
		r.settles = latest
	}
}

// step looks, decides and acts until there is nothing to do now. It returns
// when to look again at the latest.
func (r *reconciler) step(ctx context.Context) time.Time {
	var wake time.Time
	for range 3 {
		state := r.s.store.State()
		h, ok := state.Hypervisors[r.name]
		if !ok {
			return time.Time{} // its goroutine is about to be stopped
		}
		now := time.Now()
		r.look(state, h, now)
		d, o := r.desired(state, h), r.seen(state)
		dec := next(d, o, now)
		r.show(d, o, dec, now)
		wake = dec.wake
		again, err := r.act(ctx, dec)
		if err != nil {
			r.s.log.Error("reconciling", "hypervisor", r.name, "error", err)
			wake = now.Add(errorPause)
		}
		if !again || err != nil {
			break
		}
	}
	if r.firstEdit.IsZero() {
		return wake
	}
	return earliest(wake, r.settles)
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// look notes what has changed since it last looked.
func (r *reconciler) look(state *model.State, h model.Hypervisor, now time.Time) {
	if conn := r.s.agents.get(r.name); conn != r.conn {
		r.conn, r.told, r.sent, r.verified, r.shutdown = conn, "?", 0, "", shutdown{}
		r.met = true
	}
	if r.retry.Swap(false) {
		r.last = attempt{}
	}
	if h.PowerWanted != r.power {
		r.powerSince = now
		if r.power == "" {
			r.powerSince = h.Changed // as of the server's start
		}
		r.power, r.shutdown = h.PowerWanted, shutdown{}
	}
	r.render(state, now, false)
	r.lookAtRun()
	r.tell(h)
}

// tell says which config is desired, so that the agent gives up on a plan of
// another.
func (r *reconciler) tell(h model.Hypervisor) {
	digest := ""
	if r.config != nil {
		digest = r.config.Digest
	}
	if r.conn == nil || r.told == digest || h.Hold {
		return
	}
	if r.conn.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{Digest: digest}}) == nil {
		r.told = digest
	}
}

// act carries a decision out; true is that there may be more to do at once.
func (r *reconciler) act(ctx context.Context, dec decision) (again bool, err error) {
	switch dec.act {
	case actOn, actOff:
		r.s.log.Info("switching", "hypervisor", r.name, "outlet", dec.outlet, "on", dec.act == actOn)
		r.s.outlets.request(dec.outlet, dec.act == actOn) // its status will tell
	case actShutdown:
		r.orderShutdown(ctx)
	case actLost:
		return true, r.lose()
	case actRun:
		_, err := r.startRun(model.RunApply)
		return true, err
	}
	return false, nil
}

// orderShutdown orders without waiting for the answer, which comes on r.down.
func (r *reconciler) orderShutdown(ctx context.Context) {
	r.s.log.Info("ordering shutdown", "hypervisor", r.name)
	r.shutdown = shutdown{ordered: time.Now()}
	conn := r.conn
	go func() { // ends with the order's deadline
		ctx, cancel := context.WithTimeout(ctx, orderTime)
		defer cancel()
		err := conn.order(ctx, wire.Frame{Kind: wire.KindShutdown})
		select {
		case r.down <- err:
		case <-ctx.Done():
		}
	}()
}

// show publishes the decision.
func (r *reconciler) show(d desired, o seen, dec decision, now time.Time) {
	applied, _ := r.s.store.Applied(r.name)
	power := machinePower(d, o)
	if dec.phase == model.PhaseOff && power == model.PowerOn {
		power = model.PowerOff // it is down, on an outlet that stays on
	}
	r.s.observed.update(r.name, func(st *model.HypervisorStatus) {
		if st.Phase != dec.phase {
			st.Since = now.UTC()
		}
		st.Phase, st.Power, st.Error = dec.phase, power, dec.err
		st.DesiredDigest, st.AppliedDigest, st.AppliedAt = d.digest, applied.Digest, applied.At
		st.RetryAt, st.Failures, st.LastRun, st.Run = dec.retryAt.UTC(), 0, r.lastRun, r.run
		if dec.retryAt.IsZero() {
			st.RetryAt = time.Time{}
		}
		if r.last.digest == d.digest {
			st.Failures = r.last.failures
		}
		if !o.joined {
			st.Agent = model.AgentNever
		} else if st.Agent == model.AgentNever {
			st.Agent, st.AgentSince = model.AgentOffline, now.UTC()
		}
	})
}

// desired gathers what is wanted.
func (r *reconciler) desired(state *model.State, h model.Hypervisor) desired {
	d := desired{
		name: r.name, hold: h.Hold, power: h.PowerWanted, powerSince: r.powerSince, grace: haltGrace,
		incomplete: r.incomplete, outlets: h.Outlets, sources: sources(state, h.Outlets),
	}
	if h.Platform == model.PlatformSandbox {
		d.grace = sandboxGrace
	}
	if r.config != nil {
		d.digest = r.config.Digest
	}
	if !r.firstEdit.IsZero() {
		d.settles = r.settles
	}
	// What requires others is switched off before them.
	d.outlets = dependentsFirst(d.sources, h.Outlets)
	return d
}

// seen gathers what is known.
func (r *reconciler) seen(state *model.State) seen {
	_, joined := state.Agents[r.name]
	applied, _ := r.s.store.Applied(r.name)
	o := seen{
		joined: joined, online: r.conn != nil, met: r.met, applied: applied.Digest, verified: r.verified, last: r.last, shutdown: r.shutdown,
		since: r.s.observed.hypervisor(r.name).AgentSince, outlets: r.s.outlets.seen(state, r.name),
	}
	if run, ok := r.activeRun(); ok {
		o.run = &run
	}
	if o.run != nil && r.conn != nil {
		o.runHeld, o.quiet = r.holds(o.run.ID), r.conn.quietSince()
	}
	return o
}

func (r *reconciler) errorf(format string, args ...any) error {
	return fmt.Errorf(r.name+": "+format, args...)
}
