package server

import (
	"sync"

	"homelab/model"
	"homelab/model/store"
	"homelab/server/terraform"
)

// configs renders the hypervisors' configs and keeps the one of each run until
// that has ended: an agent that fetches what it was ordered to apply gets just
// that, however often the state has changed since.
type configs struct {
	store    *store.Store
	renderer *terraform.Renderer

	mu   sync.Mutex
	runs map[string]*terraform.Config // by hypervisor
}

func newConfigs(st *store.Store) *configs {
	return &configs{store: st, renderer: terraform.NewRenderer(), runs: map[string]*terraform.Config{}}
}

// desired renders what is wanted of a hypervisor in a state. The disks that
// its agent reports stay in the config.
func (c *configs) desired(state *model.State, hypervisor string) (*terraform.Config, error) {
	return c.renderer.Render(terraform.Input{State: state, Hypervisor: hypervisor, Kept: c.store.Disks(hypervisor)})
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
