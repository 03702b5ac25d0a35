package model

import (
	"fmt"
	"time"
)

// DefaultGuestGrace is how long a guest has to shut down before it is switched
// off, in seconds, where the settings do not say.
const DefaultGuestGrace = 30

// CanRestart tells why the guest of a VM cannot be restarted, given what its
// hypervisor reports; nil is that it can. A guest that does not run is
// started, which is another thing: the VM stays on from then.
func CanRestart(vm VM, st HypervisorStatus) error {
	start := fmt.Sprintf("start it with: vm start %s", vm.Name)
	guest, ok := st.Guest(vm.ID)
	switch {
	case !vm.Running:
		return fmt.Errorf("%s is wanted stopped; %s", vm.Name, start)
	case ok && (guest.State == GuestStopped || guest.State == GuestCrashed):
		return fmt.Errorf("%s is %s; %s", vm.Name, guest.State, start)
	}
	return nil
}

// On tells whether a guest is not off, as far as is known.
func (g Guest) On() bool { return g.State != GuestStopped && g.State != GuestCrashed }

// CanCut tells why the guest of a VM cannot be switched off, given what its
// hypervisor reports; nil is that it can. One that is wanted on would be started
// again.
func CanCut(vm VM, st HypervisorStatus) error {
	guest, ok := st.Guest(vm.ID)
	switch {
	case vm.Running:
		return fmt.Errorf("%s is wanted running and would be started again; stop it with: vm stop %s --force", vm.Name, vm.Name)
	case st.Agent != AgentOnline:
		return fmt.Errorf("the agent of %s is not connected: nothing there can be switched off now", vm.Hypervisor)
	case !ok:
		return fmt.Errorf("%s has no guest on %s", vm.Name, vm.Hypervisor)
	case !guest.On():
		return fmt.Errorf("%s is off already", vm.Name)
	}
	return nil
}

// Going says how a guest that was asked to shut down goes, such as "asked to
// shut down, forced off in 41 s"; "" of one that was not asked.
func (g Guest) Going(now time.Time) string {
	if g.OffBy.IsZero() {
		return ""
	}
	return "asked to shut down, forced off " + g.OffIn(now)
}

// OffIn says when a guest that was asked to shut down is switched off: "in 41 s",
// "in 4 min 05 s", or "now".
func (g Guest) OffIn(now time.Time) string {
	left := g.OffBy.Sub(now)
	switch s := int((left + time.Second - 1) / time.Second); { // up: it is not off before
	case s <= 0:
		return "now"
	case s < 100:
		return fmt.Sprintf("in %d s", s)
	default:
		return fmt.Sprintf("in %d min %02d s", s/60, s%60)
	}
}
