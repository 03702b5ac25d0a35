package server

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"homelab/model"
	"homelab/power"
)

const (
	pollPause  = 10 * time.Second
	deviceTime = 20 * time.Second // of one order, its check included
	checkPause = 500 * time.Millisecond
	checks     = 4 // of the state after an order
)

// outlets are one goroutine for each outlet, which asks its device now and
// then and gives it orders, one after another: a dead device delays no other.
type outlets struct {
	s *Server

	mu      sync.Mutex
	devices map[string]*device
}

// device is one outlet's device.
type device struct {
	outlet  model.Outlet
	secrets map[string]string
	sw      power.Switch // nil where the outlet's settings make none
	bad     error        // why
	orders  chan deviceOrder
	stop    context.CancelFunc

	mu      sync.Mutex
	pending int       // orders that were given and not carried out
	failed  time.Time // when the last order failed; zero if it did not
	byHand  time.Time // when a person switched it last
	handOn  bool
}

type deviceOrder struct {
	on     bool
	answer chan error // nil where nobody waits
}

func newOutlets(s *Server) *outlets { return &outlets{s: s, devices: map[string]*device{}} }

// Run keeps a device for each outlet that is defined until ctx ends.
func (o *outlets) Run(ctx context.Context) {
	w := o.s.store.Hub().Watch()
	defer w.Close()
	var running sync.WaitGroup
	defer running.Wait()
	o.align(ctx, &running)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.C():
		}
		for ref := range w.Take() {
			if ref.Kind == model.KindOutlet {
				o.align(ctx, &running)
				break
			}
		}
	}
}

func (o *outlets) align(ctx context.Context, running *sync.WaitGroup) {
	defined := o.s.store.State().Outlets
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, dev := range o.devices {
		now, ok := defined[name]
		if ok && dev.outlet.SameDevice(now) && maps.Equal(dev.secrets, o.s.deviceSecrets(now)) {
			dev.outlet = now
			continue
		}
		dev.stop()
		delete(o.devices, name)
		if !ok {
			o.s.observed.forgetOutlet(name)
		}
	}
	for name, outlet := range defined {
		if o.devices[name] != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		dev := &device{outlet: outlet, secrets: o.s.deviceSecrets(outlet), stop: stop, orders: make(chan deviceOrder, 8)}
		dev.sw, dev.bad = power.New(outlet, power.Options{
			Simulated: o.s.opts.Simulated,
			Secret:    func(field string) string { return dev.secrets[field] },
		})
		o.devices[name] = dev
		running.Go(func() { o.run(ctx, name, dev) })
	}
}

func (o *outlets) get(name string) *device {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.devices[name]
}

// run asks and orders one device until ctx ends.
func (o *outlets) run(ctx context.Context, name string, dev *device) {
	o.poll(ctx, name, dev)
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.poll(ctx, name, dev)
		case q := <-dev.orders:
			err := o.carryOut(ctx, name, dev, q.on)
			if q.answer != nil {
				q.answer <- err
			}
		}
	}
}

// poll asks the device for its state.
func (o *outlets) poll(ctx context.Context, name string, dev *device) {
	old := o.s.observed.outlet(name)
	st := old
	st.Observed = time.Now().UTC()
	switch {
	case dev.bad != nil:
		st = model.OutletStatus{State: model.PowerUnknown, Error: dev.bad.Error(), Observed: st.Observed}
	case !dev.outlet.Askable():
		o.s.observed.setOutlet(name, old) // what was last ordered
		return
	default:
		limited, cancel := context.WithTimeout(ctx, deviceTime)
		state, err := dev.sw.State(limited)
		st.Watts, st.EnergyWh = o.measure(limited, name, dev, err)
		cancel()
		if ctx.Err() != nil {
			return // the server stops: that says nothing of the device
		}
		st.State, st.Assumed, st.Error = state, false, errText(err)
	}
	if st.State != old.State || st.Since.IsZero() {
		st.Since = st.Observed
	}
	o.s.observed.setOutlet(name, st)
}

// measure asks the device's meter, if it has one. What it does not say is nil.
func (o *outlets) measure(ctx context.Context, name string, dev *device, failed error) (watts, energyWh *float64) {
	meter, ok := dev.sw.(power.Meter)
	if !ok || failed != nil {
		return nil, nil
	}
	r, err := meter.Read(ctx)
	if err != nil {
		return nil, nil // its state is known all the same
	}
	o.s.meters.take(name, r.Watts)
	return r.Watts, r.EnergyWh
}

// carryOut switches a device, and checks that it is what it was told to be.
func (o *outlets) carryOut(ctx context.Context, name string, dev *device, on bool) error {
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	want := model.PowerOff
	if on {
		want = model.PowerOn
	}
	state, assumed, err := want, !dev.outlet.Askable(), dev.bad
	if err == nil {
		err = dev.sw.Set(ctx, on)
	}
	switch {
	case err != nil:
		state, assumed = model.PowerUnknown, false
		if old := o.s.observed.outlet(name); dev.bad == nil && !dev.outlet.Askable() {
			state, assumed = old.State, old.Assumed
		}
	case !assumed:
		state, err = check(ctx, dev.sw, want)
	}
	var watts, energy *float64
	if dev.bad == nil && !assumed {
		watts, energy = o.measure(ctx, name, dev, err)
	}
	now := time.Now().UTC()
	dev.mu.Lock()
	dev.pending--
	dev.failed = time.Time{}
	if err != nil {
		dev.failed = now
	}
	dev.mu.Unlock()
	st := o.s.observed.outlet(name)
	if st.State != state || st.Since.IsZero() {
		st.Since = now
	}
	st.State, st.Assumed, st.Error, st.Observed = state, assumed, errText(err), now
	st.Watts, st.EnergyWh = watts, energy
	o.s.observed.setOutlet(name, st)
	o.s.log.Info("outlet switched", "outlet", name, "on", on, "state", state, "error", err)
	o.kickFed(name)
	return err
}

// check asks a device whether it did as it was told; some take a moment.
func check(ctx context.Context, sw power.Switch, want model.Power) (model.Power, error) {
	for n := 1; ; n++ {
		state, err := sw.State(ctx)
		if err == nil && state == want {
			return state, nil
		}
		if n == checks || !sleep(ctx, checkPause) {
			if err == nil {
				err = &power.StillError{Want: want, State: state}
			}
			return state, err
		}
	}
}

// kickFed has what an outlet feeds looked at again.
func (o *outlets) kickFed(name string) {
	for _, h := range feeds(o.s.store.State(), name) {
		o.s.reconcile.kick(h)
	}
}

// request gives an order that nobody waits for.
func (o *outlets) request(name string, on bool) {
	if dev := o.get(name); dev != nil {
		_ = dev.order(deviceOrder{on: on})
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
		return fmt.Errorf("the device of outlet %s is busy with %d orders", d.outlet.Name, d.pending)
	}
}

// do gives an order and waits until it is carried out.
func (o *outlets) do(ctx context.Context, name string, on, byHand bool) error {
	dev := o.get(name)
	if dev == nil {
		return notFound(model.KindOutlet, name)
	}
	if byHand {
		dev.mu.Lock()
		dev.byHand, dev.handOn = time.Now(), on
		dev.mu.Unlock()
	}
	q := deviceOrder{on, make(chan error, 1)}
	if err := dev.order(q); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*deviceTime)
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
