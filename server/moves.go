package server

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"homelab/model"
)

// moves takes VMs to other hypervisors with their disks. What is under way is in
// the desired state, so that it goes on after a restart; what has been copied is
// asked of the agents, and only how far it is is kept here.
type moves struct {
	s    *Server
	wake chan struct{}

	mu  sync.Mutex
	all map[string]*move // by the VM's ID
}

// move is one VM's.
type move struct {
	status  model.MoveStatus
	seen    model.MoveSeen // of the copying
	cancel  context.CancelFunc
	copying sync.WaitGroup
}

func newMoves(s *Server) *moves {
	return &moves{s: s, wake: make(chan struct{}, 1), all: map[string]*move{}}
}

func (m *moves) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run moves what is to be moved until ctx ends.
func (m *moves) Run(ctx context.Context) {
	w := m.s.store.Hub().Watch()
	defer w.Close()
	tick := time.NewTicker(time.Second) // for tries that are due
	defer tick.Stop()
	defer m.stop()
	for {
		m.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-w.C():
			w.Take()
		case <-m.wake:
		case <-tick.C:
		}
	}
}

func (m *moves) stop() {
	for _, one := range m.all {
		if one.cancel != nil {
			one.cancel()
		}
		one.copying.Wait()
	}
}

// look does for each move what is to be done now.
func (m *moves) look(ctx context.Context) {
	state := m.s.store.State()
	going := map[string]bool{}
	for _, vm := range state.VMs {
		if vm.MovingTo != "" || vm.MovedFrom != "" {
			going[vm.ID] = true
			m.step(ctx, vm)
		}
	}
	for id, st := range m.statuses() {
		if !going[id] && !st.Over() {
			if one := m.all[id]; one.cancel != nil {
				one.cancel()
			}
			m.ended(id, model.MoveCancelled, "it was cancelled")
		}
	}
}

// one is the move of a VM, noted when it is seen first.
func (m *moves) one(vm model.VM) *move {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.all[vm.ID]
	from, to := vm.Way()
	if one == nil || one.status.Over() || one.status.From != from { // else it was taken back
		one = &move{status: model.MoveStatus{VM: vm.Name, From: from, To: to, Since: time.Now().UTC()}}
		m.all[vm.ID] = one
	}
	return one
}

func (m *moves) step(ctx context.Context, vm model.VM) {
	one := m.one(vm)
	m.mu.Lock()
	seen := one.seen
	m.mu.Unlock()
	seen.From, seen.To = m.s.observed.hypervisor(one.status.From), m.s.observed.hypervisor(one.status.To)
	if conn := m.s.agents.get(one.status.From); conn != nil {
		seen.Reported = conn.running.Load() >= 0
	}
	act, phase, note := model.NextMove(vm, seen, time.Now())
	m.update(vm.ID, func(st *model.MoveStatus) { st.Phase, st.Note = phase, note })
	var err error
	switch act {
	case model.MoveCopy:
		m.copy(ctx, vm, one)
	case model.MoveArrive:
		err = m.commit(arrival(vm, seen), model.Arrive(vm.Name, vm.MovingTo))
	case model.MoveLetGo:
		if err = m.commit("moved: it is up on "+vm.Hypervisor, model.LetGo(vm.Name, vm.MovedFrom)); err == nil {
			m.ended(vm.ID, model.MoveDone, "")
		}
	case model.MoveGiveUp:
		why := m.statuses()[vm.ID].Error
		if err = m.commit("move cancelled: "+why, model.CancelMove(vm.Name)); err == nil {
			m.ended(vm.ID, model.MoveCancelled, why)
		}
	}
	if err != nil {
		m.s.log.Error("moving", "vm", vm.Name, "error", err)
		m.update(vm.ID, func(st *model.MoveStatus) { st.Error = err.Error() })
	}
}

// arrival is what the history says of a VM's getting its new place.
func arrival(vm model.VM, seen model.MoveSeen) string {
	switch {
	case !vm.Returns():
		return "moved: its disks are on " + vm.MovingTo
	case seen.From.Agent != model.AgentOnline:
		return "taken back although the agent of " + vm.Hypervisor + " is away: its guest may run there, too, until that is back"
	}
	return "taken back: its guest is off on " + vm.Hypervisor
}

func (m *moves) commit(via string, edit model.Edit) error {
	_, err := m.s.store.Commit("homelab", via, edit)
	return err
}

// copy starts copying the disks of a VM.
func (m *moves) copy(ctx context.Context, vm model.VM, one *move) {
	ctx, one.cancel = context.WithCancel(ctx)
	m.mu.Lock()
	one.seen.Copying = true
	m.mu.Unlock()
	state := m.s.store.State()
	one.copying.Go(func() {
		err := m.copyDisks(ctx, state, vm)
		m.mu.Lock()
		one.seen.Copying = false
		switch {
		case err == nil:
			one.seen.Copied = true
		case ctx.Err() == nil:
			one.seen.Failures++
			one.seen.RetryAt = time.Now().Add(time.Duration(one.seen.Failures) * 2 * time.Second)
		}
		m.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			m.s.log.Warn("copying disks", "vm", vm.Name, "error", err)
			m.update(vm.ID, func(st *model.MoveStatus) { st.Error = err.Error() })
		}
		m.kick()
	})
}

// copyDisks copies what the root disk stands on, unless that is there, and then
// the disks.
func (m *moves) copyDisks(ctx context.Context, state *model.State, vm model.VM) error {
	jobs := []diskJob{newDiskJob(state, vm, baseDisk), newDiskJob(state, vm, model.DiskRoot)}
	if vm.ExtraDiskGiB > 0 {
		jobs = append(jobs, newDiskJob(state, vm, model.DiskExtra))
	}
	for _, job := range jobs {
		from, to := m.s.agents.get(vm.Hypervisor), m.s.agents.get(vm.MovingTo)
		if from == nil || to == nil {
			return fmt.Errorf("the connection to an agent was lost")
		}
		progress := func(done, total int64) {
			m.update(vm.ID, func(st *model.MoveStatus) { st.Disk, st.Done, st.Total = job.disk, done, total })
		}
		if err := job.copy(ctx, from, to, progress); err != nil {
			return fmt.Errorf("%s disk: %w", job.disk, err)
		}
	}
	return nil
}

// ended notes how a move ended.
func (m *moves) ended(id, phase, why string) {
	m.update(id, func(st *model.MoveStatus) {
		st.Phase, st.Note, st.Error = phase, "", why
	})
}

// update changes the status of a move and tells watchers if it differs.
func (m *moves) update(id string, change func(*model.MoveStatus)) {
	m.mu.Lock()
	one := m.all[id]
	if one == nil {
		m.mu.Unlock()
		return
	}
	old := one.status
	change(&one.status)
	st := one.status
	m.mu.Unlock()
	if old != st {
		m.s.store.Hub().Publish(model.Ref{Kind: model.KindStatus, Name: st.From}, model.Ref{Kind: model.KindStatus, Name: st.To})
	}
}

// statuses are those of all moves, also of those that ended lately.
func (m *moves) statuses() map[string]model.MoveStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]model.MoveStatus, len(m.all))
	for id, one := range maps.All(m.all) {
		all[id] = one.status
	}
	return all
}
