// Package power switches outlets: one small interface, one file per kind of
// device.
//
// A [Switch] promises that each call ends, within a few seconds of its own or
// when its context does, and that what a device did not say is never guessed:
// what cannot be asked, or answers something else, is [model.PowerUnknown].
// It does not remember what was ordered, except where the device is only
// played (simulated).
package power

import (
	"context"
	"fmt"

	"homelab/model"
)

// Switch is one outlet's device. Its methods may be called from any goroutine,
// but orders to one device are better given one after another.
type Switch interface {
	// Set switches and returns when the device has confirmed that it took
	// the order.
	Set(ctx context.Context, on bool) error
	// State asks the device. A device that cannot be asked is unknown, without
	// an error.
	State(ctx context.Context) (model.Power, error)
}

// New makes the switch of an outlet; sim is what a simulated one calls with
// its name when it is switched, and may be nil.
func New(outlet model.Outlet, sim func(name string, on bool)) (Switch, error) {
	switch outlet.Driver {
	case model.DriverHTTP:
		return newHTTP(outlet.HTTP)
	case model.DriverSimulated:
		return newSimulated(outlet.Name, sim), nil
	}
	return nil, fmt.Errorf("outlet %q has the driver %q: there are %q and %q", outlet.Name, outlet.Driver, model.DriverHTTP, model.DriverSimulated)
}
