package decide

import (
	"cmp"
	"time"

	"homelab/model"
)

// Desired is what is wanted of one hypervisor.
type Desired struct {
	name       string
	hold       bool
	power      string    // model.PowerWantedOn, …
	powerSince time.Time // when that was ordered: which order it is
	cycle      bool      // its power is to be cut first
	grace      time.Duration
	guestGrace time.Duration   // that its guests get
	address    string          // to ping; may be empty
	outlets    []string        // that feed it, those that require others of them first
	review     bool            // by its policy nothing is mended without being asked for
	sources    []string        // those and all that they require, what is required first
	feeds      map[string]feed // what kind of source each of them is
	Digest     string          // of the config, if it can be rendered
	Incomplete string          // why it cannot
	Preparing  bool            // what it needs is being made
	// Settles is when the newest edits that changed the config are old enough
	// to be acted upon.
	Settles time.Time
}

// feed is what a source is to a machine.
type feed struct {
	requires   []string // that must be on before
	onOnly     bool     // it wakes, and can neither be switched off nor asked
	controller bool     // it is the machine's own: it tells whether that is on
	idleWatts  float64
}

// Wanted is what the state says that is wanted of a hypervisor. What its config
// comes to is not: who renders it fills in the fields that others see.
func Wanted(state *model.State, h model.Hypervisor) Desired {
	d := Desired{
		name: h.Name, hold: h.Hold, power: h.PowerWanted, powerSince: h.PowerAt, cycle: h.PowerCycle, address: h.Address,
		grace: PowerGrace(state), guestGrace: GuestGrace(state), review: h.Policy == model.PolicyReview, sources: Sources(state, h.Outlets),
	}
	if h.Platform == model.PlatformSandbox {
		d.grace = sandboxGrace
	}
	// What requires others is switched off before them.
	d.outlets = dependentsFirst(d.sources, h.Outlets)
	d.feeds = feedsOf(state, h.Outlets, d.sources)
	return d
}

// GuestGrace is how long guests get to shut down before they are switched off.
func GuestGrace(state *model.State) time.Duration {
	return time.Duration(cmp.Or(state.Settings.GuestGraceSeconds, model.DefaultGuestGrace)) * time.Second
}

// PowerGrace is how long a machine gets to be off after its agent is gone, where
// nothing tells whether it is.
func PowerGrace(state *model.State) time.Duration {
	if n := state.Settings.PowerGraceSeconds; n > 0 {
		return time.Duration(n) * time.Second
	}
	return haltGrace
}
