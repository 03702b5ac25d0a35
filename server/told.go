package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"homelab/model"
)

const (
	toldPause  = 5 * time.Second  // between two looks at what is wrong
	toldGroup  = 15 * time.Second // what comes about together is told together
	failedRuns = 3                // in a row: before that a retry may well do
	toldEvents = 20               // that one message names; the rest is counted
)

// wrong is something that is wrong with one thing now.
type wrong struct {
	what  model.Ref
	text  string
	since time.Time // when it began, as far as is known
	now   bool      // it is told at once: there is nothing to wait for
}

// wrongs says what is wrong that a person should be told of. It is a pure
// function; one thing has one wrong at most, by its ref.
func wrongs(state *model.State, st model.Status) map[model.Ref]wrong {
	out := map[model.Ref]wrong{}
	for name, h := range state.Hypervisors {
		if w, ok := wrongHypervisor(h, st.Hypervisors[name]); ok {
			out[w.what] = w
		}
	}
	for name := range state.Outlets {
		if s := st.Outlets[name]; s.Error != "" {
			ref := model.Ref{Kind: model.KindOutlet, Name: name}
			out[ref] = wrong{what: ref, text: "its device fails: " + firstLineOf(s.Error)}
		}
	}
	return out
}

// known tells whether enough is known of a thing to say that nothing is wrong
// with it: a server that has just started has not asked its devices yet, and
// has counted no run that failed.
func known(state *model.State, st model.Status, what model.Ref) bool {
	switch what.Kind {
	case model.KindOutlet:
		_, there := state.Outlets[what.Name]
		return !there || !st.Outlets[what.Name].Observed.IsZero()
	case model.KindHypervisor:
		if _, there := state.Hypervisors[what.Name]; !there {
			return true
		}
		switch st.Hypervisors[what.Name].Phase {
		case model.PhaseInSync, model.PhaseConfiguring, model.PhaseWaiting, model.PhaseHeld, model.PhaseOff, model.PhaseNew:
			return true
		}
		return false
	}
	return true
}

func wrongHypervisor(h model.Hypervisor, s model.HypervisorStatus) (wrong, bool) {
	w := wrong{what: model.Ref{Kind: model.KindHypervisor, Name: h.Name}, since: s.Since}
	switch q := s.Sequence; {
	case q != nil && !q.Ended.IsZero() && q.Error != "":
		w.text, w.since, w.now = fmt.Sprintf("power %s failed: %s", q.Goal, firstLineOf(q.Error)), q.Ended, true
	case s.Agent == model.AgentOffline && s.Phase == model.PhaseOffline && h.PowerWanted != model.PowerWantedOff:
		w.text, w.since = "it is gone: its agent is not connected", s.AgentSince
		if s.Error != "" {
			w.text = "it is gone: " + firstLineOf(s.Error)
		}
	case s.Phase == model.PhaseStopping && s.Error != "":
		w.text = "it does not go off: " + firstLineOf(s.Error)
	case s.Phase == model.PhaseStarting && s.Error != "":
		w.text = "it does not come up: " + firstLineOf(s.Error)
	case s.Failures >= failedRuns:
		w.text = fmt.Sprintf("its run failed %d times in a row: %s", s.Failures, firstLineOf(s.Error))
	case s.Phase == model.PhaseIncomplete:
		w.text = "it cannot be configured: " + firstLineOf(s.Error)
	default:
		return wrong{}, false
	}
	return w, true
}

func firstLineOf(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:299]) + "…"
	}
	return text
}

// event is one thing that a message tells.
type event struct {
	Kind  model.Kind `json:"kind"`
	Name  string     `json:"name"`
	State string     `json:"state"` // failed or recovered
	Text  string     `json:"text"`
	Since time.Time  `json:"since"` // when it began
}

func (e event) line() string {
	if e.State == stateRecovered {
		return fmt.Sprintf("%s %s is well again (%s)", e.Kind.Word(), e.Name, e.Text)
	}
	return fmt.Sprintf("%s %s: %s", e.Kind.Word(), e.Name, e.Text)
}

const (
	stateFailed    = "failed"
	stateRecovered = "recovered"
)

// bell decides what is told when. It is pure but for what it remembers: it has
// no clock, and tells nobody itself.
type bell struct {
	open    map[model.Ref]trouble
	heard   map[model.Ref]model.Trouble // people were told of, and not of their end
	waiting []event                     // not told yet
	first   time.Time                   // when the oldest of them came
	sent    []time.Time
}

// trouble is a wrong that lasts.
type trouble struct {
	wrong
	seen time.Time // first
	told bool      // it has become an event
}

// newBell is one whose people have heard of some troubles already.
func newBell(heard ...model.Trouble) *bell {
	b := &bell{open: map[model.Ref]trouble{}, heard: map[model.Ref]model.Trouble{}}
	for _, t := range heard {
		b.heard[t.What] = t
		b.open[t.What] = trouble{wrong: wrong{what: t.What, text: t.Text, since: t.Since}, seen: t.Since, told: true}
	}
	return b
}

