package power

import (
	"context"
	"sync"

	"homelab/model"
)

// simulated plays a device: it starts as off and does what it is told.
type simulated struct {
	name     string
	switched func(name string, on bool)

	mu sync.Mutex
	on bool
}

func newSimulated(name string, switched func(string, bool)) *simulated {
	return &simulated{name: name, switched: switched}
}

func (s *simulated) Set(ctx context.Context, on bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.on = on
	s.mu.Unlock()
	if s.switched != nil {
		s.switched(s.name, on)
	}
	return nil
}

func (s *simulated) State(context.Context) (model.Power, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on {
		return model.PowerOn, nil
	}
	return model.PowerOff, nil
}
