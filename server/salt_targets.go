package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"homelab/model"
	"homelab/server/salt"
)

// Which minions people mean, and what they ask of them.

// target is one minion of ours.
type target struct {
	name string // of the VM or hypervisor
	id   string // the minion's
	of   *saltMaster
}

// target finds the minion of a VM or a hypervisor.
func (a *salts) target(state *model.State, name string) (target, error) {
	if vm, ok := state.VMs[name]; ok {
		master := state.Master(vm)
		if master == "" {
			return target{}, fmt.Errorf("VM %q has no Salt master: vm edit %s --salt-master NAME", name, name)
		}
		m := a.get(master)
		if m == nil {
			return target{}, errNotAsked(master)
		}
		return target{name, model.HostName(vm.Name, vm.Hypervisor), m}, nil
	}
	h, ok := state.Hypervisors[name]
	if !ok {
		return target{}, notFound(model.KindVM, name)
	}
	var first *saltMaster
	for _, m := range a.masters() {
		if m.made.ServesVMs() {
			continue
		}
		if first == nil {
			first = m
		}
		if id, ok := machineID(h, a.s.observed.hypervisor(name), m.follower.Snapshot()); ok {
			return target{name, id, m}, nil
		}
	}
	if first == nil {
		return target{}, fmt.Errorf("no Salt master that serves hypervisors is asked: salt master add NAME --serves hypervisors --reach 'sudo -n' --address HOST")
	}
	return target{}, fmt.Errorf("salt master %s knows no minion %q: its ID must be the hypervisor's name, host name or address", first.made.Name, name)
}

// machineID is the ID of a hypervisor's own minion: by its name, host name or
// address, whichever the master knows.
func machineID(h model.Hypervisor, st model.HypervisorStatus, snap salt.Snapshot) (string, bool) {
	for _, id := range machineIDs(h, st) {
		if _, ok := snap.Minions[id]; ok || snap.Keys.Has(id) {
			return id, true
		}
	}
	return h.Name, false
}

func machineIDs(h model.Hypervisor, st model.HypervisorStatus) []string {
	ids := []string{h.Name}
	for _, id := range []string{st.Facts.Hostname, h.Address} {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// apply has minions apply their state, each group through its own master.
func (a *salts) apply(ctx context.Context, targets []target, each func(model.SaltAnswer)) error {
	return perMaster(targets, each, func(m *saltMaster, ids []string, each func(string, model.SaltAnswer)) error {
		return m.follower.Apply(ctx, ids, func(o salt.Outcome) {
			answer := model.SaltAnswer{Result: &o.Result}
			if o.Err != nil {
				answer = model.SaltAnswer{Error: o.Err.Error()}
			}
			each(o.Minion, answer)
		})
	})
}

// call calls a function on minions.
func (a *salts) call(ctx context.Context, targets []target, fun string, args []string, each func(model.SaltAnswer)) error {
	return perMaster(targets, each, func(m *saltMaster, ids []string, each func(string, model.SaltAnswer)) error {
		return m.master.Call(ctx, ids, fun, args, func(r salt.Return) {
			each(r.Minion, model.SaltAnswer{Down: r.Down, Value: r.Value, Result: r.Result})
		})
	})
}

// perMaster asks the masters of targets at the same time, and hands over one
// answer at a time.
func perMaster(targets []target, each func(model.SaltAnswer), ask func(*saltMaster, []string, func(string, model.SaltAnswer)) error) error {
	groups := map[*saltMaster]map[string]string{} // the target's name by the minion's ID
	for _, t := range targets {
		if groups[t.of] == nil {
			groups[t.of] = map[string]string{}
		}
		groups[t.of][t.id] = t.name
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		errs    []error
	)
	for m, names := range groups {
		running.Go(func() {
			err := ask(m, model.Names(names), func(id string, answer model.SaltAnswer) {
				mu.Lock()
				defer mu.Unlock()
				answer.Minion, answer.Name = id, names[id]
				each(answer)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// tendPause is the pause after seeing to keys went wrong.
const tendPause = time.Minute
