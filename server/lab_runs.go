package server

import (
	"context"
	"fmt"
	"time"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/decide"
)

const (
	// orderTime is how long an agent has to take an order that it carries out
	// later.
	orderTime = 20 * time.Second
	// guestTime is how long it has for one that it answers when it is done,
	// beside the time that a guest gets to shut down.
	guestTime = 5 * time.Minute
)

func (l *lab) StartRun(ctx context.Context, hypervisor string, kind model.RunKind) (model.Run, error) {
	if err := l.may(model.RoleOperator); err != nil {
		return model.Run{}, err
	}
	if _, ok := l.State().Hypervisors[hypervisor]; !ok {
		return model.Run{}, notFound(model.KindHypervisor, hypervisor)
	}
	l.did("run asked for", "hypervisor", hypervisor, "kind", kind)
	return l.s.reconcile.start(ctx, hypervisor, kind)
}

func (l *lab) Approve(ctx context.Context, id uint64) error {
	run, err := l.activeRun(id)
	if err != nil {
		return err
	}
	if run.State != model.RunWaiting {
		return fmt.Errorf("run %d is %s: only one that waits can be approved", id, run.State)
	}
	if err := l.State().CheckApproval(run); err != nil {
		return err
	}
	l.did("run approved", "run", id)
	return l.order(ctx, orderTime, run.Hypervisor, wire.Frame{Kind: wire.KindApprove, RunID: id})
}

func (l *lab) Cancel(ctx context.Context, id uint64) error {
	run, err := l.activeRun(id)
	if err != nil {
		return err
	}
	l.did("run cancelled", "run", id)
	return l.order(ctx, orderTime, run.Hypervisor, wire.Frame{Kind: wire.KindCancel, RunID: id})
}

func (l *lab) activeRun(id uint64) (model.Run, error) {
	if err := l.may(model.RoleOperator); err != nil {
		return model.Run{}, err
	}
	run, err := l.s.store.Run(id)
	if err != nil {
		return model.Run{}, err
	}
	if run.State.Ended() {
		return model.Run{}, fmt.Errorf("run %d is over: it %s", id, ended(run.State))
	}
	return run, nil
}

// ended says a final state as the end of a sentence about a run.
func ended(s model.RunState) string {
	switch s {
	case model.RunSucceeded, model.RunFailed:
		return string(s)
	case model.RunNoop:
		return "found nothing to change"
	}
	return "was " + string(s)
}

func (l *lab) RestartGuest(ctx context.Context, name string, force bool) error {
	vm, err := l.guest(name, model.RoleOperator)
	if err != nil {
		return err
	}
	if err := model.CanRestart(vm, l.s.observed.hypervisor(vm.Hypervisor)); err != nil {
		return err
	}
	l.did("guest restarted", "vm", name, "force", force)
	grace := decide.GuestGrace(l.State())
	return l.order(ctx, guestTime+grace, vm.Hypervisor, wire.Frame{Kind: wire.KindRestart, VM: vm.ID, GraceSeconds: int(grace / time.Second), Force: force})
}

func (l *lab) CutGuest(ctx context.Context, name string) error {
	if err := l.may(model.RoleOperator); err != nil {
		return err
	}
	vm, ok := l.State().VMs[name]
	if !ok {
		return notFound(model.KindVM, name)
	}
	if err := model.CanCut(vm, l.s.observed.hypervisor(vm.Hypervisor)); err != nil {
		return err
	}
	l.did("guest cut", "vm", name)
	return l.order(ctx, orderTime, vm.Hypervisor, wire.Frame{Kind: wire.KindCut, VM: vm.ID})
}

func (l *lab) Adopt(ctx context.Context, name string) error {
	vm, err := l.guest(name, model.RoleAdmin)
	if err != nil {
		return err
	}
	l.did("guest adopted", "vm", name)
	if err := l.order(ctx, guestTime, vm.Hypervisor, wire.Frame{Kind: wire.KindAdopt, VM: vm.ID}); err != nil {
		return err
	}
	l.s.reconcile.retry(vm.Hypervisor)
	return nil
}

func (l *lab) Unlock(ctx context.Context, hypervisor string) error {
	if err := l.may(model.RoleOperator); err != nil {
		return err
	}
	if _, ok := l.State().Hypervisors[hypervisor]; !ok {
		return notFound(model.KindHypervisor, hypervisor)
	}
	if run, ok := l.s.observed.status().Runs[l.s.observed.hypervisor(hypervisor).Run]; ok && !run.State.Ended() {
		return fmt.Errorf("run %d is under way and holds the state: `cancel %d` ends it", run.ID, run.ID)
	}
	l.s.log.Info("state unlocked", "user", l.User().Name, "hypervisor", hypervisor)
	if err := l.order(ctx, orderTime, hypervisor, wire.Frame{Kind: wire.KindUnlock}); err != nil {
		return err
	}
	l.s.reconcile.retry(hypervisor)
	return nil
}

// guest finds a VM that is to have a guest now.
func (l *lab) guest(name string, need model.Role) (model.VM, error) {
	if err := l.may(need); err != nil {
		return model.VM{}, err
	}
	state := l.State()
	vm, ok := state.VMs[name]
	if !ok {
		return vm, notFound(model.KindVM, name)
	}
	if !state.HasDomain(vm) {
		return vm, fmt.Errorf("VM %q has no guest: it is disabled, or not in the active profile %q", name, state.ActiveProfile())
	}
	return vm, nil
}

// PruneImages has an agent remove files of images that nothing uses.
func (l *lab) PruneImages(ctx context.Context, hypervisor string, files []string) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	return l.order(ctx, guestTime, hypervisor, wire.Frame{Kind: wire.KindPrune, Files: files})
}

func (l *lab) order(ctx context.Context, limit time.Duration, hypervisor string, frame wire.Frame) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return l.s.agents.order(ctx, hypervisor, frame)
}

func notFound(kind model.Kind, name string) error {
	return &model.NotFoundError{Ref: model.Ref{Kind: kind, Name: name}}
}
