package model

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A move takes a VM to another hypervisor with its disks, in three revisions, of
// which the last two are the server's own:
//
//  1. moving_to: the guest is shut down and stays off; its disks are copied.
//  2. it is placed at the new hypervisor, whose agent finds the disks there;
//     moved_from: the old copy is kept, without a domain.
//  3. the guest is up: the old copy is destroyed.
//
// Until the second nothing is changed at the source, and the move can be
// cancelled: the guest is started where it was. Until the third it can be taken
// back, which is a move to where it came from without copying: the guest is shut
// down first, so that it never runs at both places; then what was the old copy is
// its disk again, and the new one is the old copy.

// MoveTo begins a move. Nothing is lost by it: a protected VM may be moved.
func MoveTo(name, to string) Edit {
	return Change(name, 0, func(vm *VM) error {
		switch {
		case vm.MovedFrom != "":
			return fmt.Errorf("%s has just been moved from %s and is not up yet: wait until it is, or take it back with: vm move %s --back", name, vm.MovedFrom, name)
		case vm.MovingTo != "" && vm.MovingTo != to:
			return fmt.Errorf("%s is being moved to %s: cancel that first with: vm move %s --cancel", name, vm.MovingTo, name)
		case vm.Hypervisor == to:
			return fmt.Errorf("%s is on %s already", name, to)
		}
		vm.MovingTo = to
		return nil
	})
}

// CancelMove ends a move, or its being taken back, that has not brought the VM to
// its new place yet.
func CancelMove(name string) Edit {
	return Change(name, 0, func(vm *VM) error {
		switch {
		case vm.MovingTo == "" && vm.MovedFrom != "":
			return fmt.Errorf("%s is on %s already; take it back with: vm move %s --back", name, vm.Hypervisor, name)
		case vm.MovingTo == "":
			return fmt.Errorf("%s is not being moved", name)
		}
		vm.MovingTo = ""
		return nil
	})
}

// TakeBack begins to return a VM that has been moved, and whose old copy is still
// there, to where it was. What its guest has written since is on the copy that
// then goes.
func TakeBack(name string) Edit {
	return Change(name, 0, func(vm *VM) error {
		switch {
		case vm.Returns():
			return fmt.Errorf("%s is being taken back to %s already", name, vm.MovingTo)
		case vm.MovingTo != "":
			return fmt.Errorf("%s is on %s still; cancel its move with: vm move %s --cancel", name, vm.Hypervisor, name)
		case vm.MovedFrom == "":
			return fmt.Errorf("%s has no old copy elsewhere to go back to; move it with: vm move %s --to HYPERVISOR", name, name)
		}
		vm.MovingTo = vm.MovedFrom
		return nil
	})
}

// Returns tells whether the VM is being taken back to its old copy.
func (vm VM) Returns() bool { return vm.MovingTo != "" && vm.MovingTo == vm.MovedFrom }

// Way is from where to where a VM is on the move; empty if it is not.
func (vm VM) Way() (from, to string) {
	if vm.MovingTo == "" && vm.MovedFrom != "" {
		return vm.MovedFrom, vm.Hypervisor
	}
	if vm.MovingTo == "" {
		return "", ""
	}
	return vm.Hypervisor, vm.MovingTo
}

// Arrive places a VM where its disks have been copied to, or are still.
func Arrive(name, to string) Edit {
	return Change(name, 0, func(vm *VM) error {
		if vm.MovingTo != to {
			return errors.New("the move was cancelled meanwhile")
		}
		vm.Hypervisor, vm.MovingTo, vm.MovedFrom = to, "", vm.Hypervisor
		return nil
	})
}

// LetGo gives the old copy of a moved VM up, which is on that hypervisor.
func LetGo(name, from string) Edit {
	return Change(name, 0, func(vm *VM) error {
		if vm.MovedFrom != from || vm.MovingTo != "" {
			return errors.New("the move was taken back meanwhile")
		}
		vm.MovedFrom = ""
		return nil
	})
}

