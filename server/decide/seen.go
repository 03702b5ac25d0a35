package decide

import (
	"time"

	"homelab/model"
)

// Seen is what is known of one hypervisor.
type Seen struct {
	Joined   bool
	Online   bool
	Since    time.Time // since when it is online or not
	Applied  string    // digest that was carried out last
	Verified string    // digest that the last run found or made true since the agent connected
	Run      *model.Run
	RunHeld  bool      // the agent has that run, or was just sent it
	Quiet    time.Time // since when the agent records nothing
	Last     Attempt
	Drift    []model.Drift // how guests differ from what was applied
	Mends    Mends
	Shutdown Shutdown
	Outlets  map[string]OutletSeen
	Order    model.PowerOrder // how far the order about its power has come
	Resumed  bool             // which this server found under way when it started
	Running  int              // guests that were not off when its agent last said so; -1: it has not since it connected
	Ping     PingSeen
}

// PingSeen is what pinging a machine told.
type PingSeen struct {
	At       time.Time // of the last one; zero if none worked
	Answers  bool
	Answered time.Time // when it last answered
}

// Mends are the runs that drift made start, those that followed one another.
type Mends struct {
	count int
	at    time.Time // of the last one
}

// More counts one that starts now.
func (m Mends) More(now time.Time) Mends {
	if now.Sub(m.at) >= mendsEnd {
		m = Mends{}
	}
	return Mends{m.count + 1, now}
}

// Attempt is how the last runs of one config ended.
type Attempt struct {
	Digest    string
	Run       uint64
	Failures  int // in a row
	Ended     time.Time
	Err       string
	Cancelled bool
}

// Shutdown is the last order to shut the machine down.
type Shutdown struct {
	Ordered time.Time // zero: none since it is wanted and the agent is there
	Taken   time.Time // when the agent said that it does it
	Err     string
}

// OutletSeen is what is known of one outlet.
type OutletSeen struct {
	model.OutletStatus
	Ordered  bool      // an order is on its way
	Switched time.Time // when the last order was carried out
	Cycled   time.Time // when it last took the power away and gave it back
	Failed   time.Time // when the last order failed; zero if it did not
	Failing  time.Time // when the first of those in a row did
	ByHand   time.Time // when a person switched it last, and which way
	HandOn   bool
	Shared   bool   // it feeds others too
	Blocked  string // why it must not be switched off
}
