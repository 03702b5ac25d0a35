package server

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"homelab/model"
)

// reconcilers are one goroutine for each hypervisor.
type reconcilers struct {
	s *Server

	mu  sync.Mutex
	all map[string]*reconciler
}

func newReconcilers(s *Server) *reconcilers {
	return &reconcilers{s: s, all: map[string]*reconciler{}}
}

// Run keeps a reconciler for each hypervisor that is defined until ctx ends.
func (r *reconcilers) Run(ctx context.Context) { r.s.follow(ctx, model.KindHypervisor, r.align) }

// follow calls align now and whenever things of a kind change, until ctx ends.
// It returns when what align has started running has ended.
func (s *Server) follow(ctx context.Context, kind model.Kind, align func(ctx context.Context, running *sync.WaitGroup)) {
	w := s.store.Hub().Watch()
	defer w.Close()
	var running sync.WaitGroup
	defer running.Wait()
	align(ctx, &running)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.C():
		}
		for ref := range w.Take() {
			if ref.Kind == kind {
				align(ctx, &running)
				break
			}
		}
	}
}

// align starts the reconcilers of new hypervisors and stops those of removed
// ones.
func (r *reconcilers) align(ctx context.Context, running *sync.WaitGroup) {
	state := r.s.store.State()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range state.Hypervisors {
		if r.all[name] != nil {
			continue
		}
		ctx, stop := context.WithCancel(ctx)
		one := newReconciler(r.s, name, stop)
		r.all[name] = one
		r.s.observed.update(name, func(*model.HypervisorStatus) {})
		running.Go(func() { one.Run(ctx) })
	}
	for name, one := range r.all {
		if _, ok := state.Hypervisors[name]; ok {
			continue
		}
		one.stop()
		delete(r.all, name)
		if conn := r.s.agents.get(name); conn != nil {
			conn.end(fmt.Errorf("the hypervisor %q was removed", name))
		}
		r.s.observed.forget(name)
	}
}

func (r *reconcilers) get(hypervisor string) *reconciler {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[hypervisor]
}

// kick has a hypervisor looked at again.
func (r *reconcilers) kick(hypervisor string) {
	if one := r.get(hypervisor); one != nil {
		one.kicked()
	}
}

// retry forgets that runs failed.
func (r *reconcilers) retry(hypervisor string) {
	if one := r.get(hypervisor); one != nil {
		one.retry.Store(true)
		one.kicked()
	}
}

// complained passes on what an agent says could not be done after it had taken
// an order.
func (r *reconcilers) complained(hypervisor, text string) {
	if one := r.get(hypervisor); one != nil {
		select {
		case one.down <- downAnswer{err: errors.New(text)}:
		default:
		}
	}
}

// start starts a run that a person asked for, at once.
func (r *reconcilers) start(ctx context.Context, hypervisor string, kind model.RunKind) (model.Run, error) {
	one := r.get(hypervisor)
	if one == nil {
		return model.Run{}, fmt.Errorf("the agent of %s is not connected", hypervisor)
	}
	return one.ask(ctx, kind)
}
