package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"homelab/model"
	"homelab/model/store"
	"homelab/server/salt"
	"homelab/server/terraform"
)

// minions are the key pairs of the VMs' Salt minions: one for each VM that has
// a master, made when it is first needed and kept for the VM's life. They are
// secrets of the store, by the VM's permanent ID, so that they outlive renames
// and rebuilds.
type minions struct {
	store    *store.Store
	log      *slog.Logger
	generate func() (salt.KeyPair, error) // takes seconds
	written  func(id string) bool         // whether a master still has the key of a VM

	mu  sync.Mutex
	all map[string]*minion // by the VM's ID
}

// minion is one key pair; once makes it or finds that there is one.
type minion struct {
	once sync.Once
	done bool // of minions.mu
	key  salt.KeyPair
	err  error
}

// minionKey is the secret's name: the private half, followed by the public.
const minionKey = "key"

func newMinions(st *store.Store, log *slog.Logger) *minions {
	return &minions{store: st, log: log, generate: salt.GenerateKey, all: map[string]*minion{}}
}

// Run makes the keys that VMs lack until ctx ends.
func (m *minions) Run(ctx context.Context) {
	w := m.store.Hub().Watch()
	defer w.Close()
	retry := time.NewTimer(0)
	defer retry.Stop()
	var seen *model.State
	for {
		if state := m.store.State(); state != seen {
			seen = state
			err := m.make(ctx, needKeys(state, model.Names(state.Hypervisors)...))
			if err := errors.Join(err, m.tidy(state)); err != nil && ctx.Err() == nil {
				m.log.Error("making the keys of minions", "error", err)
				retry.Reset(errorPause) // for lack of space, perhaps
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-retry.C:
			seen = nil
		case <-w.C():
			w.Take()
		}
	}
}

// needKeys are the IDs of the hypervisors' VMs that have a guest with a minion.
func needKeys(state *model.State, hypervisors ...string) []string {
	on := make(map[string]bool, len(hypervisors))
	for _, h := range hypervisors {
		on[h] = true
	}
	var ids []string
	for _, vm := range state.VMs {
		if on[vm.Hypervisor] && state.Master(vm) != "" && state.HasDomain(vm) {
			ids = append(ids, vm.ID)
		}
	}
	return ids
}

// make makes the keys of VMs that have none, as many at once as there are
// processors.
func (m *minions) make(ctx context.Context, ids []string) error {
	var (
		group sync.WaitGroup
		slots = make(chan struct{}, runtime.GOMAXPROCS(0))
		mu    sync.Mutex
		first error
	)
	for _, id := range ids {
		if _, ok := m.key(id); ok {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			group.Wait()
			return ctx.Err()
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := m.one(id); err != nil {
				mu.Lock()
				first = err
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return first
}

// one makes one key, whoever else asks for it meanwhile.
func (m *minions) one(id string) error {
	m.mu.Lock()
	one := m.all[id]
	if one == nil {
		one = &minion{}
		m.all[id] = one
	}
	m.mu.Unlock()
	one.once.Do(func() { one.key, one.err = m.find(id) })
	m.mu.Lock()
	defer m.mu.Unlock()
	if one.err != nil {
		if m.all[id] == one {
			delete(m.all, id) // to be tried again
		}
		return one.err
	}
	if !one.done {
		one.done = true
		m.store.Hub().Publish(model.Ref{Kind: model.KindMinion, Name: id})
	}
	return nil
}

func (m *minions) find(id string) (salt.KeyPair, error) {
	ref := model.Ref{Kind: model.KindMinion, Name: id}
	if text, ok := m.store.Secret(ref, minionKey); ok {
		if i := strings.Index(text, "-----BEGIN PUBLIC KEY"); i > 0 {
			return salt.KeyPair{Private: text[:i], Public: text[i:]}, nil
		}
	}
	key, err := m.generate()
	if err != nil {
		return key, err
	}
	return key, m.store.SetSecret(ref, minionKey, key.Private+key.Public)
}

// key is the key of a VM's minion, if it is made.
func (m *minions) key(id string) (salt.KeyPair, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one := m.all[id]; one != nil && one.done {
		return one.key, true
	}
	return salt.KeyPair{}, false
}

// ready tells whether all keys of a hypervisor's guests are made. If they are
// not, they are being made, and each is a [model.KindMinion] of the hub then.
func (m *minions) ready(state *model.State, hypervisor string) bool {
	for _, id := range needKeys(state, hypervisor) {
		if _, ok := m.key(id); !ok {
			return false
		}
	}
	return true
}

// keys are those of a hypervisor's guests; what is missing is made.
func (m *minions) keys(ctx context.Context, state *model.State, hypervisor string) (map[string]terraform.MinionKey, error) {
	ids := needKeys(state, hypervisor)
	if err := m.make(ctx, ids); err != nil {
		return nil, err
	}
	keys := make(map[string]terraform.MinionKey, len(ids))
	for _, id := range ids {
		key, _ := m.key(id)
		keys[id] = terraform.MinionKey{Private: key.Private, Public: key.Public}
	}
	return keys, nil
}

// tidy forgets the keys of VMs that were removed, but for those that masters
// still have: they are forgotten once their guests are gone from there too.
func (m *minions) tidy(state *model.State) error {
	known := map[string]bool{}
	for _, vm := range state.VMs {
		known[vm.ID] = true
	}
	m.mu.Lock()
	var gone []string
	for id, one := range m.all {
		if one.done && !known[id] {
			gone = append(gone, id)
		}
	}
	m.mu.Unlock()
	var errs []error
	for _, id := range gone {
		if !m.written(id) {
			errs = append(errs, m.forget(id))
		}
	}
	return errors.Join(errs...)
}

// forget drops the key of a VM that is gone for good.
func (m *minions) forget(id string) error {
	m.mu.Lock()
	delete(m.all, id)
	m.mu.Unlock()
	return m.store.SetSecret(model.Ref{Kind: model.KindMinion, Name: id}, minionKey, "")
}
