package server

import (
	"maps"
	"reflect"

	"homelab/model"
)

// setMinions replaces what is known of the VMs' minions, by the VM's ID.
func (o *observed) setMinions(minions map[string]model.SaltStatus) {
	names := map[string]string{}
	for name, vm := range o.store.State().VMs {
		names[vm.ID] = name
	}
	o.mu.Lock()
	old := o.minions
	o.minions = minions
	o.mu.Unlock()
	var refs []model.Ref
	for id, name := range names {
		was, had := old[id]
		now, has := minions[id]
		if had != has || !reflect.DeepEqual(was, now) {
			refs = append(refs, model.Ref{Kind: model.KindSalt, Name: name})
		}
	}
	o.store.Hub().Publish(refs...)
}

// setSaltMaster replaces what is known of a master.
func (o *observed) setSaltMaster(name string, st model.SaltMasterStatus) {
	o.mu.Lock()
	old, ok := o.saltMasters[name]
	o.saltMasters = maps.Clone(o.saltMasters)
	o.saltMasters[name] = st
	o.mu.Unlock()
	if !ok || !reflect.DeepEqual(old, st) {
		o.store.Hub().Publish(model.Ref{Kind: model.KindSalt, Name: name})
	}
}

func (o *observed) forgetSaltMaster(name string) {
	o.mu.Lock()
	o.saltMasters = maps.Clone(o.saltMasters)
	delete(o.saltMasters, name)
	o.mu.Unlock()
	o.store.Hub().Publish(model.Ref{Kind: model.KindSalt, Name: name})
}
