package server

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
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
	aligned chan struct{} // closed when devices are what is defined once more
	free    time.Time     // when the next may be switched on: inrush
}

// device is one outlet's device.
type device struct {
	defined atomic.Pointer[model.Outlet] // what concerns the device itself stays
	secrets map[string]string
	sw      power.Switch // nil where the outlet's settings make none
	bad     error        // why
	orders  chan deviceOrder
	stop    context.CancelFunc

	mu       sync.Mutex
	pending  int       // orders that were given and not carried out
	switched time.Time // when the last was
	cycled   time.Time // when the last cycle was
	failed   time.Time // when the last order failed; zero if it did not
	failing  time.Time // when the first of those in a row did
	byHand   time.Time // when a person switched it last
	handOn   bool
}

func newOutlets(s *Server) *outlets {
	return &outlets{s: s, devices: map[string]*device{}, aligned: make(chan struct{})}
}

func (d *device) outlet() model.Outlet { return *d.defined.Load() }

// Run keeps a device for each outlet that is defined until ctx ends.
func (o *outlets) Run(ctx context.Context) { o.s.follow(ctx, model.KindOutlet, o.align) }

func (o *outlets) align(ctx context.Context, running *sync.WaitGroup) {
	defined := o.s.store.State().Outlets
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, dev := range o.devices {
		now, ok := defined[name]
		if ok && dev.outlet().SameDevice(now) && maps.Equal(dev.secrets, o.s.deviceSecrets(now)) {
			dev.defined.Store(&now)
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
		dev := &device{secrets: o.s.deviceSecrets(outlet), stop: stop, orders: make(chan deviceOrder, 8)}
		dev.defined.Store(&outlet)
		dev.sw, dev.bad = power.New(outlet, power.Options{
			Simulated: o.s.opts.Simulated,
			Secret:    func(field string) string { return dev.secrets[field] },
		})
		o.devices[name] = dev
		running.Go(func() { o.run(ctx, name, dev) })
	}
	close(o.aligned)
	o.aligned = make(chan struct{})
}

// current is the device of an outlet as it is defined now: who has just added
// or changed one may order it at once.
func (o *outlets) current(ctx context.Context, name string) (*device, error) {
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	for {
		o.mu.Lock()
		dev, aligned := o.devices[name], o.aligned
		o.mu.Unlock()
		defined, ok := o.s.store.State().Outlets[name]
		switch {
		case !ok:
			return nil, notFound(model.KindOutlet, name)
		case dev != nil && dev.outlet().Version >= defined.Version:
			return dev, nil
		}
		select {
		case <-aligned:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
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
			err := o.carryOut(ctx, name, dev, q)
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
	case !dev.outlet().Askable():
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
