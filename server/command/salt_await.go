package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homelab/model"
)

// configureTime is how long guests that must be configured for a run to count
// are waited for.
const configureTime = 20 * time.Minute

// awaitConfigured waits until the guests of a hypervisor are configured, where
// its runs count only then, and fails if one is not.
func (s *session) awaitConfigured(ctx context.Context, hypervisor string, quiet bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, configureTime, errTooLong)
	defer stop()
	w := s.lab.Watch()
	defer w.Close()
	told := model.Configured{}
	for s.state().AwaitsSalt(hypervisor) {
		status := s.hypervisorStatus(hypervisor)
		c := status.Configured
		settled := status.Phase == model.PhaseInSync || status.Phase == model.PhaseConfiguring
		if c == nil && settled {
			return nil // none of its guests has a master that is asked
		}
		if c != nil && settled {
			if *c != told && !quiet {
				s.notef("applied, %s", c)
			}
			told = *c
			switch {
			case c.Done == c.Total:
				return nil
			case c.Done+c.Failed == c.Total:
				return hint(fmt.Errorf("applied, %s", c), "see why with: salt status")
			}
		}
		select {
		case <-w.C():
			w.Take()
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTooLong) {
				return hint(fmt.Errorf("applied, %s after %s", told, configureTime), "see why with: salt status")
			}
			return context.Cause(ctx)
		}
	}
	return nil
}
