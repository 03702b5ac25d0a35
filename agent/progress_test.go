package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
	"homelab/model"
)

// replay reads recorded output of plan and apply and returns the run that its
// records make, and the records.
func replay(t *testing.T, plan, apply string) (model.Run, []model.Record, *progress) {
	t.Helper()
	run := model.Run{State: model.RunPlanning}
	var records []model.Record
	p := newProgress(func(a string) string { return "label of " + a }, func(r model.Record) {
		run.Fold(r)
		records = append(records, r)
	})
	read := func(name string) {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			p.Line(line)
		}
	}
	read(plan)
	if apply != "" {
		p.Apply()
		read(apply)
	}
	return run, records, p
}

func TestProgressOfRecordedRuns(t *testing.T) {
	cases := []struct {
		plan, apply string
		want        model.Summary
		failed      int
		problem     string
	}{
		{"01-create-plan.jsonl", "", model.Summary{Add: 11, Total: 11}, 0, ""},
		{"01-create-plan.jsonl", "01-create-apply.jsonl", model.Summary{Add: 11, Done: 11, Total: 11}, 0, ""},
		{"03-ram-plan.jsonl", "03-ram-apply.jsonl", model.Summary{Add: 1, Destroy: 1, Done: 1, Total: 1}, 0, ""},
		{"06-drift-plan.jsonl", "", model.Summary{Change: 1, Total: 1}, 0, ""},
		{"07-partial-plan.jsonl", "07-partial-apply.jsonl", model.Summary{Add: 10, Done: 9, Total: 10}, 1, "label of libvirt_volume.vm3_data: can't find storage pool 'nopool'"},
		{"x-16-plan-libvirtd-down.jsonl", "", model.Summary{}, 0, "libvirtd does not run on the hypervisor"},
		{"x-15-plan-while-locked.jsonl", "", model.Summary{}, 0, "another terraform works on the same state"},
	}
	for _, c := range cases {
		t.Run(c.plan+" "+c.apply, func(t *testing.T) {
			run, records, p := replay(t, c.plan, c.apply)
			if d := cmp.Diff(c.want, run.Summary); d != "" {
				t.Error(d)
			}
			failed := 0
			for _, r := range run.Resources {
				if r.Status == model.ResourceFailed {
					failed++
				}
				if r.Label != "label of "+r.Address {
					t.Errorf("label %q", r.Label)
				}
			}
			if failed != c.failed {
				t.Errorf("%d steps failed, want %d", failed, c.failed)
			}
			err := p.Error("applying", errors.New("exit status 1"))
			if !strings.Contains(err.Error(), c.problem) {
				t.Errorf("error %q, want %q", err, c.problem)
			}
			for _, r := range records {
				if strings.HasPrefix(r.Message, "libvirt_") || strings.HasPrefix(r.Message, "terraform_data") {
					t.Errorf("log line without a label: %q", r.Message)
				}
				if r.Message == "" || strings.Contains(r.Message, "\n") || strings.HasPrefix(r.Message, "{") {
					t.Errorf("log line %q", r.Message)
				}
			}
		})
	}
}

