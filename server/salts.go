package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"homelab/model"
	"homelab/server/salt"
)

// Files of the server's own ssh key and of the hosts that it has met with it.
const (
	saltKeyFile   = "salt_ed25519"
	saltHostsFile = "salt_known_hosts"
)

// salts are the Salt masters whose command line is reached, each with one
// follower, and what they know of our VMs and hypervisors.
type salts struct {
	s    *Server
	wake chan struct{}
	pki  string // the masters' folder of keys; empty is Salt's own

	mu  sync.Mutex
	all map[string]*saltMaster // by name
}

// saltMaster is one master that is asked.
type saltMaster struct {
	made     model.SaltMaster // that it was made from
	master   salt.Master
	follower *salt.Follower
	stop     context.CancelFunc
	tend     chan struct{} // when keys may have to be seen to

	mu      sync.Mutex
	trouble string // with its keys
}

func newSalts(s *Server) *salts {
	return &salts{s: s, wake: make(chan struct{}, 1), all: map[string]*saltMaster{}}
}

// Run follows every master that is reached until ctx ends.
func (a *salts) Run(ctx context.Context) {
	w := a.s.store.Hub().Watch()
	defer w.Close()
	var running sync.WaitGroup
	defer running.Wait()
	// Of hypervisors it is told when a guest or a machine came or went; what
	// it says of them itself is no news to it.
	for {
		if err := a.align(ctx, &running); err != nil {
			a.s.log.Error("the key for Salt masters", "error", err)
		}
		a.show()
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-w.C():
			if concernsSalt(w.Take()) {
				a.kick()
			}
		}
	}
}

func concernsSalt(dirty map[model.Ref]struct{}) bool {
	for ref := range dirty {
		switch ref.Kind {
		case model.KindSaltMaster, model.KindVM, model.KindSettings, model.KindHypervisor, model.KindProfile, model.KindMinion, model.KindStatus:
			return true
		}
	}
	return false
}

// kick has the keys of all masters seen to.
func (a *salts) kick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.all {
		poke(m.tend)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// align starts followers of masters that are new, and stops those of masters
// that are gone or reached in another way.
func (a *salts) align(ctx context.Context, running *sync.WaitGroup) error {
	state := a.s.store.State()
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, m := range a.all {
		if now := state.SaltMasters[name]; slices.Equal(now.Reach, m.made.Reach) && now.Serves == m.made.Serves {
			continue
		}
		m.stop()
		delete(a.all, name)
		a.s.observed.forgetSaltMaster(name)
	}
	for name, made := range state.SaltMasters {
		if a.all[name] != nil || !made.Asked() {
			continue
		}
		master, err := a.reach(made)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(ctx)
		m := &saltMaster{made: made, master: master, stop: stop, tend: make(chan struct{}, 1)}
		written := map[string]string{} // the job of each minion's last result
		m.follower = salt.NewFollower(salt.Options{
			Master: master, Log: a.s.log,
			Known: a.recall(name),
			Changed: func(s salt.Snapshot) {
				a.remember(name, s, written)
				poke(a.wake)
				poke(m.tend)
			},
		})
		a.all[name] = m
		running.Go(func() {
			if err := m.follower.Run(ctx); err != nil && ctx.Err() == nil {
				a.s.log.Error("following a Salt master", "master", name, "error", err)
			}
		})
		running.Go(func() { a.tend(ctx, m) })
	}
	return nil
}

// reach is how a master's command line is reached.
func (a *salts) reach(made model.SaltMaster) (salt.Master, error) {
	m := salt.Master{Name: made.Name, Reach: made.Reach, PKI: a.pki}
	if slices.Equal(made.Reach, []string{model.ReachLocal}) {
		m.Reach = nil
	}
	if slices.Contains(made.Reach, "ssh") {
		m.Identity, m.KnownHosts = filepath.Join(a.s.opts.Data, saltKeyFile), filepath.Join(a.s.opts.Data, saltHostsFile)
		if _, err := hostKey(m.Identity); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (a *salts) get(name string) *saltMaster {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[name]
}

func (a *salts) masters() []*saltMaster {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]*saltMaster, 0, len(a.all))
	for _, name := range model.Names(a.all) {
		all = append(all, a.all[name])
	}
	return all
}

// errNotAsked says why there is nothing to ask a master.
func errNotAsked(master string) error {
	return fmt.Errorf("salt master %s is not asked: say how its command line is reached with: salt master edit %s --reach 'sudo -n'", master, master)
}

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
