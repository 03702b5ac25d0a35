package command

import (
	"fmt"

	"homelab/model"
)

// States of a VM that no guest reports.
const (
	vmAbsent  = "absent"  // it has no domain
	vmForeign = "foreign" // a domain that is not ours bears its name
	vmOff     = "off"     // its hypervisor is off
	vmUnknown = "unknown" // its hypervisor's agent is not connected
)

// vmStatus is what is observed of a VM.
type vmStatus struct {
	State string `json:"state"`
}

type vmJSON struct {
	model.VM
	Status vmStatus `json:"status"`
}

type hypervisorJSON struct {
	model.Hypervisor
	Status model.HypervisorStatus `json:"status"`
}

type outletJSON struct {
	model.Outlet
	Feeds  []string           `json:"feeds"`
	Status model.OutletStatus `json:"status"`
}

// hypervisorStatus is never empty: what nobody observed is unknown.
func (s *session) hypervisorStatus(name string) model.HypervisorStatus {
	return fullStatus(s.lab.Status().Hypervisors[name])
}

func fullStatus(st model.HypervisorStatus) model.HypervisorStatus {
	if st.Power == "" {
		st.Power = model.PowerUnknown
	}
	if st.Agent == "" {
		st.Agent = model.AgentNever
	}
	if st.Phase == "" {
		st.Phase = model.PhaseNew
	}
	return st
}

func (s *session) outletStatus(name string) model.OutletStatus {
	st := s.lab.Status().Outlets[name]
	if st.State == "" {
		st.State = model.PowerUnknown
	}
	return st
}

func vmState(status model.Status, vm model.VM) string {
	st := fullStatus(status.Hypervisors[vm.Hypervisor])
	if st.Agent != model.AgentOnline {
		if st.Power == model.PowerOff {
			return vmOff
		}
		return vmUnknown
	}
	if g, ok := st.Guest(vm.ID); ok {
		return string(g.State)
	}
	for _, g := range st.Guests {
		if g.Conflict == vm.ID && vm.ID != "" {
			return vmForeign
		}
	}
	return vmAbsent
}

// vmCell says a VM's state and, where it is not as desired, what is desired.
func vmCell(st *model.State, status model.Status, vm model.VM) cell {
	state := vmState(status, vm)
	has := st.HasDomain(vm)
	switch {
	case state == vmForeign || state == string(model.GuestCrashed):
		return cell{state, red}
	case state == vmUnknown || state == vmOff:
		return cell{state, faint}
	case !has && state == vmAbsent && !vm.Enabled:
		return cell{"disabled", faint}
	case !has && state == vmAbsent:
		return cell{"inactive", faint}
	case has && vm.Running && state == string(model.GuestRunning):
		return cell{state, green}
	case has && !vm.Running && state == string(model.GuestStopped):
		return cell{state, ""}
	}
	return cell{state, yellow}
}

func powerCell(p model.Power) cell {
	switch p {
	case model.PowerOn:
		return cell{"on", green}
	case model.PowerOff:
		return cell{"off", ""}
	}
	return cell{"unknown", yellow}
}

func agentCell(a model.AgentState) cell {
	if a == model.AgentOnline {
		return cell{string(a), green}
	}
	return cell{string(a), faint}
}

func (s *session) phaseCell(st model.HypervisorStatus) cell {
	text := string(st.Phase)
	switch st.Phase {
	case model.PhaseInSync:
		return cell{text, green}
	case model.PhaseRetrying:
		if !st.RetryAt.IsZero() {
			text += " " + s.age(st.RetryAt)
		}
		return cell{text, red}
	case model.PhaseIncomplete:
		return cell{text, red}
	case model.PhaseWaiting:
		if st.Run != 0 {
			text = fmt.Sprintf("run %d waits", st.Run)
		}
		return cell{text, yellow}
	case model.PhaseHeld:
		return cell{text, yellow}
	case model.PhasePlanning, model.PhaseApplying:
		if st.Run != 0 {
			text = fmt.Sprintf("%s (run %d)", text, st.Run)
		}
	}
	return cell{text, ""}
}

func runStateCell(st model.RunState) cell {
	switch st {
	case model.RunSucceeded, model.RunNoop:
		return cell{string(st), green}
	case model.RunFailed:
		return cell{string(st), red}
	case model.RunWaiting, model.RunCancelled:
		return cell{string(st), yellow}
	}
	return cell{string(st), ""}
}

// feeds lists the hypervisors that an outlet feeds.
func feeds(st *model.State, outlet string) []string {
	fed := []string{}
	for _, name := range model.Names(st.Hypervisors) {
		for _, o := range st.Hypervisors[name].Outlets {
			if o == outlet {
				fed = append(fed, name)
				break
			}
		}
	}
	return fed
}

// up tells whether a machine is on as far as anybody knows.
func up(st model.HypervisorStatus) bool {
	return st.Power == model.PowerOn || st.Agent == model.AgentOnline
}

// desiredGuests counts the VMs of a hypervisor that should be running.
func desiredGuests(st *model.State, hypervisor string) int {
	n := 0
	for _, vm := range st.VMs {
		if vm.Hypervisor == hypervisor && vm.Running && st.HasDomain(vm) {
			n++
		}
	}
	return n
}