// A replaced resource is done when it is there again, not when it is gone.
func TestProgressOfReplace(t *testing.T) {
	_, records, _ := replay(t, "03-ram-plan.jsonl", "03-ram-apply.jsonl")
	var got []string
	for _, r := range records {
		if r.Resource != nil {
			got = append(got, r.Resource.Action+" "+string(r.Resource.Status))
		}
	}
	want := []string{"replace pending", "replace running", "replace running", "replace running", "replace done"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestProgressOfWhatIsNotTerraforms(t *testing.T) {
	var got []model.Record
	p := newProgress(func(a string) string { return a }, func(r model.Record) { got = append(got, r) })
	p.Line([]byte("panic: runtime error"))
	p.Line([]byte(`{"@level":"trace","@message":"x","type":"brand_new"}`))
	p.Line([]byte(`{"@level":"info","@message":"` + strings.Repeat("y", 200_000) + `","type":"log"}`)) // no 64 KiB limit
	if len(got) != 3 || got[0].Message != "panic: runtime error" || got[0].Level != model.LevelWarn || got[1].Level != model.LevelInfo || len(got[2].Message) != 200_000 {
		t.Errorf("%.200v", got)
	}
	if p.Line([]byte(`{"@level":"info","@message":"Still creating...","type":"apply_progress"}`)) {
		t.Error("the passing of time counts as progress")
	}
}

func readPlan(t *testing.T, name string, rename ...string) *tfjson.Plan {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var plan tfjson.Plan
	if err := json.Unmarshal([]byte(strings.NewReplacer(rename...).Replace(string(b))), &plan); err != nil {
		t.Fatal(err)
	}
	return &plan
}

// The recorded plans with our names for their resources.
var ourNames = []string{
	"libvirt_domain.vm1", "libvirt_domain.vm_" + idA, "libvirt_domain.vm2", "libvirt_domain.vm_" + idB,
	"libvirt_volume.vm1_data", "libvirt_volume.vm_" + idA + "_extra", "libvirt_volume.vm1_root", "libvirt_volume.vm_" + idA + "_root",
	"libvirt_cloudinit_disk.vm1_seed", "libvirt_cloudinit_disk.vm_" + idA + "_seed",
	"terraform_data.vm1_nics", "terraform_data.vm_" + idA + "_nics",
	// What the partial failure before had left of a third one.
	"libvirt_volume.vm3_root", "libvirt_volume.vm_" + idC + "_root",
	"libvirt_cloudinit_disk.vm3_seed", "libvirt_cloudinit_disk.vm_" + idC + "_seed",
	"terraform_data.vm3_nics", "terraform_data.vm_" + idC + "_nics",
}

func TestCheckOfRecordedPlans(t *testing.T) {
	extra := model.Disk{VM: idA, Disk: model.DiskExtra}
	root := model.Disk{VM: idA, Disk: model.DiskRoot}
	other := model.Disk{VM: idC, Disk: model.DiskRoot}
	cases := []struct {
		plan       string
		announced  model.Announced
		review     bool
		changes    bool
		doomed     []string
		violations []string
		wait       bool
	}{
		{plan: "01-create-plan.show.json", changes: true},
		{plan: "01-create-plan.show.json", changes: true, review: true, wait: true},
		{plan: "02-noop-plan.show.json"},
		{plan: "03-ram-plan.show.json", changes: true, doomed: []string{idA}, violations: []string{"replace web domain"}, wait: true},
		{plan: "03-ram-plan.show.json", announced: model.Announced{Domains: []string{idA}}, changes: true, doomed: []string{idA}},
		{plan: "04-disk-plan.show.json", announced: model.Announced{Domains: []string{idA}}, changes: true, doomed: []string{idA}, violations: []string{"replace web extra disk"}, wait: true},
		{plan: "04-disk-plan.show.json", announced: model.Announced{Domains: []string{idA}, Disks: []model.Disk{extra}}, changes: true, doomed: []string{idA}},
		{plan: "08-remove-plan.show.json", announced: model.Announced{Domains: []string{idA}, Disks: []model.Disk{extra, other}}, changes: true, doomed: []string{idA}, violations: []string{"delete web root disk"}, wait: true},
		{plan: "08-remove-plan.show.json", announced: model.Announced{Domains: []string{idA}, Disks: []model.Disk{extra, root, other}}, changes: true, doomed: []string{idA}},
	}
	n := &names{m: map[string]string{idA: "web"}}
	for _, c := range cases {
		plan := readPlan(t, c.plan, ourNames...)
		if got := changes(plan); got != c.changes {
			t.Errorf("%s: changes %v", c.plan, got)
		}
		if d := cmp.Diff(c.doomed, doomed(plan)); d != "" {
			t.Errorf("%s: %s", c.plan, d)
		}
		violations, wait := check(plan, wire.Run{Announced: c.announced, Review: c.review}, n.Label)
		var got []string
		for _, v := range violations {
			got = append(got, v.Action+" "+v.Label)
		}
		if d := cmp.Diff(c.violations, got); d != "" || wait != c.wait {
			t.Errorf("%s with %+v: wait %v, %s", c.plan, c.announced, wait, d)
		}
	}
}

// A disk that was not made in full is made again without asking, unless its VM
// was there before.
func TestCheckOfHalfMadeDisks(t *testing.T) {
	step := func(address string, before any, reason tfjson.ActionReason, actions ...tfjson.Action) *tfjson.ResourceChange {
		return &tfjson.ResourceChange{
			Address: address, Mode: tfjson.ManagedResourceMode, ActionReason: reason, Change: &tfjson.Change{Actions: actions, Before: before},
		}
	}
	root, domain := "libvirt_volume.vm_"+idA+"_root", "libvirt_domain.vm_"+idA
	const tainted = tfjson.ActionReasonReplaceBecauseTainted
	replaced := []tfjson.Action{tfjson.ActionDelete, tfjson.ActionCreate}
	for name, c := range map[string]struct {
		steps []*tfjson.ResourceChange
		wait  bool
	}{
		"half made":               {[]*tfjson.ResourceChange{step(root, 1, tainted, replaced...), step(domain, nil, "", tfjson.ActionCreate)}, false},
		"alone":                   {[]*tfjson.ResourceChange{step(root, 1, tainted, replaced...)}, false},
		"of a VM that is there":   {[]*tfjson.ResourceChange{step(root, 1, tainted, replaced...), step(domain, 1, "", tfjson.ActionNoop)}, true},
		"of one that goes":        {[]*tfjson.ResourceChange{step(root, 1, tainted, replaced...), step(domain, 1, "", tfjson.ActionDelete)}, true},
		"for another reason":      {[]*tfjson.ResourceChange{step(root, 1, tfjson.ActionReasonReplaceBecauseCannotUpdate, replaced...)}, true},
		"a disk beside other VMs": {[]*tfjson.ResourceChange{step(root, 1, tainted, replaced...), step("libvirt_domain.vm_"+idC, 1, "", tfjson.ActionNoop)}, false},
		"something of nobody":     {[]*tfjson.ResourceChange{step("libvirt_volume.x", 1, tainted, replaced...)}, true},
	} {
		if _, wait := check(&tfjson.Plan{ResourceChanges: c.steps}, wire.Run{}, (&names{}).Label); wait != c.wait {
			t.Errorf("%s: wait %v", name, wait)
		}
	}
}

// TestPlanAgainstProtection: a plan that would destroy a disk of a protected VM
// is refused, whatever was announced; its domain may be made anew.
func TestPlanAgainstProtection(t *testing.T) {
	n := &names{m: map[string]string{idA: "web"}}
	for _, c := range []struct {
		plan      string
		protected bool
		want      string // in the error; "" is none
	}{
		{"01-create-plan.show.json", true, ""},
		{"03-ram-plan.show.json", true, ""},
		{"04-disk-plan.show.json", true, "web extra disk"},
		{"04-disk-plan.show.json", false, ""},
		{"08-remove-plan.show.json", true, "web extra disk, web root disk"},
		{"08-remove-plan.show.json", false, ""},
	} {
		m := wire.Manifest{VMs: []wire.VM{{ID: idA, Name: "web", Protected: c.protected}}}
		err := guard(readPlan(t, c.plan, ourNames...), m, n.Label)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "protected: "+c.want+";") {
			t.Errorf("%s, protected %v: %v", c.plan, c.protected, err)
		}
	}
}
