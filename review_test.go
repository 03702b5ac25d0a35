package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// waits waits until the newest run of a hypervisor waits for approval, and
// returns its number.
func (l *lab) waits(hypervisor string, after int) int {
	l.t.Helper()
	var h struct {
		Status struct {
			Phase, Error string
			Run          int
		}
	}
	l.eventually(hypervisor+" waits for approval", time.Minute, func() error {
		h.Status.Run, h.Status.Error = 0, ""
		if err := json.Unmarshal([]byte(l.must("hypervisor", "show", hypervisor, "--json")), &h); err != nil {
			return err
		}
		if h.Status.Phase != "waiting" || h.Status.Run <= after {
			return fmt.Errorf("%+v", h.Status)
		}
		return nil
	})
	return h.Status.Run
}

func (l *lab) runState(run int) string {
	l.t.Helper()
	var r struct{ State string }
	l.decode(l.must("run", "show", fmt.Sprint(run), "--json"), &r)
	return r.State
}

// taint makes terraform want to make a VM's root disk anew.
func (l *lab) taint(hypervisor, vm string) {
	l.t.Helper()
	var v struct{ ID string }
	l.decode(l.must("vm", "show", vm, "--json"), &v)
	file := filepath.Join(l.dir, "agent-"+hypervisor, "terraform.tfstate")
	text, err := os.ReadFile(file)
	var state map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &state)); err != nil {
		l.t.Fatal(err)
	}
	tainted := false
	for _, r := range state["resources"].([]any) {
		if r := r.(map[string]any); r["name"] == "vm_"+v.ID+"_root" {
			r["instances"].([]any)[0].(map[string]any)["status"], tainted = "tainted", true
		}
	}
	state["serial"] = state["serial"].(float64) + 1
	text, err = json.Marshal(state)
	if err := errors.Join(err, os.WriteFile(file, text, 0o600)); err != nil || !tainted {
		l.t.Fatalf("tainted %v: %v in\n%s", tainted, err, text)
	}
}

// TestPlansThatWait: with policy review every plan waits, an approval is of that
// plan alone, and an edit supersedes it; with none, a plan that destroys more than
// was announced waits, and one that would destroy what is protected fails.
func TestPlansThatWait(t *testing.T) {
	l := newLab(t)
	l.must("image", "add", "debian", "--path", "/debian.qcow2")
	l.must("hypervisor", "add", "pad", "--platform", "sandbox", "--policy", "review")
	l.must("vm", "add", "web", "--hypervisor", "pad")
	l.join("pad", "")
	first := l.waits("pad", 0)
	if out := l.must("run", "show", fmt.Sprint(first), "--json"); !strings.Contains(out, `"web root disk"`) || !strings.Contains(out, `"changes"`) {
		t.Errorf("the plan cannot be read:\n%s", out)
	}
	l.must("vm", "edit", "web", "--memory", "2GiB", "--yes")
	second := l.waits("pad", first)
	if got := l.runState(first); got != "superseded" {
		t.Errorf("the run of the plan before is %s", got)
	}
	if _, err := l.ssh(nil, "approve", fmt.Sprint(first), "--yes"); err == nil || !strings.Contains(err.Error(), "does not wait for approval: it was superseded") {
		t.Errorf("approval of the plan before: %v", err)
	}
	l.must("approve", fmt.Sprint(second), "--yes")
	l.inSync("pad", time.Minute)

	// More than was announced stops and asks, whatever the policy.
	l.must("hypervisor", "edit", "pad", "--policy", "auto")
	l.inSync("pad", time.Minute)
	l.taint("pad", "web")
	l.must("apply", "pad", "--detach")
	third := l.waits("pad", second)
	if _, err := l.ssh(nil, "approve", fmt.Sprint(third)); err == nil || !strings.Contains(err.Error(), "web root disk") || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("the approval is not asked about: %v", err)
	}
	// Protected meanwhile: the plan is superseded, and the next one is refused.
	l.must("vm", "protect", "web")
	l.eventually("the plan is refused", time.Minute, func() error {
		out := l.must("hypervisor", "show", "pad", "--json")
		if !strings.Contains(out, "the plan would destroy what is protected: web root disk") {
			return errors.New(out)
		}
		return nil
	})
	if got := l.runState(third); got != "superseded" {
		t.Errorf("the run that waited is %s", got)
	}
	// Without the protection it asks again, and is done when it is approved.
	l.must("vm", "unprotect", "web", "--yes")
	fourth := l.waits("pad", third)
	l.must("approve", fmt.Sprint(fourth), "--yes")
	l.inSync("pad", time.Minute)
}
