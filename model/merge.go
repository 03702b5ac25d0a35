package model

import "maps"

// IsAccess tells of kinds that say who may connect: they are changed by name,
// never along with others.
func (k Kind) IsAccess() bool { return k == KindUser || k == KindAgent || k == KindInvite }

// Merge is the edit that makes the desired state like another one, from a
// backup or a file: what that has is added or replaced, and with prune what it
// lacks is removed. Who may connect stays, and so do orders about power and the
// count of rebuilds, so that nothing is switched or rebuilt as a side effect. A
// hypervisor that an agent is bound to stays: revoke the agent first.
func Merge(from *State, prune bool) Edit {
	return func(s *State) error {
		renameByID(s, from)
		from := from.Clone()
		carryOver(s, from)
		for _, t := range tables {
			if !t.kind().IsAccess() {
				t.merge(s, from, prune)
			}
		}
		return nil
	}
}

// renameByID gives VMs the names that the other state has for them.
func renameByID(s, from *State) {
	byID := map[string]string{}
	for name, vm := range s.VMs {
		byID[vm.ID] = name
	}
	vms := maps.Clone(s.VMs)
	for name, vm := range from.VMs {
		old, ok := byID[vm.ID]
		if !ok || old == name {
			continue
		}
		kept := s.VMs[old]
		kept.Name = name
		if vms[old].ID == kept.ID { // else another took the name already
			delete(vms, old)
		}
		vms[name] = kept
		s.renamed(Ref{KindVM, old}, Ref{KindVM, name})
	}
	s.VMs = vms
}

// carryOver gives the state that is merged what stays as it is.
func carryOver(s, from *State) {
	for name, h := range from.Hypervisors {
		now, ok := s.Hypervisors[name]
		if !ok {
			now.PowerWanted = PowerWantedNone
		}
		h.PowerWanted, h.PowerBy, h.PowerAt, h.PowerWhy = now.PowerWanted, now.PowerBy, now.PowerAt, now.PowerWhy
		h.PowerByHand, h.PowerCycle, h.Hold = now.PowerByHand, now.PowerCycle, now.Hold
		from.Hypervisors[name] = h
	}
	for name, vm := range from.VMs {
		vm.Rebuild = max(vm.Rebuild, s.VMs[name].Rebuild)
		from.VMs[name] = vm
	}
	if from.ActiveProfile() != "" { // there is one at most
		for name, p := range s.Profiles {
			p.Active = false
			s.Profiles[name] = p
		}
	}
}

// merge takes over the objects of a table.
func (t table[T]) merge(s, from *State, prune bool) {
	have, want := t.at(s), t.at(from)
	for name, obj := range want {
		now, ok := have[name]
		if !ok {
			s.made(Ref{t.k, name})
		}
		if !ok || !t.equal(now, obj) {
			have[name] = obj
		}
	}
	if !prune {
		return
	}
	for name := range have {
		_, bound := s.Agents[name]
		if _, ok := want[name]; !ok && !(t.k == KindHypervisor && bound) {
			delete(have, name)
			if t.k == KindHypervisor {
				delete(s.Invites, name)
			}
		}
	}
}

func (settingsTable) merge(s, from *State, _ bool) {
	meta := s.Settings.Meta
	ca, revoked := s.Settings.UserCA, s.Settings.Revoked // who may connect stays
	s.Settings = from.Settings
	s.Settings.Meta, s.Settings.UserCA, s.Settings.Revoked = meta, ca, revoked
}
