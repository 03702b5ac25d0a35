package salt

import (
	"context"
	"log/slog"
	"time"

	"homelab/model"
)

// Snapshot is what is known of one master and its minions; it is immutable.
type Snapshot struct {
	Reached bool      // its command line answered when it was last asked
	Since   time.Time // since when Reached is what it is
	Error   string    // why it does not answer, or why its events do not come
	Keys    Keys
	Minions map[string]model.SaltStatus // by ID, also those that nobody expects
}

// Outcome is how one minion's part of an apply ended; Err is why there is no
// result.
type Outcome struct {
	Minion string
	Result model.SaltResult
	Err    error
}

// Options are what a follower needs.
type Options struct {
	Master  Master
	Known   map[string]model.SaltStatus // from before, by minion ID
	Changed func(Snapshot)              // called by Run, one at a time, when anything changed
	Log     *slog.Logger

	LoopInterval time.Duration // the master's loop_interval; 0 is Salt's 60 s
	Poll         time.Duration // between questions who is up; 0 is 5 min
}

// Follower follows one master.
type Follower struct {
	opts Options
	src  source
}

type source interface {
	Keys(ctx context.Context) (Keys, error)
	Status(ctx context.Context) (Status, error)
}

// NewFollower makes a follower; Run starts it.
func NewFollower(opts Options) *Follower { return &Follower{opts: opts, src: opts.Master} }

// Run follows the master until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Snapshot is what is known now.
func (f *Follower) Snapshot() Snapshot { return Snapshot{} }

// Refresh has everything read again soon, as after a key was accepted.
func (f *Follower) Refresh() {}

// Apply has minions apply their whole state and hands over each outcome as it
// comes. It returns when all are in or ctx ends. Run must be running.
func (f *Follower) Apply(ctx context.Context, ids []string, each func(Outcome)) error {
	return nil
}
