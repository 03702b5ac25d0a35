package server

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

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
