package server

import (
	"slices"

	"homelab/model"
	"homelab/server/salt"
)

// What is shown of the masters and their minions.

// show publishes what the masters know.
func (a *salts) show() {
	state := a.s.store.State()
	minions := map[string]model.SaltStatus{}
	machines := map[string]model.SaltStatus{}
	for _, m := range a.masters() {
		snap := m.follower.Snapshot()
		expected := map[string]bool{}
		for _, vm := range state.VMs {
			if m.made.ServesVMs() && state.Master(vm) == m.made.Name {
				id := model.HostName(vm.Name, vm.Hypervisor)
				expected[id] = true
				minions[vm.ID] = minionStatus(m.made.Name, id, snap)
			}
		}
		for name, h := range state.Hypervisors {
			st := a.s.observed.hypervisor(name)
			if m.made.ServesVMs() {
				continue
			}
			for _, id := range machineIDs(h, st) {
				expected[id] = true
			}
			id, _ := machineID(h, st, snap)
			machines[name] = minionStatus(m.made.Name, id, snap)
		}
		a.s.observed.setSaltMaster(m.made.Name, m.status(snap, expected))
	}
	a.s.observed.setMinions(minions)
	for name := range state.Hypervisors {
		a.showHypervisor(state, name, minions, machines)
	}
}

func (a *salts) showHypervisor(state *model.State, name string, minions, machines map[string]model.SaltStatus) {
	var own *model.SaltStatus
	if st, ok := machines[name]; ok {
		own = &st
	}
	var configured *model.Configured
	if state.AwaitsSalt(name) {
		if c := state.Configured(name, a.since(name, minions)); c.Total > 0 {
			configured = &c
		}
	}
	a.s.observed.update(name, func(st *model.HypervisorStatus) { st.Salt, st.Configured = own, configured })
}

// since leaves out what was said of guests before the last run made them anew.
func (a *salts) since(hypervisor string, minions map[string]model.SaltStatus) map[string]model.SaltStatus {
	run, err := a.s.store.Run(a.s.observed.hypervisor(hypervisor).LastRun)
	if err != nil {
		return minions
	}
	fresh := map[string]model.SaltStatus{}
	for id, st := range minions {
		fresh[id] = st
	}
	for _, r := range run.Resources {
		id, part, ok := model.ParseResource(r.Address)
		if !ok || part != model.PartDomain || r.Action != "create" && r.Action != "replace" {
			continue
		}
		if st := fresh[id]; st.Result == nil || st.Result.At.Before(run.Started) {
			delete(fresh, id)
		}
	}
	return fresh
}

func minionStatus(master, id string, snap salt.Snapshot) model.SaltStatus {
	st, ok := snap.Minions[id]
	if !ok {
		st.State = model.SaltNever
	}
	if !snap.Reached {
		st.State = model.SaltUnknown
	}
	st.Master, st.Minion = master, id
	return st
}

func (m *saltMaster) status(snap salt.Snapshot, expected map[string]bool) model.SaltMasterStatus {
	m.mu.Lock()
	trouble := m.trouble
	m.mu.Unlock()
	if snap.Error != "" {
		trouble = snap.Error
	}
	st := model.SaltMasterStatus{Reached: snap.Reached, Since: snap.Since, Error: trouble, Pending: slices.Clone(snap.Keys.Pending)}
	for _, id := range slices.Concat(snap.Keys.Accepted, snap.Keys.Pending, snap.Keys.Denied) {
		if !expected[id] && !slices.Contains(st.Strangers, id) {
			st.Strangers = append(st.Strangers, id)
		}
	}
	return st
}
