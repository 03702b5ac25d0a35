package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// Times of a guest's way down.
var (
	shutdownGrace = 30 * time.Second // where the server does not say; then it is switched off
	acpiAgain     = 5 * time.Second  // a guest that boots may miss the first request
)

// atOnce is the grace of a guest that is switched off without being asked.
const atOnce time.Duration = -1

// downs are the guests that were asked to shut down, and when each is switched
// off if it has not gone by then.
type downs struct {
	mu sync.Mutex
	by map[libvirt.UUID]time.Time
}

// enter notes a guest until the returned function is called.
func (d *downs) enter(id libvirt.UUID, by time.Time) (leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by == nil {
		d.by = map[libvirt.UUID]time.Time{}
	}
	d.by[id] = by
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.by[id].Equal(by) { // else it was asked once more meanwhile
			delete(d.by, id)
		}
	}
}

// of is when a guest is switched off; zero: it was not asked to go.
func (d *downs) of(id libvirt.UUID) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.by[id]
}

// off tells whether a guest is off, or gone altogether.
func (v *virt) off(ctx context.Context, d domain) (bool, error) {
	return call(ctx, v, func(l *libvirt.Libvirt) (bool, error) {
		state, _, err := l.DomainGetState(d.Domain, 0)
		if isCode(err, libvirt.ErrNoDomain) {
			return true, nil
		}
		s := libvirt.DomainState(state)
		return err == nil && (s == libvirt.DomainShutoff || s == libvirt.DomainCrashed), err
	})
}

// stop shuts a guest down by ACPI and switches it off if that takes longer than
// grace (0 is the agent's own). It tells whether the guest went by itself.
// Meanwhile the inventory says when it is switched off.
func (v *virt) stop(ctx context.Context, d domain, grace time.Duration) (bool, error) {
	if grace == atOnce {
		return false, v.switchOff(ctx, d)
	}
	by := time.Now().Add(graceOr(grace)).UTC()
	defer v.a.look()
	defer v.downs.enter(d.UUID, by)()
	v.a.look()
	patience, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	if off, err := v.askDown(patience, d); off || err != nil {
		return off, err
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return false, v.switchOff(ctx, d)
}

func graceOr(grace time.Duration) time.Duration {
	if grace > 0 {
		return grace
	}
	return shutdownGrace
}

// askDown asks a guest to shut down, now and then, until it is off or patience
// ends.
func (v *virt) askDown(patience context.Context, d domain) (off bool, err error) {
	var asked time.Time
	for {
		off, err := v.off(patience, d)
		if off {
			return true, nil
		}
		if patience.Err() != nil {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("cannot shut %s down: %w", d.Name, err)
		}
		if d.state == model.GuestPaused { // it cannot hear the request
			_ = v.do(patience, func(l *libvirt.Libvirt) error { return l.DomainResume(d.Domain) })
			d.state = model.GuestRunning
		}
		if time.Since(asked) >= acpiAgain {
			asked = time.Now()
			// An error here shows by the guest not going down.
			_ = v.do(patience, func(l *libvirt.Libvirt) error {
				return l.DomainShutdownFlags(d.Domain, libvirt.DomainShutdownAcpiPowerBtn)
			})
		}
		_ = pause(patience, 250*time.Millisecond)
	}
}

// switchOff takes a guest's power away.
func (v *virt) switchOff(ctx context.Context, d domain) error {
	err := v.do(ctx, func(l *libvirt.Libvirt) error { return l.DomainDestroy(d.Domain) })
	if err != nil && !isCode(err, libvirt.ErrOperationInvalid) && !isCode(err, libvirt.ErrNoDomain) {
		return fmt.Errorf("cannot switch %s off: %w", d.Name, err)
	}
	return nil
}

// Restart shuts the guest of a VM down and starts it again.
func (v *virt) Restart(ctx context.Context, m wire.Manifest, id string, grace time.Duration) error {
	if vm, ok := vmIn(m, id); ok && !vm.Running {
		return fmt.Errorf("%s is not wanted on: start it instead", vm.Name)
	}
	d, err := v.mustFind(ctx, id)
	if err != nil {
		return err
	}
	if d.active() {
		if _, err := v.stop(ctx, d, grace); err != nil {
			return err
		}
		d.state = model.GuestStopped
	}
	return v.start(ctx, d)
}

// Cut switches the guest of a VM off without asking it.
func (v *virt) Cut(ctx context.Context, _ wire.Manifest, id string) error {
	d, err := v.mustFind(ctx, id)
	if err != nil {
		return err
	}
	return v.switchOff(ctx, d)
}

// mustFind finds the domain that a VM has to have.
func (v *virt) mustFind(ctx context.Context, id string) (domain, error) {
	d, ok, err := v.find(ctx, id)
	if err == nil && !ok {
		err = fmt.Errorf("%s has no domain here", v.a.names.Of(id))
	}
	return d, err
}

// Down shuts down all guests, foreign ones too, all at once. Those that have not
// gone after grace, or after the agent's own where that is 0, are switched off.
func (v *virt) Down(ctx context.Context, grace time.Duration) error {
	all, err := v.domains(ctx)
	if err != nil {
		return err
	}
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, d := range all {
		if !d.active() {
			continue
		}
		wg.Go(func() {
			clean, err := v.stop(ctx, d, grace)
			if err == nil && !clean {
				v.a.log.Warn("the guest did not shut down and was switched off", "guest", d.Name)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
