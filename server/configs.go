package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"homelab/model"
	"homelab/model/store"
	"homelab/server/terraform"
)

// configs renders the hypervisors' configs and keeps the one of each run until
// that has ended: an agent that fetches what it was ordered to apply gets just
// that, however often the state has changed since.
type configs struct {
	log      *slog.Logger
	store    *store.Store
	renderer *terraform.Renderer
	minions  *minions

	mu   sync.Mutex
	runs map[string]*terraform.Config // by hypervisor
}

func newConfigs(st *store.Store, log *slog.Logger, keys *minions) *configs {
	return &configs{log: log, store: st, renderer: terraform.NewRenderer(), minions: keys, runs: map[string]*terraform.Config{}}
}

// desired renders what is wanted of a hypervisor in a state. The disks that
// its agent reports stay in the config, and the keys of minions are waited for,
// which takes seconds where they are not made yet. A mistake in rendering costs that
// hypervisor its config, and nobody else the server.
func (c *configs) desired(state *model.State, hypervisor string) (config *terraform.Config, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic", "hypervisor", hypervisor, "panic", p, "stack", string(debug.Stack()))
			config, err = nil, fmt.Errorf("the config cannot be rendered; the server's log says why")
		}
	}()
	keys, err := c.minions.keys(context.Background(), state, hypervisor)
	if err != nil {
		return nil, fmt.Errorf("the keys of its minions cannot be made: %w", err)
	}
	return c.renderer.Render(terraform.Input{State: state, Hypervisor: hypervisor, Kept: c.store.Disks(hypervisor), Keys: keys})
}

// hold keeps the config of a run; nil forgets it.
func (c *configs) hold(hypervisor string, config *terraform.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if config == nil {
		delete(c.runs, hypervisor)
		return
	}
	c.runs[hypervisor] = config
}

// fetch is what a hypervisor's agent gets.
func (c *configs) fetch(hypervisor string) (*terraform.Config, error) {
	c.mu.Lock()
	config := c.runs[hypervisor]
	c.mu.Unlock()
	if config != nil {
		return config, nil
	}
	return c.desired(c.store.State(), hypervisor)
}
