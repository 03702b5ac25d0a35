package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPowerOfAPlayedMachine switches a sandbox with VMs off and on again, as a
// person does in the demo: it goes in order, with its outlet last, and comes
// back with its guests.
func TestPowerOfAPlayedMachine(t *testing.T) {
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not installed")
	}
	dir := t.TempDir()
	halt := filepath.Join(dir, "halt")
	if err := os.WriteFile(halt, []byte("#!/bin/sh\nkill -TERM $PPID\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, "HOMELAB_SHUTDOWN_COMMAND="+halt)
	l.must("outlet", "add", "plug", "--driver", "simulated")
	l.must("outlet", "on", "plug")
	l.must("hypervisor", "add", "rack", "--platform", "sandbox", "--outlet", "plug")
	l.must("image", "add", "debian", "--path", "/img/debian.qcow2")
	l.must("vm", "add", "web", "--hypervisor", "rack", "--image", "debian")
	agent := l.join("rack", "")
	l.inSync("rack", 2*time.Minute)

	l.must("power", "off", "rack", "--yes", "--wait", "--timeout", "60s")
	<-agent.done
	var plug struct {
		Status struct{ State string }
	}
	l.decode(l.must("outlet", "show", "plug", "--json"), &plug)
	if plug.Status.State != "off" {
		t.Errorf("the outlet is %q", plug.Status.State)
	}
	l.must("power", "on", "rack")
	l.rejoin("rack")
	l.must("power", "on", "rack", "--wait", "--timeout", "60s")
	l.inSync("rack", 2*time.Minute)
	var vm struct {
		Status struct{ State string }
	}
	l.decode(l.must("vm", "show", "web", "--json"), &vm)
	if vm.Status.State != "running" {
		t.Errorf("web is %q", vm.Status.State)
	}
}
