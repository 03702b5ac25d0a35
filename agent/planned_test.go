package agent

import (
	"encoding/json"
	"strings"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"

	"homelab/model"
)

func resource(t *testing.T, all []model.Resource, address string) model.Resource {
	t.Helper()
	for _, r := range all {
		if r.Address == address {
			return r
		}
	}
	t.Fatalf("%s is not in %v", address, all)
	return model.Resource{}
}

func change(r model.Resource, path string) (model.AttributeChange, bool) {
	for _, c := range r.Changes {
		if c.Path == path {
			return c, true
		}
	}
	return model.AttributeChange{}, false
}

func label(address string) string { return "label of " + address }

// TestPlannedSaysWhatChanges reads plans that terraform has made.
func TestPlannedSaysWhatChanges(t *testing.T) {
	all := planned(readPlan(t, "03-ram-plan.show.json"), label)
	for _, r := range all {
		if c, ok := change(r, "memory"); !ok || c.Before == c.After || c.Before == "" || c.After == "" {
			t.Errorf("%s: memory %+v", r.Address, c)
		}
	}
	disk := planned(readPlan(t, "04-disk-plan.show.json"), label)
	data := resource(t, disk, "libvirt_volume.vm1_data")
	if c, ok := change(data, "size"); !ok || !c.Forces || data.Action != "replace" || data.Label != "label of libvirt_volume.vm1_data" {
		t.Errorf("the disk: %+v", data)
	}
	if n := planned(readPlan(t, "02-noop-plan.show.json"), label); len(n) != 0 {
		t.Errorf("a plan without changes has %v", n)
	}
	for _, r := range planned(readPlan(t, "08-remove-plan.show.json"), label) {
		if r.Action != "delete" || len(r.Changes) > 0 {
			t.Errorf("of what is removed nothing more is to be said: %+v", r)
		}
	}
}

// TestPlannedTellsNoSecret makes sure that no value that could be a secret is
// told, and that what is told is bounded.
func TestPlannedTellsNoSecret(t *testing.T) {
	const leak = "s3cr3t"
	many := map[string]any{}
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyz0123456789", "") {
		many["key_"+c] = strings.Repeat("x", 10_000)
	}
	plan := &tfjson.Plan{ResourceChanges: []*tfjson.ResourceChange{
		{Address: "a.b", Mode: tfjson.ManagedResourceMode, Change: &tfjson.Change{
			Actions: tfjson.Actions{tfjson.ActionUpdate},
			Before:  map[string]any{"user_data": leak + "1", "input": map[string]any{"admin_password": leak, "plain": "1"}, "marked": leak, "list": []any{"a"}},
			After:   map[string]any{"user_data": leak + "2", "input": map[string]any{"admin_password": leak + "3", "plain": "2"}, "marked": leak + "4", "list": []any{"a", "b"}},
			// What terraform marks, whole or in part.
			BeforeSensitive: map[string]any{"marked": true}, AfterSensitive: map[string]any{"marked": true},
		}},
		{Address: "a.c", Mode: tfjson.ManagedResourceMode, Change: &tfjson.Change{
			Actions: tfjson.Actions{tfjson.ActionCreate}, After: map[string]any{"whole": map[string]any{"x": leak}, "many": many, "text": leak[:0] + "line\nline"},
			AfterSensitive: map[string]any{"whole": true}, AfterUnknown: map[string]any{"id": true},
		}},
	}}
	all := planned(plan, label)
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), leak) {
		t.Errorf("a secret is told: %s", b)
	}
	update := resource(t, all, "a.b")
	for path, want := range map[string]model.AttributeChange{
		"user_data":            {Path: "user_data", Before: secretValue, After: secretValue},
		"input.admin_password": {Path: "input.admin_password", Before: secretValue, After: secretValue},
		"marked":               {Path: "marked", Before: secretValue, After: secretValue},
		"input.plain":          {Path: "input.plain", Before: `"1"`, After: `"2"`},
		"list[1]":              {Path: "list[1]", After: `"b"`},
	} {
		if c, _ := change(update, path); c != want {
			t.Errorf("%s is %+v, not %+v", path, c, want)
		}
	}
	made := resource(t, all, "a.c")
	if len(made.Changes) != model.MaxChanges || len(b) > 40_000 {
		t.Errorf("%d changes, %d bytes", len(made.Changes), len(b))
	}
	if _, ok := change(made, "id"); ok {
		t.Error("of what is made nobody needs to know that its ID is not known yet")
	}
}
