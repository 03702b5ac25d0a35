package model

import (
	"fmt"
	"slices"
)

// ShareOff says that the machine that serves a share has no power, so that no
// look into it wakes it, and what switches it on; both are "" where that is not
// known. A server that only sleeps is woken by its first use.
func (s *State) ShareOff(share string, status Status) (why, remedy string) {
	sh := s.Shares[share]
	if st, ok := status.Outlets[sh.Outlet]; ok && st.State == PowerOff {
		return "outlet " + sh.Outlet + " is off", "outlet on " + sh.Outlet
	}
	if st, ok := status.Hypervisors[sh.Hypervisor]; ok && st.Agent != AgentOnline && st.Power == PowerOff {
		return sh.Hypervisor + " is off", "power on " + sh.Hypervisor
	}
	return "", ""
}

// SharesLost says which guests that run lose which shares when these outlets and
// hypervisors go off; guests that go off with them do not count.
func (s *State) SharesLost(status Status, outlets, hypervisors []string) []string {
	var lost []string
	for _, name := range Names(s.Shares) {
		sh := s.Shares[name]
		if !slices.Contains(outlets, sh.Outlet) && !slices.Contains(hypervisors, sh.Hypervisor) {
			continue
		}
		var by []string
		for _, vm := range s.MountedBy(name) {
			guest, ok := status.Hypervisors[s.VMs[vm].Hypervisor].Guest(s.VMs[vm].ID)
			if ok && guest.On() && !slices.Contains(hypervisors, s.VMs[vm].Hypervisor) {
				by = append(by, vm)
			}
		}
		if len(by) > 0 {
			lost = append(lost, fmt.Sprintf("share %s of %s would go away under %s: what they have open there hangs until it is on again", name, sh.Server, enumerate(by, 8)))
		}
	}
	return lost
}
