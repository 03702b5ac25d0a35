package agent

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
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
func (a *agent) restart(ctx context.Context, f wire.Frame) error {
	p, m, err := a.place()
	if err != nil {
		return err
	}
	if a.run.Applying() {
		return errors.New("a run is applying: wait until it has ended")
	}
	defer a.look()
	grace := time.Duration(f.GraceSeconds) * time.Second
	if f.Force {
		grace = atOnce
	}
	return p.Restart(ctx, m, f.VM, grace)
}

// cutOff switches the guest of a VM off, whatever else is done: a run may be
// waiting for just that guest.
func (a *agent) cutOff(ctx context.Context, vm string) error {
	p, m, err := a.place()
	if err != nil {
		return err
	}
	defer a.look()
	return p.Cut(ctx, m, vm)
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

// prune removes files of images that nothing uses.
func (a *agent) prune(ctx context.Context, files []string) error {
	p, m, err := a.place()
	if err != nil {
		return err
	}
	if len(a.run.Unfinished()) > 0 {
		return errors.New("a run is under way: wait until it has ended")
	}
	defer a.look()
	return p.Prune(ctx, m, files)
}

// shutdown shuts down the guests and then the machine. The order is answered
// before, because afterwards nobody can. An order that comes while one is being
// carried out is the same.
func (a *agent) shutdown(ctx context.Context, order uint64, grace time.Duration) {
	a.answer(order, nil)
	if !a.halting.CompareAndSwap(false, true) {
		return
	}
	defer a.halting.Store(false)
	a.log.Info("shutting down guests and machine")
	const why = "the hypervisor is being shut down"
	closing, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	a.run.Close(closing, why)
	if p, _, err := a.place(); err == nil {
		if err := p.Down(ctx, grace); err != nil {
			a.log.Error("not all guests were shut down", "error", err)
		}
	}
	a.report(ctx)
	if err := a.opts.Shutdown(ctx); err != nil {
		a.run.Open()
		a.down.Store(false)
		a.log.Error("the machine cannot be shut down", "error", err)
		_ = a.link.Send(wire.Frame{Kind: wire.KindError, Error: fmt.Sprintf("the machine cannot be shut down: %v", err)})
	}
}

// PowerOff is the order of a program that shuts this machine down, without a
// shell.
func PowerOff(argv ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, out)
		}
		return nil
	}
}