// checkMoves keeps what a move relies on as it is while it lasts, and refuses one
// that cannot come to an end.
func checkMoves(before, after *State) error {
	byID := make(map[string]VM, len(after.VMs))
	for _, vm := range after.VMs {
		byID[vm.ID] = vm
	}
	var errs []error
	for _, name := range Names(before.VMs) {
		old := before.VMs[name]
		vm, ok := byID[old.ID]
		if !ok {
			continue
		}
		if old.MovingTo == "" && old.MovedFrom == "" {
			if vm.MovingTo != "" && !after.HasDomain(vm) {
				errs = append(errs, fmt.Errorf("VM %q has no domain, and only what has one is moved with its disks: enable it, or activate a profile of its own, first", name))
			}
			continue
		}
		arrives := old.MovingTo != "" && vm.Hypervisor == old.MovingTo && vm.MovedFrom == old.Hypervisor && vm.MovingTo == ""
		stays := vm.Hypervisor == old.Hypervisor && (vm.MovedFrom == old.MovedFrom || vm.MovedFrom == "") && (vm.MovingTo == old.MovingTo || vm.MovingTo == "" || vm.Returns())
		same := vm.Name == old.Name && vm.Rebuild == old.Rebuild && (vm.ExtraDiskGiB > 0) == (old.ExtraDiskGiB > 0) && vm.Pool() == old.Pool()
		if !same || !arrives && !stays {
			way := "--cancel"
			if old.MovingTo == "" {
				way = "--back"
			}
			errs = append(errs, fmt.Errorf("VM %q is being moved: its name, its place and its disks can be changed once it is up again, or after: vm move %s %s", name, name, way))
		}
	}
	return errors.Join(errs...)
}

// move checks where a VM is moved to.
func (c vmChecker) move(vm VM) {
	for field, name := range map[string]string{"moving_to": vm.MovingTo, "moved_from": vm.MovedFrom} {
		if name == "" {
			continue
		}
		h, ok := c.s.Hypervisors[name]
		c.refers(ok, field, Ref{KindHypervisor, name})
		if !ok {
			continue
		}
		c.rule(name != vm.Hypervisor, field, name, "is where it is")
		c.rule(h.Platform == c.s.Hypervisors[vm.Hypervisor].Platform, field, name, "is of another platform")
		if vm.ExtraDiskGiB > 0 && vm.Pool() != DefaultPool {
			c.rule(slices.ContainsFunc(h.Pools, func(p Pool) bool { return p.Name == vm.Pool() }), field, name,
				fmt.Sprintf("has no pool %q, in which its extra disk lies: add one with: pool add %s %s", vm.Pool(), name, vm.Pool()))
		}
		host := HostName(vm.Name, name)
		c.rule(len(host) <= maxHostName, field, name, fmt.Sprintf("would give the guest the host name %s, which is too long", host))
	}
}

// Phases of a move.
const (
	MoveStopping  = "stopping"  // the guest goes down
	MoveWaiting   = "waiting"   // for an agent, or before another try
	MoveCopying   = "copying"   // disks
	MoveArriving  = "arriving"  // the guest comes up at the new place
	MoveReleasing = "releasing" // the old copy goes
	MoveCancelled = "cancelled" // after failures; the guest is back where it was
	MoveDone      = "done"
)

