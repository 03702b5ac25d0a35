// Package power switches outlets: one small interface, one file per kind of
// device.
//
// A [Switch] promises that each call ends, within a few seconds of its own or
// when its context does, and that what a device did not say is never guessed:
// what cannot be asked, or answers something else, is [model.PowerUnknown].
// It does not remember what was ordered, except where the device is only
// played (simulated). A device that was reached is never told twice by one
// call, unless the order is one that does no harm when it comes again. No error
// names a secret.
package power

import (
	"context"
	"errors"
	"fmt"
	"time"

	"homelab/model"
)

// Switch is one outlet's device. Its methods may be called from any goroutine,
// but orders to one device are better given one after another.
type Switch interface {
	// Set switches and returns when the device has confirmed that it took
	// the order. Ask for its state afterwards: some confirm and do not do it.
	Set(ctx context.Context, on bool) error
	// State asks the device. A device that cannot be asked is unknown, without
	// an error.
	State(ctx context.Context) (model.Power, error)
}

// Meter is a switch that may measure what it feeds.
type Meter interface {
	// Read asks the device. One without a meter has nothing to say, without an
	// error.
	Read(ctx context.Context) (Reading, error)
}

// Reading is what a device measured; nil is what it does not measure, which is
// not 0.
type Reading struct {
	Watts    *float64 // now
	EnergyWh *float64 // counted by the device, since it pleased it to begin
}

// Cycler is a switch whose device can take the power away for a moment and give
// it back by itself, so that it comes back even if we do not.
type Cycler interface {
	// Cycle returns when the device has taken the order. Afterwards it is on,
	// even if it was off before. [ErrNoCycle] says that this device cannot.
	Cycle(ctx context.Context) error
}

// CyclePause is how long a device takes the power away for.
const CyclePause = 10 * time.Second

// ErrNoCycle says that a device cannot cycle by itself: switch it off, wait,
// and on again.
var ErrNoCycle = errors.New("the device cannot cycle by itself")

// Options are what a switch needs beside its outlet.
type Options struct {
	// Simulated is called by a simulated device when it is switched; may be nil.
	Simulated func(name string, on bool)
	// Secret returns a secret of the outlet, empty where it is not set; may be
	// nil.
	Secret func(field string) string
}

// New makes the switch of an outlet. It asks nothing of the device.
func New(outlet model.Outlet, opts Options) (Switch, error) {
	if opts.Secret == nil {
		opts.Secret = func(string) string { return "" }
	}
	for _, field := range outlet.Secrets {
		if opts.Secret(field) == "" {
			return nil, fmt.Errorf("its %s is not known any more: `outlet edit %s --%s -` sets it again", field, outlet.Name, field)
		}
	}
	password, token := opts.Secret(model.SecretPassword), opts.Secret(model.SecretToken)
	switch outlet.Driver {
	case model.DriverHTTP:
		return newHTTP(outlet.HTTP, password, token)
	case model.DriverTasmota:
		return newTasmota(outlet.Tasmota, password)
	case model.DriverShelly:
		return newShelly(outlet.Shelly, password)
	case model.DriverESPHome:
		return newESPHome(outlet.ESPHome, password)
	case model.DriverHomeAssistant:
		return newHomeAssistant(outlet.HomeAssistant, token)
	case model.DriverRedfish:
		return newRedfish(outlet.Redfish, password)
	case model.DriverIPMI:
		return newIPMI(outlet.IPMI, password)
	case model.DriverWOL:
		return newWOL(outlet.WOL, password)
	case model.DriverCommand:
		return newCommand(outlet.Command)
	case model.DriverSimulated:
		return newSimulated(outlet.Name, outlet.Simulated, opts.Simulated), nil
	}
	return nil, fmt.Errorf("outlet %q has the driver %q, which there is not", outlet.Name, outlet.Driver)
}

// StillError says that a device took an order and is not what it was told to
// be.
type StillError struct {
	Want, State model.Power
}

func (e *StillError) Error() string {
	if e.State == model.PowerUnknown {
		return fmt.Sprintf("the device took the order to switch %s and does not say whether it is", e.Want)
	}
	return fmt.Sprintf("the device took the order to switch %s and still says %s", e.Want, e.State)
}

func state(on bool) model.Power {
	if on {
		return model.PowerOn
	}
	return model.PowerOff
}

func number(n float64) *float64 { return &n }

func word(on bool) string { return string(state(on)) }
