package salt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"homelab/model"
)

const (
	firstPause = time.Second // before a stream that ended is started again
	lastPause  = time.Minute
	readPause  = 5 * time.Second // between two readings of everything

	defaultLoop = time.Minute // Salt's own loop_interval, and Setup's
	defaultPoll = 5 * time.Minute
)

// Snapshot is what is known of one master and its minions; it is immutable.
type Snapshot struct {
	Reached bool      // its command line answered when it was last asked
	Since   time.Time // since when Reached is what it is; zero: it was not asked yet
	Error   string    // why it does not answer, or why its events do not come
	Keys    Keys
	Minions map[string]model.SaltStatus // by ID, also those that nobody expects
}

// Options are what a follower needs.
type Options struct {
	Master  Master
	Known   map[string]model.SaltStatus // from before, by minion ID; may be nil
	Changed func(Snapshot)              // called by Run, one at a time, when anything changed; may be nil
	Log     *slog.Logger                // nil is none

	LoopInterval time.Duration // the master's loop_interval; 0 is Salt's 60 s
	Poll         time.Duration // between questions who is up; 0 is 5 min
}

// Follower knows what one master knows. It reads everything when it begins,
// then follows the events, and reads everything again after each gap in them,
// at hints, and every few minutes. Its methods are safe for concurrent use.
type Follower struct {
	opts    Options
	src     source
	tracker *Tracker // Run's, as the next two
	seen    int      // version of tracker in snap
	beats   bool     // presence events are on: silence means something
	snap    atomic.Pointer[Snapshot]
	ask     chan struct{}

	mu      sync.Mutex
	waiters map[*waiter]bool
}

// source is a Master, or a test's.
type source interface {
	Keys(ctx context.Context) (Keys, error)
	Status(ctx context.Context) (Status, error)
	StartApply(ctx context.Context, ids []string) (job string, err error)
	Lookup(ctx context.Context, job string) (map[string]model.SaltResult, error)
	events(ctx context.Context) (stream, error)
}

// NewFollower makes a follower; Run starts it.
func NewFollower(opts Options) *Follower {
	if opts.LoopInterval <= 0 {
		opts.LoopInterval = defaultLoop
	}
	if opts.Poll <= 0 {
		opts.Poll = defaultPoll
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Changed == nil {
		opts.Changed = func(Snapshot) {}
	}
	f := &Follower{
		opts: opts, src: opts.Master, tracker: NewTracker(opts.Master.Name, opts.Known),
		ask: make(chan struct{}, 1), waiters: map[*waiter]bool{},
	}
	f.snap.Store(&Snapshot{Minions: f.tracker.Statuses()})
	f.seen = f.tracker.version
	return f
}

// Snapshot is what is known now.
func (f *Follower) Snapshot() Snapshot { return *f.snap.Load() }

// Refresh has everything read again soon, as after a key was deleted.
func (f *Follower) Refresh() {
	select {
	case f.ask <- struct{}{}:
	default:
	}
}

// Run follows the master until ctx ends. It may be called once.
func (f *Follower) Run(ctx context.Context) error {
	pause, last := firstPause, ""
	for {
		began := time.Now()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err.Error() != last {
			last = err.Error()
			f.opts.Log.Warn("the events of a Salt master are followed anew", "master", f.opts.Master.Name, "error", err)
		}
		f.publish(func(s *Snapshot) { s.Error = err.Error() })
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, lastPause)
	}
}

// publish shows what changed, if anything did.
func (f *Follower) publish(change func(*Snapshot)) {
	old := f.snap.Load()
	s := *old
	change(&s)
	if f.tracker.version != f.seen {
		f.seen, s.Minions = f.tracker.version, f.tracker.Statuses()
	} else if s.Reached == old.Reached && s.Since.Equal(old.Since) && s.Error == old.Error && s.Keys.equal(old.Keys) {
		return
	}
	f.snap.Store(&s)
	f.opts.Changed(s)
}

// follow follows one stream to its end, which is always an error.
func (f *Follower) follow(ctx context.Context) error {
	s, err := f.src.events(ctx)
	if err != nil {
		return err
	}
	r := &reading{f: f, stream: s, lines: make(chan []byte), reads: make(chan read, 1)}
	ctx, cancel := context.WithCancel(ctx)
	r.wg.Go(func() { r.scan(ctx) })
	err = r.loop(ctx)
	if ctx.Err() == nil && r.busy { // what was asked is worth having
		f.take(<-r.reads)
	}
	cancel()
	if said := s.Close(); said != nil && errors.Is(err, errEnded) {
		err = fmt.Errorf("%w: %w", err, said)
	}
	r.wg.Wait()
	return err
}

// event takes one event.
func (f *Follower) event(e Event) (ask bool) {
	now := time.Now()
	ask = f.tracker.Event(now, e)
	f.returned(e, now)
	f.publish(func(*Snapshot) {})
	return ask
}

// take takes what was read.
func (f *Follower) take(r read) {
	now := time.Now()
	if r.listed {
		f.tracker.Keys(r.asked, now, r.keys)
	}
	if r.err == nil {
		f.tracker.Status(now, r.status)
	}
	for job, results := range r.jobs {
		f.tracker.Job(now, job, results)
	}
	f.publish(func(s *Snapshot) {
		if reached := r.err == nil; s.Reached != reached || s.Since.IsZero() {
			s.Reached, s.Since = reached, now
		}
		if r.listed {
			s.Keys = r.keys
		}
		s.Error = ""
		if r.err != nil {
			s.Error = r.err.Error()
		}
	})
}
