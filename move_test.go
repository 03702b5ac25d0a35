package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// where is the hypervisor that a VM is placed on, and whether it is on the move.
func (l *lab) where(vm string) (hypervisor, moving string) {
	l.t.Helper()
	var v struct {
		Hypervisor string `json:"hypervisor"`
		MovingTo   string `json:"moving_to"`
		MovedFrom  string `json:"moved_from"`
	}
	l.decode(l.must("vm", "show", vm, "--json"), &v)
	return v.Hypervisor, v.MovingTo + v.MovedFrom
}

// TestMove moves a VM between two agents, and goes on with a move that waits for
// an agent after the server was killed.
func TestMove(t *testing.T) {
	l := newLab(t)
	l.must("image", "add", "debian", "--path", "/debian.qcow2")
	for _, name := range []string{"pad", "desk"} {
		l.must("hypervisor", "add", name, "--platform", "sandbox")
	}
	l.must("vm", "add", "web", "--hypervisor", "pad")
	l.join("pad", "")
	desk := l.join("desk", "")
	l.inSync("pad", time.Minute)

	if _, err := l.ssh(nil, "vm", "move", "web", "--to", "desk"); err == nil || !strings.Contains(err.Error(), "moves to desk with its disks") || !strings.Contains(err.Error(), "--yes") {
		t.Fatalf("a move is not asked about: %v", err)
	}
	if out := l.must("vm", "move", "web", "--to", "desk", "--yes"); !strings.Contains(out, "web is on desk") {
		t.Fatalf("move: %s", out)
	}
	if at, moving := l.where("web"); at != "desk" || moving != "" {
		t.Fatalf("it is on %s, %s", at, moving)
	}
	l.inSync("pad", time.Minute)
	l.inSync("desk", time.Minute)

	// Back, with an agent away and the server killed meanwhile.
	desk.kill()
	l.must("vm", "move", "web", "--to", "pad", "--yes", "--detach")
	if at, moving := l.where("web"); at != "desk" || moving != "pad" {
		t.Fatalf("it is on %s, %s", at, moving)
	}
	l.server.kill()
	l.serve()
	l.rejoin("desk")
	l.eventually("the move comes to its end", time.Minute, func() error {
		if at, moving := l.where("web"); at != "pad" || moving != "" {
			return errors.New("it is on " + at + ", " + moving)
		}
		return nil
	})
	if out := l.must("history"); !strings.Contains(out, "moved: it is up on pad") {
		t.Errorf("history: %s", out)
	}
}

// TestMoveIsTakenBack: a guest that does not come up at its new place, where the
// plan waits for a person here, returns to where its old copy is.
func TestMoveIsTakenBack(t *testing.T) {
	l := newLab(t)
	l.must("image", "add", "debian", "--path", "/debian.qcow2")
	l.must("hypervisor", "add", "pad", "--platform", "sandbox")
	l.must("hypervisor", "add", "desk", "--platform", "sandbox", "--policy", "review")
	l.must("vm", "add", "web", "--hypervisor", "pad", "--protected")
	l.join("pad", "")
	l.join("desk", "")
	l.inSync("pad", time.Minute)
	l.inSync("desk", time.Minute)
	l.must("vm", "move", "web", "--to", "desk", "--yes", "--detach")
	l.waits("desk", 0)
	if at, from := l.where("web"); at != "desk" || from != "pad" {
		t.Fatalf("it is on %s, moved from %s", at, from)
	}
	if out := l.must("vm", "show", "web"); !strings.Contains(out, "waiting for its domain on desk; vm move web --back returns it") {
		t.Errorf("how to take it back is not said:\n%s", out)
	}
	if _, err := l.ssh(nil, "vm", "move", "web", "--back"); err == nil || !strings.Contains(err.Error(), "what web has written there since it arrived would be lost") {
		t.Errorf("it is not asked about: %v", err)
	}
	if out := l.must("vm", "move", "web", "--back", "--yes"); !strings.Contains(out, "web is on pad") {
		t.Errorf("back: %s", out)
	}
	if at, moving := l.where("web"); at != "pad" || moving != "" {
		t.Fatalf("it is on %s, %s", at, moving)
	}
	l.inSync("pad", time.Minute)
	l.inSync("desk", time.Minute)
}
