package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homelab/model"
	"homelab/power"
	"homelab/server/decide"
)

// How devices are given orders: one after another each, never two at once.

type deviceOrder struct {
	do     decide.Act    // decide.ActOn, ActOff or ActCycle
	unless func() string // asked right before; an answer is why it is not done; may be nil
	answer chan error    // nil where nobody waits
}

// carryOut switches a device, and checks that it is what it was told to be.
func (o *outlets) carryOut(ctx context.Context, name string, dev *device, q deviceOrder) error {
	if q.do != decide.ActOff {
		o.awaitTurn(ctx, name, dev)
	}
	limit := deviceTime
	if q.do == decide.ActCycle {
		limit = 3*deviceTime + o.pause(dev)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	want := model.PowerOn
	if q.do == decide.ActOff {
		want = model.PowerOff
	}
	state, assumed, err := want, !dev.outlet().Askable(), dev.bad
	if err == nil {
		err = o.tell(ctx, dev, q)
	}
	switch {
	case err != nil:
		state, assumed = model.PowerUnknown, false
		if old := o.s.observed.outlet(name); dev.bad == nil && !dev.outlet().Askable() {
			state, assumed = old.State, old.Assumed
		}
	case !assumed:
		state, err = check(ctx, dev.sw, want, patience(dev.outlet()))
	}
	var watts, energy *float64
	if dev.bad == nil && !assumed {
		watts, energy = o.measure(ctx, name, dev, err)
	}
	now := time.Now().UTC()
	st := o.s.observed.outlet(name)
	if st.State != state || st.Since.IsZero() || q.do == decide.ActCycle && err == nil {
		st.Since = now
	}
	st.State, st.Assumed, st.Error, st.Observed = state, assumed, errText(err), now
	st.Watts, st.EnergyWh = watts, energy
	o.s.observed.setOutlet(name, st)
	dev.carriedOut(q.do, err, now) // after its state is known: what is off and not ordered is ordered
	o.s.log.Info("outlet switched", "outlet", name, "do", q.do, "state", state, "error", err)
	o.kickFed(name)
	return err
}

// carriedOut notes what became of an order.
func (d *device) carriedOut(do decide.Act, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending--
	if err != nil {
		d.failed = now
		if d.failing.IsZero() {
			d.failing = now
		}
		return
	}
	d.failed, d.failing, d.switched = time.Time{}, time.Time{}, now
	if do == decide.ActCycle {
		d.cycled = now
	}
}

// tell gives the device its order.
func (o *outlets) tell(ctx context.Context, dev *device, q deviceOrder) error {
	if q.unless != nil {
		if why := q.unless(); why != "" {
			return errors.New("it was not switched: " + why)
		}
	}
	if q.do != decide.ActCycle {
		return dev.sw.Set(ctx, q.do == decide.ActOn)
	}
	err := power.ErrNoCycle
	if c, ok := dev.sw.(power.Cycler); ok {
		err = c.Cycle(ctx)
	}
	if !errors.Is(err, power.ErrNoCycle) {
		if err == nil && !sleep(ctx, o.s.cyclePause) {
			err = ctx.Err()
		}
		return err
	}
	if err := dev.sw.Set(ctx, false); err != nil {
		return err
	}
	// From here on it must come on again, whatever else ends.
	on, cancel := context.WithTimeout(context.WithoutCancel(ctx), deviceTime)
	defer cancel()
	sleep(ctx, o.pause(dev))
	return dev.sw.Set(on, true)
}

// pause is how long a device that is cycled by us stays off.
func (o *outlets) pause(dev *device) time.Duration {
	return max(o.s.cyclePause, time.Duration(dev.outlet().DelaySeconds)*time.Second)
}

// awaitTurn waits until a device may be switched on after the one before it:
// machines that start draw many times what they do later.
func (o *outlets) awaitTurn(ctx context.Context, name string, dev *device) {
	if o.s.observed.outlet(name).State == model.PowerOn {
		return
	}
	now := time.Now()
	o.mu.Lock()
	turn := now
	if o.free.After(turn) {
		turn = o.free
	}
	o.free = turn.Add(time.Duration(dev.outlet().DelaySeconds) * time.Second)
	o.mu.Unlock()
	if wait := turn.Sub(now); wait > 0 {
		sleep(ctx, wait)
	}
}

// turns is how long the queue of those that wait for their turn is.
func (o *outlets) turns() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(0, time.Until(o.free))
}

// patience is how often a device is asked whether it did as it was told: a
// machine's controller takes seconds, and so may what is behind another hub.
func patience(o model.Outlet) int {
	switch o.Driver {
	case model.DriverRedfish, model.DriverIPMI:
		return 5 * checks
	case model.DriverHomeAssistant, model.DriverCommand:
		return 2 * checks
	}
	return checks
}

// check asks a device whether it did as it was told; some take a moment.
func check(ctx context.Context, sw power.Switch, want model.Power, times int) (model.Power, error) {
	for n := 1; ; n++ {
		state, err := sw.State(ctx)
		if err == nil && state == want {
			return state, nil
		}
		if n == times || !sleep(ctx, checkPause) {
			if err == nil {
				err = &power.StillError{Want: want, State: state}
			}
			return state, err
		}
	}
}

// kickFed has what an outlet feeds looked at again.
func (o *outlets) kickFed(name string) {
	for _, h := range decide.Feeds(o.s.store.State(), name) {
		o.s.reconcile.kick(h)
	}
}

// request gives an order that nobody waits for; unless may say, right before
// it is carried out, why it must not be any more.
func (o *outlets) request(name string, do decide.Act, unless func() string) {
	if dev := o.get(name); dev != nil {
		_ = dev.order(deviceOrder{do: do, unless: unless})
	}
}

func (d *device) order(q deviceOrder) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.orders <- q:
		d.pending++
		return nil
	default:
		return fmt.Errorf("the device of outlet %s is busy with %d orders", d.outlet().Name, d.pending)
	}
}

// do gives an order and waits until it is carried out.
func (o *outlets) do(ctx context.Context, name string, do decide.Act, byHand bool) error {
	dev, err := o.current(ctx, name)
	if err != nil {
		return err
	}
	if byHand {
		dev.mu.Lock()
		dev.byHand, dev.handOn = time.Now(), do != decide.ActOff
		dev.mu.Unlock()
	}
	q := deviceOrder{do: do, answer: make(chan error, 1)}
	if err := dev.order(q); err != nil {
		return err
	}
	limit := 2*deviceTime + o.turns()
	if do == decide.ActCycle {
		limit += 3*deviceTime + o.pause(dev)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case err := <-q.answer:
		if err != nil {
			return fmt.Errorf("outlet %s: %w", name, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the device of outlet %s did not answer in time", name)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
