package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"homelab/agent/wire"
	"homelab/model"
)

// leaveOut notes which VMs the run leaves as they are, as the pool of a disk is
// missing: terraform would make their domains anew without it, and wait minutes
// for the pool.
func (j *job) leaveOut(m wire.Manifest, missing map[string]error) {
	j.out = map[string]bool{}
	wait := map[string][]string{}
	for _, vm := range m.VMs {
		if vm.ExtraVolume != "" && missing[vm.ExtraPool] != nil {
			j.out[vm.ID] = true
			wait[vm.ExtraPool] = append(wait[vm.ExtraPool], vm.Name)
		}
	}
	for _, p := range m.Pools {
		switch err, names := missing[p.Name], wait[p.Name]; {
		case len(names) > 0:
			j.flaw(fmt.Errorf("pool %q: %w; left as it is until that is there: %s", p.Name, err, strings.Join(names, ", ")))
		case err != nil:
			j.warn("pool %q: %v", p.Name, err)
		}
	}
}

// targets are the resources that terraform is to plan, nil for all.
func (t *attempt) targets() ([]string, error) {
	if len(t.out) == 0 {
		return nil, nil
	}
	st, err := t.a.tf.State()
	if err != nil {
		return nil, err
	}
	targets := targetsOf(st, t.manifest, t.out)
	if len(targets) == 0 { // which would be all
		return nil, errors.New("nothing is left to be planned")
	}
	return targets, nil
}

// targetsOf are the resources of state and config but for those of some VMs.
func targetsOf(st state, m wire.Manifest, but map[string]bool) []string {
	var targets []string
	st.each(func(id, part, _ string) {
		if !but[id] {
			targets = append(targets, model.Addresses(id)...)
		}
	})
	for _, vm := range m.VMs {
		if !but[vm.ID] {
			targets = append(targets, model.Addresses(vm.ID)...)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}