// MoveStatus is how far the move of a VM is.
type MoveStatus struct {
	VM    string    `json:"vm"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Phase string    `json:"phase"`
	Disk  string    `json:"disk,omitempty"`  // that is copied: base, root or extra
	Done  int64     `json:"done_bytes"`      // of that disk
	Total int64     `json:"total_bytes"`     // of that disk; 0 is unknown
	Error string    `json:"error,omitempty"` // of the last try
	Note  string    `json:"note,omitempty"`  // what is waited for
	Since time.Time `json:"since,omitzero"`
}

// Over tells whether nothing more comes of it.
func (m MoveStatus) Over() bool { return m.Phase == MoveDone || m.Phase == MoveCancelled }

// MoveSeen is what is known of a move under way.
type MoveSeen struct {
	From, To HypervisorStatus
	Reported bool      // the agent of From has said what guests there are
	Copying  bool      // the disks are being copied
	Copied   bool      // all of them, since the guest went off
	Failures int       // of the copying, in a row
	RetryAt  time.Time // of the next try
}

// What is to be done about a move now.
const (
	MoveNothing = ""
	MoveCopy    = "copy"
	MoveArrive  = "arrive" // commit that it is placed at the new hypervisor
	MoveLetGo   = "let go" // commit that the old copy may go
	MoveGiveUp  = "give up"
)

// moveTries is how often copying is tried.
const moveTries = 5

// NextMove decides what is to be done about the move of a VM, and what phase it
// is in; note says what is waited for.
func NextMove(vm VM, seen MoveSeen, now time.Time) (act, phase, note string) {
	switch {
	case vm.Returns():
		return nextReturn(vm, seen, now)
	case vm.MovedFrom != "":
		return nextArrival(vm, seen)
	}
	guest, there := seen.From.Guest(vm.ID)
	switch {
	case seen.Copied:
		return MoveArrive, MoveArriving, ""
	case seen.Copying:
		return MoveNothing, MoveCopying, ""
	case seen.Failures >= moveTries:
		return MoveGiveUp, MoveCancelled, ""
	case seen.From.Agent != AgentOnline:
		return MoveNothing, MoveWaiting, "for the agent of " + vm.Hypervisor
	case there && guest.On():
		return MoveNothing, MoveStopping, goesDown(vm.Hypervisor, seen.From)
	case seen.From.DesiredDigest != seen.From.AppliedDigest || seen.From.Run != 0:
		return MoveNothing, MoveStopping, "for " + vm.Hypervisor + " to be in sync"
	case seen.To.Agent != AgentOnline:
		return MoveNothing, MoveWaiting, "for the agent of " + vm.MovingTo
	case now.Before(seen.RetryAt):
		return MoveNothing, MoveWaiting, "before another try"
	}
	return MoveCopy, MoveCopying, ""
}

// goesDown is what is waited for where the guest is on.
func goesDown(hypervisor string, st HypervisorStatus) string {
	switch st.Phase {
	case PhaseHeld:
		return "for the guest to go down: " + hypervisor + " is held"
	case PhaseWaiting:
		return fmt.Sprintf("for the guest to go down: run %d of %s waits for approval", st.Run, hypervisor)
	}
	return "for the guest to go down"
}

// awayTime is how long an agent that is away is waited for, to say whether a guest
// is off that is wanted elsewhere. It is back sooner where only it, or the server,
// was restarted.
const awayTime = 30 * time.Second

// nextReturn decides about a VM that is being taken back: it must be off where it
// is before it is started where it was, unless nobody can tell.
func nextReturn(vm VM, seen MoveSeen, now time.Time) (act, phase, note string) {
	guest, there := seen.From.Guest(vm.ID)
	switch from := seen.From; {
	case from.Agent != AgentOnline && !now.Before(from.AgentSince.Add(awayTime)):
		return MoveArrive, MoveArriving, ""
	case from.Agent != AgentOnline, !seen.Reported:
		return MoveNothing, MoveStopping, "for the agent of " + vm.Hypervisor + " to say that the guest is off"
	case there && guest.On():
		return MoveNothing, MoveStopping, goesDown(vm.Hypervisor, from)
	case from.Run != 0 && from.Phase != PhaseWaiting: // it may be starting the guest
		return MoveNothing, MoveStopping, fmt.Sprintf("for run %d of %s to end", from.Run, vm.Hypervisor)
	}
	return MoveArrive, MoveArriving, ""
}

// nextArrival decides after the VM has its new place.
func nextArrival(vm VM, seen MoveSeen) (act, phase, note string) {
	guest, there := seen.To.Guest(vm.ID)
	switch {
	case seen.To.Agent != AgentOnline:
		return MoveNothing, MoveArriving, "for the agent of " + vm.Hypervisor
	case !there:
		return MoveNothing, MoveArriving, "for its domain on " + vm.Hypervisor
	case vm.Running && guest.State != GuestRunning:
		return MoveNothing, MoveArriving, "for the guest to come up on " + vm.Hypervisor
	case seen.To.DesiredDigest != seen.To.AppliedDigest || seen.To.Run != 0:
		return MoveNothing, MoveArriving, "for " + vm.Hypervisor + " to be in sync"
	}
	return MoveLetGo, MoveReleasing, ""
}
