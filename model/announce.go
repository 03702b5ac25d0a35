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
