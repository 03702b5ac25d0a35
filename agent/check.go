package agent

import (
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
	"homelab/model"
)

// changes tells whether a plan changes anything.
func changes(plan *tfjson.Plan) bool {
	for _, rc := range plan.ResourceChanges {
		if rc.Mode == tfjson.ManagedResourceMode && rc.Change != nil && !rc.Change.Actions.NoOp() && !rc.Change.Actions.Read() {
			return true
		}
	}
	return false
}

// deletions are the destructive steps of a plan. That a disk is made again whose
// making failed half-way is none: nothing has ever used it.
func deletions(plan *tfjson.Plan) []model.Deletion {
	var all []model.Deletion
	for _, rc := range plan.ResourceChanges {
		if rc.Mode != tfjson.ManagedResourceMode || rc.Change == nil || halfMade(plan, rc) {
			continue
		}
		switch a := rc.Change.Actions; {
		case a.Delete():
			all = append(all, model.Deletion{Address: rc.Address})
		case a.Replace():
			all = append(all, model.Deletion{Address: rc.Address, Replace: true})
		}
	}
	return all
}

// halfMade tells whether a disk is replaced because it was not made in full, and
// its VM has no domain yet, which is made after its disks.
func halfMade(plan *tfjson.Plan, rc *tfjson.ResourceChange) bool {
	id, part, ok := model.ParseResource(rc.Address)
	if !ok || part != model.PartRoot && part != model.PartExtra || rc.ActionReason != tfjson.ActionReasonReplaceBecauseTainted {
		return false
	}
	return !slices.ContainsFunc(plan.ResourceChanges, func(other *tfjson.ResourceChange) bool {
		of, part, ok := model.ParseResource(other.Address)
		return ok && of == id && part == model.PartDomain && other.Change != nil && other.Change.Before != nil
	})
}

// check holds a plan against what was announced. A plan that destroys more
// waits for a person under every policy; under review every one does.
func check(plan *tfjson.Plan, order wire.Run, label func(string) string) (violations []model.Violation, wait bool) {
	violations = model.CheckPlan(deletions(plan), order.Announced, label)
	return violations, len(violations) > 0 || order.Review
}

// guard refuses a plan that would destroy or replace a disk of a protected VM: no
// announcement and no approval allows that.
func guard(plan *tfjson.Plan, m wire.Manifest, label func(string) string) error {
	var lost []string
	for _, d := range deletions(plan) {
		id, part, ok := model.ParseResource(d.Address)
		if vm, ours := vmIn(m, id); ok && ours && vm.Protected && (part == model.PartRoot || part == model.PartExtra) {
			lost = append(lost, label(d.Address))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("the plan would destroy what is protected: %s; nothing was applied. Remove the protection, or undo what makes it so", strings.Join(lost, ", "))
}

// doomed are the IDs of the VMs whose domain the plan destroys or replaces.
func doomed(plan *tfjson.Plan) []string {
	var ids []string
	for _, d := range deletions(plan) {
		if id, part, ok := model.ParseResource(d.Address); ok && part == model.PartDomain {
			ids = append(ids, id)
		}
	}
	return ids
}
