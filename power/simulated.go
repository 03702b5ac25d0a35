package power

import (
	"context"
	"sync"
	"time"

	"homelab/model"
)

// simulated plays a device: it starts as off and does what it is told.
type simulated struct {
	name     string
	watts    float64
	switched func(name string, on bool)

	mu       sync.Mutex
	on       bool
	since    time.Time // when it was switched on
	energyWh float64   // until then
}

func newSimulated(name string, o model.SimulatedOutlet, switched func(string, bool)) *simulated {
	return &simulated{name: name, watts: o.Watts, switched: switched}
}

func (s *simulated) Set(ctx context.Context, on bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.energyWh += s.used()
	s.on, s.since = on, time.Now()
	s.mu.Unlock()
	if s.switched != nil {
		s.switched(s.name, on)
	}
	return nil
}

func (s *simulated) State(context.Context) (model.Power, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return state(s.on), nil
}

// Cycle takes no time: nothing is really switched.
func (s *simulated) Cycle(ctx context.Context) error {
	if err := s.Set(ctx, false); err != nil {
		return err
	}
	return s.Set(ctx, true)
}

// Read plays a meter, if it was told what to measure.
func (s *simulated) Read(context.Context) (Reading, error) {
	if s.watts == 0 {
		return Reading{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Reading{Watts: number(0), EnergyWh: number(s.energyWh + s.used())}
	if s.on {
		r.Watts = number(s.watts)
	}
	return r, nil
}

// used is the energy since it was switched on.
func (s *simulated) used() float64 {
	if !s.on {
		return 0
	}
	return s.watts * time.Since(s.since).Hours()
}
