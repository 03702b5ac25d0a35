package model

import "fmt"

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
