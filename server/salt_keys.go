package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"homelab/model"
	"homelab/server/salt"
)

// Keys on the masters: those of our VMs are put there before the guests need
// them, and are deleted when the guests are gone. Whatever else comes is left
// for a person. What was put there is written down among the secrets of the
// master's minions: the minion's ID, and the VM's as its value.

// ledger is where it is written down what was put on a master.
func ledger(master string) model.Ref {
	return model.Ref{Kind: model.KindMinion, Name: "on " + master}
}

// tend sees to the keys of one master whenever something may have changed.
func (a *salts) tend(ctx context.Context, m *saltMaster) {
	if !m.made.ServesVMs() {
		return // its minions make their own keys, and people accept them
	}
	seeded := map[string]bool{} // IDs whose keys were found or put there
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.tend:
		case <-retry.C:
		}
		if !m.follower.Snapshot().Reached {
			continue // it says so when it is
		}
		err := errors.Join(a.seed(ctx, m, seeded), a.tidy(ctx, m, seeded))
		if ctx.Err() != nil {
			return
		}
		if m.troubled(err) {
			a.s.log.Warn("the keys of a Salt master", "master", m.made.Name, "error", err)
			poke(a.wake)
		}
		if err != nil {
			retry.Reset(tendPause)
		}
	}
}

// troubled notes what is wrong with the keys, and tells whether that is news.
func (m *saltMaster) troubled(err error) bool {
	text := ""
	if err != nil {
		text = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	news := m.trouble != text
	m.trouble = text
	return news
}

// seed puts the keys of our VMs on their master. A pending key with the ID of
// a VM is accepted if it is that VM's, and else makes way: its fingerprint
// decides.
func (a *salts) seed(ctx context.Context, m *saltMaster, seeded map[string]bool) error {
	state := a.s.store.State()
	pending := m.follower.Snapshot().Keys.Pending
	var errs []error
	for _, name := range model.Names(state.VMs) {
		vm := state.VMs[name]
		id := model.HostName(vm.Name, vm.Hypervisor)
		key, made := a.s.minions.key(vm.ID)
		if state.Master(vm) != m.made.Name || !made || seeded[id] && !slices.Contains(pending, id) {
			continue
		}
		if err := m.master.PreSeed(ctx, id, key.Public); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := a.s.store.SetSecret(ledger(m.made.Name), id, vm.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		if seeded[id] = true; !slices.Contains(m.follower.Snapshot().Keys.Accepted, id) {
			m.follower.Refresh()
		}
	}
	return errors.Join(errs...)
}

// tidy deletes the keys that were put on a master for VMs that are gone.
func (a *salts) tidy(ctx context.Context, m *saltMaster, seeded map[string]bool) error {
	var errs []error
	for _, id := range a.s.store.Secrets(ledger(m.made.Name)) {
		vm, ok := a.s.store.Secret(ledger(m.made.Name), id)
		if !ok || !a.gone(a.s.store.State(), id, vm) {
			continue
		}
		err := m.master.Delete(ctx, id)
		if err == nil {
			delete(seeded, id)
			err = a.s.store.SetSecret(ledger(m.made.Name), id, "")
			m.follower.Refresh()
			a.s.log.Info("the key of a minion that is gone was deleted", "master", m.made.Name, "minion", id)
		}
		if err == nil && !vmExists(a.s.store.State(), vm) && !a.written(vm) {
			err = a.s.minions.forget(vm)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func vmExists(state *model.State, id string) bool {
	for _, vm := range state.VMs {
		if vm.ID == id {
			return true
		}
	}
	return false
}

// written tells whether a master still has a key of that VM.
func (a *salts) written(vm string) bool {
	for name := range a.s.store.State().SaltMasters {
		for _, id := range a.s.store.Secrets(ledger(name)) {
			if of, _ := a.s.store.Secret(ledger(name), id); of == vm {
				return true
			}
		}
	}
	return false
}

// gone tells whether the guest that had this minion ID is no more: no VM has
// that name there, and the hypervisor's agent, if there is still such a
// hypervisor, sees no such guest. While it is away nobody knows.
func (a *salts) gone(state *model.State, id, vm string) bool {
	for _, v := range state.VMs {
		if model.HostName(v.Name, v.Hypervisor) == id {
			return false
		}
	}
	for name := range state.Hypervisors {
		if !strings.HasSuffix(id, "-on-"+name) {
			continue
		}
		st := a.s.observed.hypervisor(name)
		if st.Agent != model.AgentOnline || st.Phase != model.PhaseInSync && st.Phase != model.PhaseConfiguring {
			return false // what is desired is not carried out there yet
		}
		if g, ok := st.Guest(vm); ok && g.Name == model.DomainName(strings.TrimSuffix(id, "-on-"+name), name) {
			return false
		}
	}
	return true
}

// keys lists the keys of all masters that are asked.
func (a *salts) keys(ctx context.Context) ([]model.SaltKey, error) {
	all := []model.SaltKey{}
	var errs []error
	for _, m := range a.masters() {
		keys, err := m.master.Keys(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		owners := a.owners(m)
		add := func(state string, ids []string) {
			for _, id := range ids {
				key := model.SaltKey{Master: m.made.Name, ID: id, State: state}
				ref := owners[id]
				switch ref.Kind {
				case model.KindVM:
					key.VM = ref.Name
				case model.KindHypervisor:
					key.Hypervisor = ref.Name
				default:
					key.Stranger = true
				}
				if state == "pending" && salt.CheckID(id) == nil {
					f, err := m.master.Fingerprints(ctx, id)
					errs = append(errs, err)
					key.Fingerprint = f.Pending
				}
				all = append(all, key)
			}
		}
		add("pending", keys.Pending)
		add("denied", keys.Denied)
		add("rejected", keys.Rejected)
		add("accepted", keys.Accepted)
	}
	return all, errors.Join(errs...)
}

// owners are the VMs or hypervisors that a master's minions can be, by ID.
func (a *salts) owners(m *saltMaster) map[string]model.Ref {
	state, owners := a.s.store.State(), map[string]model.Ref{}
	for name, vm := range state.VMs {
		if state.Master(vm) == m.made.Name {
			owners[model.HostName(vm.Name, vm.Hypervisor)] = model.Ref{Kind: model.KindVM, Name: name}
		}
	}
	for name, h := range state.Hypervisors {
		if m.made.ServesVMs() {
			break
		}
		for _, id := range machineIDs(h, a.s.observed.hypervisor(name)) {
			owners[id] = model.Ref{Kind: model.KindHypervisor, Name: name}
		}
	}
	return owners
}

// accept accepts a pending key, whose fingerprint a person has seen.
func (a *salts) accept(ctx context.Context, master, id, fingerprint string) error {
	m := a.get(master)
	if m == nil {
		return errNotAsked(master)
	}
	if fingerprint == "" {
		return fmt.Errorf("which key of %s is to be accepted: its fingerprint is missing", id)
	}
	err := m.master.Accept(ctx, id, fingerprint)
	m.follower.Refresh()
	return err
}
