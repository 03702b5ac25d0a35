package server

import (
	"context"
	"time"

	"homelab/model"
	"homelab/power"
)

// Probe finds out what device is at an address. Only who may define outlets may
// have the server look around.
func (l *lab) Probe(ctx context.Context, address string) ([]model.FoundDevice, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return nil, err
	}
	return power.Probe(ctx, address)
}

// Discover finds the devices on the server's own networks.
func (l *lab) Discover(ctx context.Context) ([]model.FoundDevice, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return nil, err
	}
	return power.Discover(ctx)
}

// TestOutlet asks an outlet's device whatever it can say, and orders nothing.
func (l *lab) TestOutlet(ctx context.Context, name string) (model.DeviceReport, error) {
	if err := l.may(model.RoleOperator); err != nil {
		return model.DeviceReport{}, err
	}
	dev, err := l.s.outlets.current(ctx, name)
	if err != nil {
		return model.DeviceReport{}, err
	}
	if dev.bad != nil {
		return model.DeviceReport{}, dev.bad
	}
	return deviceReport(ctx, dev.outlet(), dev.sw)
}

func deviceReport(ctx context.Context, o model.Outlet, sw power.Switch) (model.DeviceReport, error) {
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	r := model.DeviceReport{State: model.PowerUnknown, Askable: o.Askable()}
	start := time.Now()
	state, err := sw.State(ctx)
	if err != nil {
		return r, err
	}
	r.State = state
	if meter, ok := sw.(power.Meter); ok {
		reading, err := meter.Read(ctx)
		if err != nil {
			return r, err
		}
		r.Watts, r.EnergyWh = reading.Watts, reading.EnergyWh
	}
	_, r.Cycles = sw.(power.Cycler)
	if o.Driver == model.DriverCommand {
		r.Cycles = len(o.Command.Cycle) > 0
	}
	r.TookMS = time.Since(start).Milliseconds()
	return r, nil
}
