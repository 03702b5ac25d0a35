package power

import (
	"context"
	"math"
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
		r.Watts = number(s.watts * flicker(s.name, time.Now()))
	}
	return r, nil
}

// flicker is what load does to a power over some minutes: 0.85 to 1.15 of it,
// and not the same of every device.
func flicker(name string, now time.Time) float64 {
	phase := 0.0
	for _, c := range name {
		phase += float64(c)
	}
	t := float64(now.UnixMilli()) / 1000
	return 1 + 0.1*math.Sin(t/97+phase) + 0.05*math.Sin(t/13+2*phase)
}

// used is the energy since it was switched on.
func (s *simulated) used() float64 {
	if !s.on {
		return 0
	}
	return s.watts * time.Since(s.since).Hours()
}
