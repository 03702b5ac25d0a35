package agent

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"homelab/agent/wire"
)

// place is the platform of the config that the agent goes by.
func (a *agent) place() (platform, wire.Manifest, error) {
	m := a.manifest.Load()
	if m == nil {
		return nil, wire.Manifest{}, errors.New("this hypervisor has not got a config yet: add a VM to it first")
	}
	p, err := a.platformOf(*m)
	return p, *m, err
}

// restart restarts the guest of a VM: a single act, beside the runs.
func (a *agent) restart(ctx context.Context, vm string) error {
	p, m, err := a.place()
	if err != nil {
		return err
	}
	if a.run.Applying() {
		return errors.New("a run is applying: wait until it has ended")
	}
	defer a.look()
	return p.Restart(ctx, m, vm)
}

// adopt makes the foreign domain that bears the name of a VM ours.
func (a *agent) adopt(ctx context.Context, vm string) error {
	p, m, err := a.place()
	if err != nil {
		return err
	}
	defer a.look()
	return p.Adopt(ctx, m, vm)
}

// shutdown shuts down the guests and then the machine. The order is answered
// before, because afterwards nobody can.
func (a *agent) shutdown(ctx context.Context, order uint64) {
	a.answer(order, nil)
	a.log.Info("shutting down guests and machine")
	const why = "the hypervisor is being shut down"
	closing, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	a.run.Close(closing, why)
	if p, _, err := a.place(); err == nil {
		if err := p.Down(ctx); err != nil {
			a.log.Error("not all guests were shut down", "error", err)
		}
	}
	a.report(ctx)
	if err := a.opts.Shutdown(ctx); err != nil {
		a.run.Open()
		a.log.Error("the machine cannot be shut down", "error", err)
		_ = a.link.Send(wire.Frame{Kind: wire.KindError, Error: fmt.Sprintf("the machine cannot be shut down: %v", err)})
	}
}

func powerOff(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "systemctl", "poweroff").CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl poweroff: %w: %s", err, out)
	}
	return nil
}
