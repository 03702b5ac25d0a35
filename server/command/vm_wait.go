package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"homelab/model"
)

// guestGoal is what guests are waited for to be.
type guestGoal struct {
	word   string // "off" or "up"
	wanted bool   // running, as it is stored
	is     func(model.Guest, bool) bool
}

var (
	stopped = guestGoal{"off", false, func(g model.Guest, there bool) bool { return !there || !g.On() }}
	started = guestGoal{"up", true, func(g model.Guest, there bool) bool { return there && g.State == model.GuestRunning }}
)

// countdown is how often the time that is left is said anew on a terminal.
const countdown = time.Second

// awaitGuests waits until every guest is off or up, and says what it waits for.
func (s *session) awaitGuests(ctx context.Context, names []string, timeout time.Duration, goal guestGoal) error {
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTooLong)
	defer stop()
	w := s.lab.Watch()
	defer w.Close()
	tick := time.NewTicker(countdown)
	defer tick.Stop()
	p := progressLine{s: s, told: map[string]string{}}
	defer p.end()
	before := s.lastRuns(names)
	for {
		var left []string
		for _, name := range names {
			done, words, err := s.towards(name, goal, before)
			if err != nil {
				return err
			}
			p.say(name, words)
			if !done {
				left = append(left, name)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-w.C():
			w.Take()
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTooLong) {
				return hint(fmt.Errorf("%s not %s after %s", andList(left), goal.word, timeout), "see why with: vm show %s", left[0])
			}
			return context.Cause(ctx)
		}
	}
}

// lastRuns are the newest runs of the hypervisors of VMs: those that come later
// are about what is waited for.
func (s *session) lastRuns(names []string) map[string]uint64 {
	last := map[string]uint64{}
	for _, name := range names {
		hv := s.state().VMs[name].Hypervisor
		last[hv] = s.hypervisorStatus(hv).LastRun
	}
	return last
}

// towards tells whether a guest is as it is waited for, what it does on the way
// there, and why it will not get there.
func (s *session) towards(name string, goal guestGoal, before map[string]uint64) (done bool, words string, err error) {
	st := s.state()
	vm, ok := st.VMs[name]
	if !ok {
		return false, "", &model.NotFoundError{Ref: model.Ref{Kind: model.KindVM, Name: name}}
	}
	status := s.hypervisorStatus(vm.Hypervisor)
	guest, there := status.Guest(vm.ID)
	online := status.Agent == model.AgentOnline
	switch {
	case vm.Running != goal.wanted:
		return false, "", fmt.Errorf("somebody wants %s %s meanwhile, and that counts now", name, onOff(vm.Running))
	case goal.wanted && !st.HasDomain(vm):
		return false, "", errors.New(noDomain(st, name))
	case online && goal.is(guest, there), !goal.wanted && !online && status.Power == model.PowerOff:
		return true, "is " + goal.word, nil
	case status.Phase == model.PhaseHeld:
		return false, "", hint(fmt.Errorf("%s is held: %s stays as it is", vm.Hypervisor, name), "release %s", vm.Hypervisor)
	case status.Run == 0 && status.LastRun > before[vm.Hypervisor] && (status.Phase == model.PhaseRetrying || status.Phase == model.PhaseIncomplete):
		return false, "", fmt.Errorf("%s is not %s: %s", name, goal.word, status.Error)
	case !online:
		return false, fmt.Sprintf("waits for the agent of %s", vm.Hypervisor), nil
	case !guest.OffBy.IsZero():
		return false, guest.Going(s.now()), nil
	case status.Phase == model.PhaseWaiting:
		return false, fmt.Sprintf("waits: run %d waits for approval: approve %d", status.Run, status.Run), nil
	case there:
		return false, fmt.Sprintf("is %s; %s is %s", guest.State, vm.Hypervisor, status.Phase), nil
	}
	return false, fmt.Sprintf("is not there yet; %s is %s", vm.Hypervisor, status.Phase), nil
}

// restart restarts a guest, and counts down while it is waited for.
func (s *session) restart(ctx context.Context, name string, force bool) error {
	answer := make(chan error, 1)
	go func() { answer <- s.lab.RestartGuest(ctx, name, force) }() // ends with ctx, or its deadline
	w := s.lab.Watch()
	defer w.Close()
	tick := time.NewTicker(countdown)
	defer tick.Stop()
	p := progressLine{s: s, told: map[string]string{}}
	defer p.end()
	for {
		if vm, ok := s.state().VMs[name]; ok {
			status := s.hypervisorStatus(vm.Hypervisor)
			if guest, ok := status.Guest(vm.ID); ok && !guest.OffBy.IsZero() {
				p.say(name, guest.Going(s.now()))
			}
		}
		select {
		case err := <-answer:
			return err
		case <-w.C():
			w.Take()
		case <-tick.C:
		}
	}
}

// progressLine says how several things go on: in lines, each when it differs
// but for the time that is left, which a terminal counts down in place.
type progressLine struct {
	s    *session
	told map[string]string
	open bool // the last line is written over
}

func (p *progressLine) say(name, words string) {
	if words == "" || p.told[name] == words {
		return
	}
	counts := sameButDigits(p.told[name], words)
	p.told[name] = words
	inPlace := p.s.io.PTY && !p.s.plain && len(p.told) == 1
	switch {
	case counts && !inPlace:
		return
	case counts && p.open:
		write(p.s.io.Err, "\r\x1b[K"+clean(name)+": "+clean(words))
		return
	}
	p.end()
	if inPlace {
		write(p.s.io.Err, clean(name)+": "+clean(words))
		p.open = true
		return
	}
	p.s.notef("%s: %s", clean(name), clean(words))
}

// end ends a line that is open.
func (p *progressLine) end() {
	if p.open {
		write(p.s.io.Err, "\n")
		p.open = false
	}
}

// sameButDigits tells whether two texts differ in numbers only.
func sameButDigits(a, b string) bool {
	strip := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, s)
	}
	return a != "" && strip(a) == strip(b)
}