// look takes in what is wrong now and returns the events to tell now, if any.
// What lasts shorter than patience is never told. A thing whose trouble ends
// before it was told is not told of; one of which nothing is known now keeps
// its trouble.
func (b *bell) look(now time.Time, all map[model.Ref]wrong, known func(model.Ref) bool, patience time.Duration, perHour int) []event {
	for _, ref := range sortedRefs(b.open) {
		t := b.open[ref]
		if _, still := all[ref]; !still && known(ref) {
			delete(b.open, ref)
			if t.told {
				b.recovered(now, t)
			}
		}
	}
	for _, ref := range sortedRefs(all) {
		w := all[ref]
		t, known := b.open[ref]
		if !known {
			t.seen = now
		}
		t.wrong = w
		if !t.told && (w.now || now.Sub(t.seen) >= patience) {
			t.told = true
			b.add(now, event{ref.Kind, ref.Name, stateFailed, w.text, t.began()})
		}
		b.open[ref] = t
	}
	return b.due(now, perHour)
}

func (t trouble) began() time.Time {
	if t.since.IsZero() || t.since.After(t.seen) {
		return t.seen.UTC()
	}
	return t.since.UTC()
}

// recovered tells that a trouble is over, unless nobody has heard of it yet.
func (b *bell) recovered(now time.Time, t trouble) {
	untold := slices.IndexFunc(b.waiting, func(e event) bool {
		return e.Kind == t.what.Kind && e.Name == t.what.Name && e.State == stateFailed
	})
	if untold >= 0 {
		b.waiting = slices.Delete(b.waiting, untold, untold+1)
		return
	}
	b.add(now, event{t.what.Kind, t.what.Name, stateRecovered, "it was: " + t.text, t.began()})
}

// add queues an event. What is queued is bounded: there are so many things, and
// of each at most one that fails and one that recovers.
func (b *bell) add(now time.Time, e event) {
	if len(b.waiting) == 0 {
		b.first = now
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(old event) bool {
		return old.Kind == e.Kind && old.Name == e.Name && old.State == e.State
	})
	b.waiting = append(b.waiting, e)
}

// due returns the events to tell now: those that came about together, and no
// more than so many messages an hour. What is over that is told with the next.
func (b *bell) due(now time.Time, perHour int) []event {
	b.sent = slices.DeleteFunc(b.sent, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	if len(b.waiting) == 0 || now.Sub(b.first) < toldGroup || len(b.sent) >= perHour {
		return nil
	}
	events := b.waiting
	b.waiting = nil
	b.sent = append(b.sent, now)
	for _, e := range events {
		ref := model.Ref{Kind: e.Kind, Name: e.Name}
		delete(b.heard, ref)
		if e.State == stateFailed {
			b.heard[ref] = model.Trouble{What: ref, Text: e.Text, Since: e.Since}
		}
	}
	return events
}

func sortedRefs[V any](m map[model.Ref]V) []model.Ref {
	refs := make([]model.Ref, 0, len(m))
	for ref := range m {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b model.Ref) int { return strings.Compare(a.String(), b.String()) })
	return refs
}

// told looks at what is wrong now and then, and has people told of it.
type told struct {
	s    *Server
	now  func() time.Time
	mu   sync.Mutex // held by look
	bell *bell
	send func(ctx context.Context, m message) map[string]error // by channel
}

func newTold(s *Server) *told {
	heard, err := s.store.Told()
	if err != nil {
		s.log.Error("what people were told of is not known any more", "error", err)
	}
	t := &told{s: s, now: time.Now, bell: newBell(heard...)}
	t.send = func(ctx context.Context, m message) map[string]error { return s.channels().send(ctx, m) }
	return t
}

// Run tells until ctx ends. A channel that hangs delays the next message, and
// nothing else.
func (t *told) Run(ctx context.Context) {
	tick := time.NewTicker(toldPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.look(ctx)
		}
	}
}

// toldLimits are how long something is wrong before it is told, and how many
// messages there are in an hour.
func toldLimits(state *model.State) (patience time.Duration, perHour int) {
	set := state.Settings
	return time.Duration(cmp.Or(set.NotifyPatience, model.NotifyPatience)) * time.Second, cmp.Or(set.NotifyPerHour, model.NotifyPerHour)
}

// look is one look at everything.
func (t *told) look(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.s.store.State()
	patience, perHour := toldLimits(state)
	status := t.s.observed.status()
	known := func(what model.Ref) bool { return known(state, status, what) }
	events := t.bell.look(t.now(), wrongs(state, status), known, patience, perHour)
	if len(events) == 0 {
		return
	}
	t.keep()
	for channel, err := range t.send(ctx, messageOf(t.now(), events)) {
		if err != nil {
			t.s.log.Warn("nobody was told by "+channel, "error", err)
		}
	}
}

// keep writes down what people have heard, lest a server that starts again tell
// it again, or never that it is over.
func (t *told) keep() {
	heard := make([]model.Trouble, 0, len(t.bell.heard))
	for _, ref := range sortedRefs(t.bell.heard) {
		heard = append(heard, t.bell.heard[ref])
	}
	if err := t.s.store.SetTold(heard); err != nil {
		t.s.log.Error("what people were told of is not kept", "error", err)
	}
}
