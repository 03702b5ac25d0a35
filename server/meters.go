package server

import (
	"context"
	"maps"
	"math"
	"sync"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// meters keeps what the outlets' meters say: the mean of each minute is
// recorded when it is over, of all outlets in one write.
type meters struct {
	s   *Server
	now func() time.Time

	mu      sync.Mutex
	minute  time.Time // that samples belong to
	samples map[string]mean
}

// mean is what was measured in a minute.
type mean struct {
	sum   float64
	count int
}

const recentMinutes = 60

func newMeters(s *Server) *meters {
	return &meters{s: s, now: time.Now, samples: map[string]mean{}}
}

// Run records each minute when it is over until ctx ends.
func (m *meters) Run(ctx context.Context) {
	m.remember()
	for {
		next := m.now().Truncate(time.Minute).Add(time.Minute)
		select {
		case <-ctx.Done():
			return
		case <-time.After(next.Sub(m.now())):
			m.tick()
		}
	}
}

// take is told what a meter says.
func (m *meters) take(outlet string, watts *float64) {
	if watts == nil || math.IsNaN(*watts) || math.IsInf(*watts, 0) {
		return
	}
	minute := m.now().Truncate(time.Minute)
	m.mu.Lock()
	late := !m.minute.IsZero() && minute.After(m.minute)
	m.mu.Unlock()
	if late {
		m.tick() // what was measured before belongs to the minute that is over
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minute = minute
	old := m.samples[outlet]
	m.samples[outlet] = mean{old.sum + *watts, old.count + 1}
}

// tick records the minute that is over, if anything was measured in it.
func (m *meters) tick() {
	now := m.now()
	m.mu.Lock()
	if m.minute.IsZero() || !now.Truncate(time.Minute).After(m.minute) {
		m.mu.Unlock()
		return
	}
	minute, watts := m.minute, map[string]float64{}
	defined := m.s.store.State().Outlets
	for outlet, s := range m.samples {
		if _, ok := defined[outlet]; ok {
			watts[outlet] = s.sum / float64(s.count)
		}
	}
	m.minute, m.samples = time.Time{}, map[string]mean{}
	m.mu.Unlock()
	if err := m.s.store.RecordWatts(store.WattMinute{At: minute, Watts: watts}); err != nil {
		m.s.log.Error("what the meters said is not kept", "error", err)
	}
	m.remember()
}

// remember reads what screens show of the meters.
func (m *meters) remember() {
	state, now := m.s.store.State(), m.now()
	outlets := model.Names(state.Outlets)
	energy, err := m.s.store.Energy(midnight(now, state.Settings.Timezone), now)
	if err != nil {
		m.s.log.Error("the meters' history cannot be read", "error", err)
		return
	}
	for name := range energy {
		if _, ok := state.Outlets[name]; !ok {
			delete(energy, name)
		}
	}
	history, err := m.s.store.WattHistory(outlets, model.SpanHour, now)
	if err != nil {
		m.s.log.Error("the meters' history cannot be read", "error", err)
		return
	}
	for name, points := range history {
		one, ok := energy[name]
		if !ok {
			continue
		}
		one.Recent = make([]float64, 0, recentMinutes)
		for _, p := range points {
			one.Recent = append(one.Recent, p.Watts)
		}
		energy[name] = one
	}
	m.s.observed.setMeters(energy)
}

// midnight is when the day began that is now, in a zone or the server's own.
func midnight(now time.Time, zone string) time.Time {
	if zone != "" {
		if loc, err := time.LoadLocation(zone); err == nil {
			now = now.In(loc)
		}
	}
	y, mon, d := now.Date()
	return time.Date(y, mon, d, 0, 0, 0, 0, now.Location())
}

// setMeters replaces what was recorded of the meters.
func (o *observed) setMeters(all map[string]model.Metered) {
	o.mu.Lock()
	news := len(all) > 0 || len(o.meters) > 0
	o.meters = maps.Clone(all)
	o.mu.Unlock()
	if news {
		o.store.Hub().Publish(model.Ref{Kind: model.KindMeters, Name: string(model.KindMeters)})
	}
}

// WattHistory returns what was measured of outlets in a span that ends now.
func (l *lab) WattHistory(_ context.Context, outlets []string, span model.Span) (map[string][]model.WattPoint, error) {
	return l.s.store.WattHistory(outlets, span, l.s.meters.now())
}
