package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"homelab/model"
	"homelab/server/decide"
)

// What may be switched because of what it feeds.

// up tells whether a machine is up, or on its way to or from it.
func up(st model.HypervisorStatus) bool {
	return st.Agent == model.AgentOnline || st.Phase == model.PhaseStarting || st.Phase == model.PhaseStopping
}

// keepers say what needs an outlet to be on: machines that are up, but for one,
// and outlets that are on and require it.
func (o *outlets) keepers(state *model.State, name, except string) []string {
	var by []string
	for _, h := range decide.Feeds(state, name) {
		if h == except {
			continue
		}
		switch {
		case up(o.s.observed.hypervisor(h)):
			by = append(by, h+" is up")
		case except != "" && state.Hypervisors[h].PowerWanted == model.PowerWantedOn:
			by = append(by, h+" is wanted on")
		}
	}
	for _, other := range model.Names(state.Outlets) {
		if slices.Contains(state.Outlets[other].Requires, name) && o.s.observed.outlet(other).State == model.PowerOn {
			by = append(by, "outlet "+other+" requires it")
		}
	}
	return by
}

// seen gathers what is known of the outlets that matter to a hypervisor.
func (o *outlets) seen(state *model.State, hypervisor string) map[string]decide.OutletSeen {
	own := state.Hypervisors[hypervisor].Outlets
	all := map[string]decide.OutletSeen{}
	for _, name := range decide.Sources(state, own) {
		var one decide.OutletSeen
		if dev := o.get(name); dev != nil {
			dev.mu.Lock()
			one.Ordered, one.Switched, one.Cycled = dev.pending > 0, dev.switched, dev.cycled
			one.Failed, one.Failing, one.ByHand, one.HandOn = dev.failed, dev.failing, dev.byHand, dev.handOn
			dev.mu.Unlock()
		}
		// Last: an order that is no more on its way shows in the state.
		one.OutletStatus = o.s.observed.outlet(name)
		if slices.Contains(own, name) {
			one.Blocked = strings.Join(o.keepers(state, name, hypervisor), ", ")
			one.Shared = len(decide.Feeds(state, name)) > 1
		}
		all[name] = one
	}
	return all
}

// byPerson switches an outlet as a person asked: on after all that it
// requires; off only if nothing needs it, unless forced.
func (o *outlets) byPerson(ctx context.Context, name string, on, force bool) error {
	state := o.s.store.State()
	if _, ok := state.Outlets[name]; !ok {
		return notFound(model.KindOutlet, name)
	}
	if !on {
		if by := o.keepers(state, name, ""); len(by) > 0 && !force {
			return &NeededError{Outlet: name, By: by}
		}
		return o.do(ctx, name, decide.ActOff, true)
	}
	for _, source := range decide.Sources(state, []string{name}) {
		if source != name && o.s.observed.outlet(source).State == model.PowerOn {
			continue
		}
		if err := o.do(ctx, source, decide.ActOn, true); err != nil {
			return err
		}
	}
	return nil
}

// cycleByPerson takes the power of an outlet away and gives it back.
func (o *outlets) cycleByPerson(ctx context.Context, name string, force bool) error {
	state := o.s.store.State()
	out, ok := state.Outlets[name]
	switch {
	case !ok:
		return notFound(model.KindOutlet, name)
	case out.OnOnly():
		return fmt.Errorf("outlet %s can only wake a machine: there is nothing to cycle", name)
	}
	if by := o.keepers(state, name, ""); len(by) > 0 && !force {
		return &NeededError{Outlet: name, By: by}
	}
	return o.do(ctx, name, decide.ActCycle, true)
}

// NeededError says that an outlet is not switched off because of what it feeds.
type NeededError struct {
	Outlet string
	By     []string // "NAME is up", "outlet NAME requires it"
}

func (e *NeededError) Error() string {
	return fmt.Sprintf("outlet %s is not switched off: %s; --force cuts it all the same", e.Outlet, strings.Join(e.By, ", "))
}
