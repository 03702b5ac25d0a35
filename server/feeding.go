package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"homelab/model"
)

// Who is fed by what, and what may be switched because of it.

// feeds are the hypervisors that an outlet feeds.
func feeds(state *model.State, outlet string) []string {
	var fed []string
	for _, name := range model.Names(state.Hypervisors) {
		if slices.Contains(state.Hypervisors[name].Outlets, outlet) {
			fed = append(fed, name)
		}
	}
	return fed
}

// sources are outlets and all that they require, what is required first.
func sources(state *model.State, outlets []string) []string {
	var order []string
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		out, ok := state.Outlets[name]
		if seen[name] || !ok {
			return
		}
		seen[name] = true // a circle ends here too
		for _, r := range out.Requires {
			visit(r)
		}
		order = append(order, name)
	}
	for _, name := range outlets {
		visit(name)
	}
	return order
}

// dependentsFirst are outlets in the order of switching off: sources backwards.
func dependentsFirst(sources, outlets []string) []string {
	var order []string
	for _, name := range slices.Backward(sources) {
		if slices.Contains(outlets, name) {
			order = append(order, name)
		}
	}
	return order
}

// up tells whether a machine is up, or on its way to or from it.
func up(st model.HypervisorStatus) bool {
	return st.Agent == model.AgentOnline || st.Phase == model.PhaseStarting || st.Phase == model.PhaseStopping
}

// keepers say what needs an outlet to be on: machines that are up, but for one,
// and outlets that are on and require it.
func (o *outlets) keepers(state *model.State, name, except string) []string {
	var by []string
	for _, h := range feeds(state, name) {
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
func (o *outlets) seen(state *model.State, hypervisor string) map[string]outletSeen {
	own := state.Hypervisors[hypervisor].Outlets
	all := map[string]outletSeen{}
	for _, name := range sources(state, own) {
		var one outletSeen
		if dev := o.get(name); dev != nil {
			dev.mu.Lock()
			one.ordered, one.switched, one.cycled = dev.pending > 0, dev.switched, dev.cycled
			one.failed, one.failing, one.byHand, one.handOn = dev.failed, dev.failing, dev.byHand, dev.handOn
			dev.mu.Unlock()
		}
		// Last: an order that is no more on its way shows in the state.
		one.OutletStatus = o.s.observed.outlet(name)
		if slices.Contains(own, name) {
			one.blocked = strings.Join(o.keepers(state, name, hypervisor), ", ")
			one.shared = len(feeds(state, name)) > 1
		}
		all[name] = one
	}
	return all
}

// feedsOf tells what kind of source each of a hypervisor's is. What feeds it
// itself comes in the order plug, management controller, Wake-on-LAN.
func feedsOf(state *model.State, own []string, sources []string) map[string]feed {
	rank := func(name string) int {
		switch o := state.Outlets[name]; {
		case o.OnOnly():
			return 2
		case isController(o):
			return 1
		}
		return 0
	}
	all := map[string]feed{}
	for _, name := range sources {
		out := state.Outlets[name]
		f := feed{onOnly: out.OnOnly(), idleWatts: out.IdleWatts}
		for _, r := range out.Requires {
			if _, ok := state.Outlets[r]; ok {
				f.requires = append(f.requires, r)
			}
		}
		if slices.Contains(own, name) {
			f.controller = isController(out)
			for _, other := range own {
				if rank(other) < rank(name) && !slices.Contains(f.requires, other) {
					f.requires = append(f.requires, other)
				}
			}
		}
		all[name] = f
	}
	return all
}

// isController tells whether an outlet is the management controller of a
// machine.
func isController(o model.Outlet) bool {
	return o.Driver == model.DriverRedfish || o.Driver == model.DriverIPMI
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
		return o.do(ctx, name, actOff, true)
	}
	for _, source := range sources(state, []string{name}) {
		if source != name && o.s.observed.outlet(source).State == model.PowerOn {
			continue
		}
		if err := o.do(ctx, source, actOn, true); err != nil {
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
	return o.do(ctx, name, actCycle, true)
}

// NeededError says that an outlet is not switched off because of what it feeds.
type NeededError struct {
	Outlet string
	By     []string // "NAME is up", "outlet NAME requires it"
}

func (e *NeededError) Error() string {
	return fmt.Sprintf("outlet %s is not switched off: %s; --force cuts it all the same", e.Outlet, strings.Join(e.By, ", "))
}
