package decide

import (
	"fmt"
	"testing"
	"time"

	"homelab/model"
)

// world is a machine with an agent, a guest and an outlet, played with a clock
// of its own; what the server knows is apart from what is so.
type world struct {
	now  time.Time
	d    Desired
	kept model.PowerOrder // what a server that is killed finds again
	// The server's memory.
	shutdown Shutdown
	since    time.Time // of the agent's connection or its end
	known    bool      // the server's process asked the device
	resumed  bool
	switched time.Time
	// What is so.
	power    bool
	guest    bool
	booted   time.Time // when the agent comes; zero is never
	halting  time.Time // since when the machine shuts down
	online   bool
	refuses  bool      // the guest does not hear its button
	back     time.Time // until then the agent does not find the server
	vanished bool      // the agent's connection is cut: it says nothing any more
	cuts     int
	log      []string
}

func newWorld(power string, on bool) *world {
	w := &world{now: noon, power: on, known: true}
	w.d = Desired{
		name: "box", Digest: "d", power: power, powerSince: noon, grace: haltGrace, guestGrace: 30 * time.Second,
		outlets: []string{"plug"}, sources: []string{"plug"}, feeds: map[string]feed{"plug": {}},
	}
	if on {
		w.guest, w.online, w.booted = true, true, ago(time.Hour)
	}
	return w
}

func (w *world) seen() Seen {
	o := Seen{Joined: true, Online: w.online, Since: w.since, Applied: "d", Verified: "d", Shutdown: w.shutdown, Order: w.kept, Resumed: w.resumed, Running: -1}
	state := model.PowerUnknown
	if w.known {
		state = map[bool]model.Power{true: model.PowerOn, false: model.PowerOff}[w.power]
	}
	o.Outlets = map[string]OutletSeen{"plug": {OutletStatus: model.OutletStatus{State: state, Since: w.switched}, Switched: w.switched}}
	if w.online || !w.shutdown.Taken.IsZero() {
		o.Running = 0
		if w.guest {
			o.Running = 1
		}
	}
	return o
}

// tick is a second: the world goes on, then the server looks and acts.
func (w *world) tick(t *testing.T) {
	t.Helper()
	w.now = w.now.Add(time.Second)
	was := w.online
	switch {
	case !w.power:
		if w.guest {
			t.Fatalf("the power was cut under a running guest:\n%v", w.log)
		}
		w.booted, w.halting, w.online = time.Time{}, time.Time{}, false
	case w.booted.IsZero() && w.halting.IsZero():
		w.booted = w.now.Add(20 * time.Second)
	case !w.halting.IsZero():
		up := w.now.Sub(w.halting)
		if up > 5*time.Second && !w.refuses || up > w.d.guestGrace {
			w.guest = false
		}
		w.online = w.guest || up < 35*time.Second
	case !w.now.Before(w.booted):
		w.online, w.guest = true, true
	}
	if w.vanished || w.now.Before(w.back) {
		w.online = false
	}
	if w.online != was {
		w.since = w.now
		if w.online {
			w.shutdown = Shutdown{}
		}
	}
	w.server()
}

func (w *world) server() {
	o := w.seen()
	w.kept = Follow(w.d, o, w.now) // kept before anything is done
	o.Order = w.kept
	dec := Next(w.d, o, w.now)
	w.log = append(w.log, fmt.Sprintf("%s %d %s %s", w.now.Sub(noon), dec.Act, dec.Phase, dec.Err))
	switch dec.Act {
	case ActOn:
		w.power, w.switched = true, w.now
	case ActOff:
		w.power, w.switched = false, w.now
		w.cuts++
	case ActCycle:
		w.guest, w.online, w.booted, w.since = false, false, w.now.Add(20*time.Second), w.now
		w.switched = w.now
		w.cuts++
	case ActShutdown:
		w.shutdown = Shutdown{Ordered: w.now, Taken: w.now}
		if w.halting.IsZero() {
			w.halting = w.now
		}
	}
	w.known = true
}

// kill is a server that is killed and started again: it knows what it kept, and
// its agents connect a little later.
func (w *world) kill() {
	w.shutdown, w.known, w.switched = Shutdown{}, false, w.now
	w.resumed = !w.kept.Cutting.IsZero()
	w.since, w.online, w.back = w.now, false, w.now.Add(4*time.Second)
}

// TestAServerThatIsKilledNeverCutsUnderAGuest kills the server at each second of
// a power off, with a guest that goes and one that does not, and at each of a
// power on.
func TestAServerThatIsKilledNeverCutsUnderAGuest(t *testing.T) {
	for _, goal := range []string{model.PowerWantedOff, model.PowerWantedOn} {
		for _, refuses := range []bool{false, true} {
			for at := range 80 {
				w := newWorld(goal, goal == model.PowerWantedOff)
				w.refuses = refuses
				for second := range 600 {
					if second == at {
						w.kill()
					}
					w.tick(t)
				}
				if w.kept.Ended.IsZero() {
					t.Fatalf("%s, killed after %d s: it never ends: %+v\n%v", goal, at, w.kept, w.log[len(w.log)-5:])
				}
				if goal == model.PowerWantedOn && !w.online {
					t.Fatalf("killed after %d s it is not on: %+v", at, w.kept)
				}
				if goal == model.PowerWantedOff && w.power && w.kept.Error == "" {
					t.Fatalf("killed after %d s it is neither off nor says why: %+v", at, w.kept)
				}
			}
		}
	}
}

// TestAnAgentThatVanishesSavesItsGuests cuts the agent's connection at each
// second of a power off, for ever, while the guest refuses to go.
func TestAnAgentThatVanishesSavesItsGuests(t *testing.T) {
	for at := range 40 {
		w := newWorld(model.PowerWantedOff, true)
		w.refuses, w.d.guestGrace = true, time.Hour
		for second := range 900 {
			w.vanished = second >= at
			if second == at {
				w.shutdown.Taken = time.Time{} // nothing is heard of it any more
			}
			w.tick(t)
		}
		if w.cuts != 0 || w.kept.Error == "" {
			t.Fatalf("vanished after %d s: cut %d times, %+v", at, w.cuts, w.kept)
		}
	}
}

func TestASequenceSaysItsSteps(t *testing.T) {
	w := newWorld(model.PowerWantedOff, true)
	h := model.Hypervisor{Name: "box", PowerWanted: model.PowerWantedOff, PowerBy: "alice", PowerAt: noon}
	var record model.PowerRecord
	said := map[string]bool{}
	for range 200 {
		before := w.kept
		w.tick(t)
		record.Order = before
		Learn(&record, w.kept)
		record.Order = w.kept
		o := w.seen()
		line := ""
		for _, s := range Sequence(h, w.d, o, record, w.now).Steps {
			line += fmt.Sprintf("%s %s;", s.Kind, s.State)
			if s.State == model.StepDoing && s.Kind != model.StepOutlet && !s.Deadline.After(w.now) {
				t.Errorf("%s is late: %s", s.Kind, s.Deadline)
			}
		}
		said[line] = true
	}
	for _, want := range []string{
		"guests doing;halt todo;down todo;outlet todo;",
		"guests done;halt doing;down todo;outlet todo;",
		"guests done;halt done;down doing;outlet todo;",
		"guests done;halt done;down done;outlet done;",
	} {
		if !said[want] {
			t.Errorf("it never said %q, but %v", want, said)
		}
	}
	if g, d := record.Usual(model.StepGuests), record.Usual(model.StepDown); g < 4 || g > 8 || d < 29 || d > 32 {
		t.Errorf("usually %d and %d s", g, d)
	}
}
