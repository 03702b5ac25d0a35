package command

import (
	"fmt"
	"time"

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
	State     string            `json:"state"`
	Addresses []string          `json:"addresses"`       // that its guest has now
	Since     time.Time         `json:"since,omitzero"`  // since when its guest runs
	OffBy     time.Time         `json:"off_by,omitzero"` // when its guest is switched off if it does not shut down as asked
	Load      *model.GuestLoad  `json:"load,omitempty"`  // of a guest that runs
	Drift     []model.Drift     `json:"drift,omitempty"` // how it is not what was applied
	Salt      *model.SaltStatus `json:"salt,omitempty"`  // of one that has a master
	Move      *model.MoveStatus `json:"move,omitempty"`  // how far its move is, or how the last one ended
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

// picture is the observed state at one moment, to look VMs up in.
type picture struct {
	model.Status
	guests  map[string]model.Guest // by hypervisor and VM's ID
	foreign map[string]bool        // the same, where a foreign domain bears the name
}

func newPicture(status model.Status) *picture {
	p := &picture{Status: status, guests: map[string]model.Guest{}, foreign: map[string]bool{}}
	for name, h := range status.Hypervisors {
		for _, g := range h.Guests {
			switch {
			case g.ID != "":
				p.guests[name+"/"+g.ID] = g
			case g.Conflict != "":
				p.foreign[name+"/"+g.Conflict] = true
			}
		}
	}
	return p
}

// observed is the picture that the whole command is drawn from, where it reads
// many things of it, or else a fresh one.
func (s *session) observed() *picture {
	if s.picture != nil {
		return s.picture
	}
	return newPicture(s.lab.Status())
}

// hypervisorStatus is never empty: what nobody observed is unknown.
func (s *session) hypervisorStatus(name string) model.HypervisorStatus {
	return fullStatus(s.observed().Hypervisors[name])
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
	st := s.observed().Outlets[name]
	if st.State == "" {
		st.State = model.PowerUnknown
	}
	return st
}

func (p *picture) vmState(vm model.VM) string {
	st, at := fullStatus(p.Hypervisors[vm.Hypervisor]), vm.Hypervisor+"/"+vm.ID
	guest, ok := p.guests[at]
	switch {
	case st.Agent != model.AgentOnline && st.Power == model.PowerOff:
		return vmOff
	case st.Agent != model.AgentOnline:
		return vmUnknown
	case ok:
		return string(guest.State)
	case p.foreign[at]:
		return vmForeign
	}
	return vmAbsent
}

// vmStatus is all that is observed of a VM.
func (p *picture) vmStatus(st *model.State, vm model.VM) vmStatus {
	out := vmStatus{State: p.vmState(vm), Addresses: []string{}}
	hv := p.Hypervisors[vm.Hypervisor]
	if guest, ok := p.guests[vm.Hypervisor+"/"+vm.ID]; ok {
		out.Addresses = append(out.Addresses, guest.Addresses...)
		out.Since, out.OffBy = guest.Since, guest.OffBy
		if load, ok := hv.GuestLoad(guest); ok {
			out.Load = &load
		}
	}
	for _, d := range hv.Drift {
		if d.VM == vm.Name {
			out.Drift = append(out.Drift, d)
		}
	}
	if minion, ok := p.minion(st, vm); ok {
		out.Salt = &minion
	}
	if move, ok := p.Moves[vm.ID]; ok {
		out.Move = &move
	}
	return out
}

// vmCell says a VM's state and, where it is not as desired, what is desired.
func (p *picture) vmCell(st *model.State, vm model.VM) cell {
	state := p.vmState(vm)
	has := st.HasDomain(vm)
	switch {
	case state == vmForeign || state == string(model.GuestCrashed):
		return cell{state, red}
	case !has && (state == vmAbsent || state == vmOff) && !vm.Enabled:
		return cell{"disabled", faint}
	case !has && (state == vmAbsent || state == vmOff):
		return cell{"inactive", faint}
	case state == vmUnknown || state == vmOff:
		return cell{state, faint}
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
	case model.PhaseConfiguring:
		if st.Configured != nil {
			text = "applied, " + st.Configured.String()
		}
		return cell{text, yellow}
	case model.PhaseWaiting:
		if st.Run != 0 {
			text = fmt.Sprintf("run %d waits", st.Run)
		}
		return cell{text, yellow}
	case model.PhaseHeld, model.PhaseDrifted:
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
