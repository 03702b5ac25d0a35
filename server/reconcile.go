package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/decide"
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

// reconciler carries out what [decide.Next] decides for one hypervisor. All but the
// first group of fields belongs to its goroutine.
type reconciler struct {
	s      *Server
	name   string
	stop   context.CancelFunc
	wake   chan struct{}
	asks   chan ask
	retry  atomic.Bool
	orders sync.WaitGroup
	down   chan downAnswer // what became of the order to shut down
	prober prober

	state      *model.State // that config was rendered from
	disks      []model.Disk // likewise
	config     *terraform.Config
	incomplete string
	preparing  bool      // the keys of minions are being made; the config is the last one
	dirty      time.Time // since when what it is rendered from may have changed; zero if it has not
	firstEdit  time.Time // of those that settle together
	settles    time.Time // when the newest edits that changed the config are to be acted upon

	conn     *agentConn
	lastConn *agentConn // the newest, though it may be gone
	told     string     // digest that conn was told to be desired, "?" if none
	sent     uint64     // the run that was sent to conn
	run      uint64     // under way when last looked
	kind     model.RunKind
	last     decide.Attempt
	lastRun  uint64
	verified string
	drift    []model.Drift
	mends    decide.Mends

	shutdown decide.Shutdown
	record   model.PowerRecord // of its power, as it is kept
	resumed  bool              // its order was under way when the server started
}

// downAnswer is what became of the order to shut down that conn was given; an
// agent that complains later says it of the last one.
type downAnswer struct {
	conn *agentConn
	err  error
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
	return &reconciler{s: s, name: name, stop: stop, wake: make(chan struct{}, 1), asks: make(chan ask), down: make(chan downAnswer, 1), told: "?"}
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
	defer r.orders.Wait()
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
		case a := <-r.down:
			r.answered(a)
		case q := <-r.asks:
			run, err := r.asked(ctx, q.kind)
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
// the config may have.
func (r *reconciler) concerns(dirty map[model.Ref]struct{}) bool {
	matters := false
	for ref := range dirty {
		switch ref.Kind {
		case model.KindSettings, model.KindProfile, model.KindImage, model.KindSaltMaster, model.KindHypervisor, model.KindVM, model.KindShare, model.KindRole:
			if matters = true; r.dirty.IsZero() {
				r.dirty = time.Now()
			}
		case model.KindMinion:
			matters = matters || r.preparing
		case model.KindStatus:
			// Of others: they may share an outlet. Its own: its disks.
			matters = true
		case model.KindOutlet, model.KindOutletStatus, model.KindRun, model.KindAgent:
			matters = true
		}
	}
	return matters
}

// changed notes that an edit changed the config.
func (r *reconciler) changed(at time.Time) {
	if at.After(r.settles) {
		r.firstEdit = at
	}
	r.settles = at.Add(editPause)
	if latest := r.firstEdit.Add(maxEditPause); r.settles.After(latest) {
		r.settles = latest
	}
}

// step looks, decides and acts until there is nothing to do now. It returns
// when to look again at the latest.
func (r *reconciler) step(ctx context.Context) time.Time {
	var wake time.Time
	for range 100 { // each device is told at most once
		state := r.s.store.State()
		h, ok := state.Hypervisors[r.name]
		if !ok {
			return time.Time{} // its goroutine is about to be stopped
		}
		now := time.Now()
		r.look(state, h, now)
		d, o := r.desired(state, h), r.seen(state)
		if err := r.keepOrder(decide.Follow(d, o, now)); err != nil {
			r.s.log.Error("keeping the order about its power", "hypervisor", r.name, "error", err)
			return now.Add(errorPause)
		}
		o.Order = r.record.Order
		dec := decide.Next(d, o, now)
		r.show(state, d, o, dec, now)
		wake = dec.Wake
		if dec.Probe != "" {
			r.prober.start(ctx, r, dec.Probe)
		}
		again, err := r.act(ctx, dec)
		if err != nil {
			r.s.log.Error("reconciling", "hypervisor", r.name, "error", err)
			wake = now.Add(errorPause)
		}
		if !again || err != nil {
			break
		}
	}
	return wake
}

// look notes what has changed since it last looked.
func (r *reconciler) look(state *model.State, h model.Hypervisor, now time.Time) {
	if conn := r.s.agents.get(r.name); conn != r.conn {
		r.conn, r.told, r.sent, r.verified = conn, "?", 0, ""
		if conn != nil {
			r.lastConn, r.shutdown = conn, decide.Shutdown{}
		}
	}
	if r.retry.Swap(false) {
		r.last = decide.Attempt{}
	}
	if !h.PowerAt.Equal(r.record.Order.At) {
		r.shutdown, r.resumed = decide.Shutdown{}, false // another order
	}
	r.render(state, now)
	r.lookAtRun()
	r.tell(h)
}

// tell says which config is desired, so that the agent gives up on a run of another
// that does not apply yet. While the hypervisor is held none is.
func (r *reconciler) tell(h model.Hypervisor) {
	digest := r.digest()
	if h.Hold {
		digest = ""
	}
	if r.conn == nil || r.told == digest {
		return
	}
	if r.conn.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{Digest: digest}}) == nil {
		r.told = digest
	}
}

// act carries a decision out; true is that there may be more to do at once.
func (r *reconciler) act(ctx context.Context, dec decide.Decision) (again bool, err error) {
	switch dec.Act {
	case decide.ActOn, decide.ActOff, decide.ActCycle:
		r.s.log.Info("switching", "hypervisor", r.name, "outlet", dec.Outlet, "do", dec.Act)
		var unless func() string
		if dec.Act == decide.ActOff && !r.s.store.State().Hypervisors[r.name].PowerCycle {
			unless = func() string { return r.keeps(dec.Outlet) }
		}
		r.s.outlets.request(dec.Outlet, dec.Act, unless) // its status will tell
		return true, nil
	case decide.ActShutdown:
		r.orderShutdown(ctx)
	case decide.ActLost:
		return true, r.lose()
	case decide.ActRun:
		r.mending(time.Now())
		_, err := r.startRun(model.RunApply)
		return true, err
	}
	return false, nil
}

// orderShutdown orders without waiting for the answer, which comes on r.down.
func (r *reconciler) orderShutdown(ctx context.Context) {
	r.s.log.Info("ordering shutdown", "hypervisor", r.name)
	r.shutdown = decide.Shutdown{Ordered: time.Now()}
	conn := r.conn
	frame := wire.Frame{Kind: wire.KindShutdown, GraceSeconds: int(decide.GuestGrace(r.s.store.State()) / time.Second)}
	r.orders.Go(func() { // ends with the order's deadline
		ctx, cancel := context.WithTimeout(ctx, orderTime)
		defer cancel()
		err := conn.order(ctx, frame)
		select {
		case r.down <- downAnswer{conn, err}:
		case <-ctx.Done():
		}
	})
}

func (r *reconciler) answered(a downAnswer) {
	switch {
	case r.shutdown.Ordered.IsZero() || a.conn != nil && a.conn != r.lastConn:
	case a.err != nil:
		r.shutdown.Err = a.err.Error()
	default:
		r.shutdown.Taken = time.Now()
	}
}
