package agent

import (
	"context"
	"encoding/json"
	"time"

	"homelab/agent/wire"
)

// lookEvery is how often the guests are looked at though nothing is known to
// have happened. A variable for tests.
var lookEvery = 5 * time.Second

// lookPause is the least time between two looks at the guests.
const lookPause = 300 * time.Millisecond

// watchGuests sends the inventory when it has changed: it looks every few
// seconds, and at once when told that something happened.
func (a *agent) watchGuests(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-a.kick:
		}
		if a.link.Up() {
			a.report(ctx)
			// What follows at once, such as a run's many starts, is one report.
			if pause(ctx, lookPause) != nil {
				return
			}
		}
	}
}

// look makes watchGuests look now.
func (a *agent) look() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// report sends the inventory if it differs from what was sent last on this
// connection.
func (a *agent) report(ctx context.Context) {
	a.invMu.Lock()
	defer a.invMu.Unlock()
	inv, err := a.inventory(ctx)
	if err != nil {
		a.log.Debug("no inventory", "error", err)
		return
	}
	if facts := a.currentFacts(); facts != a.facts {
		inv.Facts = &facts
		a.facts = facts
	}
	b, err := json.Marshal(inv)
	if err != nil || string(b) == string(a.inv) {
		return
	}
	if a.link.Send(wire.Frame{Kind: wire.KindInventory, Inventory: &inv}) == nil {
		inv.Facts = nil
		a.inv, _ = json.Marshal(inv)
	}
}
