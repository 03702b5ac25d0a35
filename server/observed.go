package server

import (
	"maps"
	"reflect"
	"sync"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// observed is what machines report, as the screens see it. It is kept in
// memory only: after a restart it is asked for again. Its maps are replaced and
// never written, so what status returns is immutable.
type observed struct {
	store *store.Store
	start time.Time

	mu          sync.Mutex
	hypervisors map[string]model.HypervisorStatus
	outlets     map[string]model.OutletStatus
	meters      map[string]model.Metered
	shares      map[string]model.ShareStatus
	minions     map[string]model.SaltStatus // by the VM's ID
	saltMasters map[string]model.SaltMasterStatus
}

func newObserved(st *store.Store, start time.Time) *observed {
	o := &observed{store: st, start: start, hypervisors: map[string]model.HypervisorStatus{}, outlets: map[string]model.OutletStatus{}}
	o.minions, o.saltMasters = map[string]model.SaltStatus{}, map[string]model.SaltMasterStatus{}
	for name := range st.State().Hypervisors {
		o.hypervisors[name] = o.unknown(name)
	}
	for name := range st.State().Outlets {
		o.outlets[name] = model.OutletStatus{State: model.PowerUnknown}
	}
	return o
}

func (o *observed) status() model.Status {
	runs := o.store.ActiveRuns()
	o.mu.Lock()
	defer o.mu.Unlock()
	return model.Status{Hypervisors: o.hypervisors, Outlets: o.outlets, Meters: o.meters, Shares: o.shares, Runs: runs, Minions: o.minions, SaltMasters: o.saltMasters}
}

// unknown is the status of a hypervisor that nothing was heard of yet.
func (o *observed) unknown(name string) model.HypervisorStatus {
	st := model.HypervisorStatus{Power: model.PowerUnknown, Agent: model.AgentNever, Phase: model.PhaseNew, Since: o.start, Guests: []model.Guest{}}
	if _, joined := o.store.State().Agents[name]; joined {
		st.Agent, st.AgentSince, st.Phase = model.AgentOffline, o.start, model.PhaseOffline
	}
	return st
}

func (o *observed) hypervisor(name string) model.HypervisorStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	if st, ok := o.hypervisors[name]; ok {
		return st
	}
	return o.unknown(name)
}

// update changes the status of a hypervisor and tells watchers if it differs.
// What is heard of one that was removed meanwhile does not count.
func (o *observed) update(name string, change func(*model.HypervisorStatus)) {
	o.mu.Lock()
	if _, ok := o.store.State().Hypervisors[name]; !ok {
		o.mu.Unlock()
		return
	}
	old, ok := o.hypervisors[name]
	if !ok {
		old = o.unknown(name)
	}
	st := old
	change(&st)
	differs := !ok || !reflect.DeepEqual(old, st)
	if differs {
		o.hypervisors = maps.Clone(o.hypervisors)
		o.hypervisors[name] = st
	}
	o.mu.Unlock()
	if differs {
		o.store.Hub().Publish(model.Ref{Kind: model.KindStatus, Name: name})
	}
}

// setLoads replaces the loads of hypervisors whose agents are there, and tells
// watchers by refs of their own: most have no use for them.
func (o *observed) setLoads(loads map[string]*model.Load) {
	var refs []model.Ref
	o.mu.Lock()
	o.hypervisors = maps.Clone(o.hypervisors)
	for name, load := range loads {
		if st, ok := o.hypervisors[name]; ok && st.Agent == model.AgentOnline {
			st.Load = load
			o.hypervisors[name] = st
			refs = append(refs, model.Ref{Kind: model.KindLoad, Name: name})
		}
	}
	o.mu.Unlock()
	o.store.Hub().Publish(refs...)
}

func (o *observed) forget(name string) {
	o.mu.Lock()
	o.hypervisors = maps.Clone(o.hypervisors)
	delete(o.hypervisors, name)
	o.mu.Unlock()
	o.store.Hub().Publish(model.Ref{Kind: model.KindStatus, Name: name})
}

func (o *observed) outlet(name string) model.OutletStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	if st, ok := o.outlets[name]; ok {
		return st
	}
	return model.OutletStatus{State: model.PowerUnknown}
}

// setOutlet replaces the status of an outlet. That a device was asked again
// and said the same is no news.
func (o *observed) setOutlet(name string, st model.OutletStatus) {
	o.mu.Lock()
	if _, ok := o.store.State().Outlets[name]; !ok {
		o.mu.Unlock()
		return
	}
	old, ok := o.outlets[name]
	o.outlets = maps.Clone(o.outlets)
	o.outlets[name] = st
	o.mu.Unlock()
	old.Observed = st.Observed
	if !ok || !old.Is(st) {
		o.store.Hub().Publish(model.Ref{Kind: model.KindOutletStatus, Name: name})
	}
}

func (o *observed) forgetOutlet(name string) {
	o.mu.Lock()
	o.outlets = maps.Clone(o.outlets)
	delete(o.outlets, name)
	o.mu.Unlock()
	o.store.Hub().Publish(model.Ref{Kind: model.KindOutletStatus, Name: name})
}
