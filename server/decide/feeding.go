package decide

import (
	"slices"

	"homelab/model"
)

// Who is fed by what.

// Feeds are the hypervisors that an outlet feeds.
func Feeds(state *model.State, outlet string) []string {
	var fed []string
	for _, name := range model.Names(state.Hypervisors) {
		if slices.Contains(state.Hypervisors[name].Outlets, outlet) {
			fed = append(fed, name)
		}
	}
	return fed
}

// Sources are outlets and all that they require, what is required first.
func Sources(state *model.State, outlets []string) []string {
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
