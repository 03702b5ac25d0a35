package model

import "slices"

// SwitchPower says which machines may be powered on and off along with a
// switch of the profile, sorted: those that the profile has VMs to run on and
// that are not known to be on, or are to go off, and those that it has nothing
// for. It leaves alone what is held, what follows the profile by itself, what
// no outlet switches, and, going off, what is fed by an essential outlet or is
// off already.
func SwitchPower(s *State, status Status, profile string) (on, off []string) {
	after := s.Clone()
	if Activate(profile)(after) != nil {
		return nil, nil
	}
	for _, name := range Names(after.Hypervisors) {
		h, st := after.Hypervisors[name], status.Hypervisors[name]
		if h.Hold || h.PowerPolicy == PowerProfile || len(h.Outlets) == 0 {
			continue
		}
		essential := slices.ContainsFunc(h.Outlets, func(o string) bool { return s.Outlets[o].Essential })
		up := st.Agent == AgentOnline || st.Power == PowerOn
		switch {
		case after.Needed(name):
			if !up || h.PowerWanted == PowerWantedOff {
				on = append(on, name)
			}
		case essential, !up && (h.PowerWanted == PowerWantedOff || st.Power == PowerOff):
		default:
			off = append(off, name)
		}
	}
	return on, off
}

// WantPower orders the power of machines, anew if it is ordered so already.
func WantPower(names []string, power string) Edit {
	return func(s *State) error {
		for _, name := range names {
			if err := Change(name, 0, func(h *Hypervisor) error { h.Want(power, true); return nil })(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// ActivateWithPower switches the profile and orders the power of machines, as
// one change.
func ActivateWithPower(profile string, on, off []string) Edit {
	return Edits(Activate(profile), WantPower(on, PowerWantedOn), WantPower(off, PowerWantedOff))
}
