package model

import "slices"

// Announce lists what the impacts destroy: what people agreed to lose when
// they committed the change whose preview these impacts were.
func Announce(impacts []Impact) Announced {
	a := Announced{Domains: []string{}, Disks: []Disk{}}
	for _, i := range impacts {
		switch i.Action {
		case ActionRestart, ActionRecreate, ActionRemove, ActionDestroy:
			a.Domains = append(a.Domains, i.ID)
		}
		for _, d := range i.DisksLost {
			a.Disks = append(a.Disks, Disk{VM: i.ID, Disk: d})
		}
	}
	return a
}

// Agreed is what people agreed to lose on a hypervisor, which may carry what it
// was last applied and what was tried since: each commit after those showed its
// author what of it goes. kept are the disks that exist there. A disk that a VM
// still wants is none of it, whether or not the agent has reported it.
func (s *State) Agreed(hypervisor string, kept []Disk, a Applied) Announced {
	carried := slices.Concat(a.Placements, a.Tried)
	kept = slices.Clone(kept)
	for _, p := range carried {
		kept = append(kept, p.disks()...)
	}
	after := Placements(s, hypervisor, kept)
	agreed := Announce(nil)
	for len(carried) > 0 {
		var round, later []Placement // a VM that was tried in several ways is compared in each
		seen := map[string]bool{}
		for _, p := range carried {
			if seen[p.ID] {
				later = append(later, p)
			} else {
				round, seen[p.ID] = append(round, p), true
			}
		}
		agreed.add(Announce(Compare(round, after)))
		carried = later
	}
	return agreed
}

func (a *Announced) add(b Announced) {
	for _, id := range b.Domains {
		if !slices.Contains(a.Domains, id) {
			a.Domains = append(a.Domains, id)
		}
	}
	for _, d := range b.Disks {
		if !slices.Contains(a.Disks, d) {
			a.Disks = append(a.Disks, d)
		}
	}
}

// Try notes what a config places that was not carried out in full.
func (a Applied) Try(placements []Placement) Applied {
	for _, p := range placements {
		if !slices.Contains(a.Placements, p) && !slices.Contains(a.Tried, p) {
			a.Tried = append(slices.Clip(a.Tried), p)
		}
	}
	return a
}

// CheckPlan finds the destructive steps of a terraform plan that were not
// announced. Seeds and the helpers that trigger replacements hold nothing that
// could be lost; a resource that is not known to be harmless is not.
func CheckPlan(deletions []Deletion, a Announced, label func(address string) string) []Violation {
	var violations []Violation
	for _, d := range deletions {
		if a.allows(d.Address) {
			continue
		}
		v := Violation{Address: d.Address, Label: d.Address, Action: "delete"}
		if label != nil {
			v.Label = label(d.Address)
		}
		if d.Replace {
			v.Action = "replace"
		}
		violations = append(violations, v)
	}
	return violations
}

func (a Announced) allows(address string) bool {
	id, part, ok := ParseResource(address)
	if !ok {
		return false
	}
	switch part {
	case PartSeed, PartNICs, PartRebuild:
		return true
	case PartDomain:
		return slices.Contains(a.Domains, id)
	}
	return slices.Contains(a.Disks, Disk{VM: id, Disk: part})
}
