package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"homelab/model"
)

// TestLibvirtMove moves a real guest with both its disks to another agent: what it
// has written is there, and the old copy is gone when it is up. The other agent has
// a libvirt of its own: it takes every guest with a VM's ID for that VM's.
func TestLibvirtMove(t *testing.T) {
	b := newBenchOf(t, "movefrom", "moveguest")
	there := b.another("moveto")
	b.must("image", "add", "moveguest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	for _, b := range []*bench{b, there} {
		b.must("hypervisor", "add", b.hypervisor, "--network", "macvtap:enp0s20f0u4")
		b.must("pool", "edit", b.hypervisor, "default", "--path", b.pool)
	}
	b.must("vm", "add", "web", "--hypervisor", "movefrom", "--image", "moveguest", "--memory", "160MiB", "--extra-disk", "1GiB", "--protected")
	b.join("movefrom", "")
	there.join("moveto", "")
	b.inSync("movefrom", 3*time.Minute)
	if g := b.console("web_on_movefrom"); g.boots != "1" || g.extra != "1" {
		t.Fatalf("before: %+v", g)
	}
	old := filepath.Join(b.pool, "web_on_movefrom")

	// Where it does not come up it is taken back to the old copy.
	b.must("hypervisor", "edit", "moveto", "--policy", "review")
	b.must("vm", "move", "web", "--to", "moveto", "--yes", "--detach")
	b.waits("moveto", 0)
	b.must("vm", "move", "web", "--back", "--yes")
	if g := b.console("web_on_movefrom"); g.boots != "2" || g.extra != "2" {
		t.Fatalf("taken back: %+v", g)
	}
	b.must("hypervisor", "edit", "moveto", "--policy", "auto")
	b.inSync("moveto", time.Minute)

	out := b.must("vm", "move", "web", "--to", "moveto", "--yes")
	t.Logf("%s", out)
	// The count of boots lies on the disks: it is the marker.
	g := there.console("web_on_moveto")
	if g.boots != "3" || g.extra != "3" || g.name == "" {
		t.Fatalf("after: %+v", g)
	}
	started := there.domain("web_on_moveto")
	b.eventually("the old copy is gone", 2*time.Minute, func() error {
		for _, path := range []string{old, old + "_extra"} {
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				return errors.New(path + " is there")
			}
		}
		if names := b.virsh("list", "--all", "--name"); strings.Contains(names, "web_on_movefrom") {
			return errors.New(names)
		}
		return nil
	})
	if out, err := exec.Command("qemu-img", "check", "-U", filepath.Join(there.pool, "web_on_moveto")).CombinedOutput(); err != nil {
		t.Errorf("the disk: %v\n%s", err, out)
	}
	b.inSync("movefrom", time.Minute)
	b.inSync("moveto", time.Minute)
	if now := there.domain("web_on_moveto"); now != started {
		t.Errorf("the guest was started again: %s, then %s", started, now)
	}
	if runs := b.must("run", "list"); strings.Contains(runs, string(model.RunFailed)) {
		t.Errorf("a run failed:\n%s", runs)
	}
	b.takenBack(t, there)
	b.must("vm", "unprotect", "web", "--yes")
}

// takenBack has a guest taken back that is up at its new place: it is shut down
// there before it is started where it was. A VM that cannot be made there keeps the
// old copy from being let go.
func (b *bench) takenBack(t *testing.T, there *bench) {
	t.Cleanup(func() { b.tryVirsh("pool-undefine", "nowhere") })
	b.must("pool", "add", "movefrom", "nowhere", "--path", "/dev/null/pool")
	b.must("vm", "add", "broken", "--hypervisor", "movefrom", "--image", "moveguest", "--memory", "160MiB", "--running=false", "--extra-disk", "1GiB", "--extra-pool", "nowhere")
	b.must("vm", "move", "web", "--to", "movefrom", "--yes", "--detach")
	up := func(b *bench, domain string) error {
		if s := b.tryVirsh("domstate", domain); s != "running" {
			return errors.New(s)
		}
		return nil
	}
	b.eventually("it is up at its new place", 2*time.Minute, func() error { return up(b, "web_on_movefrom") })
	if g := b.console("web_on_movefrom"); g.boots != "4" {
		t.Fatalf("at its new place: %+v", g)
	}
	b.must("vm", "move", "web", "--back", "--yes", "--detach")
	b.eventually("it is up where it was", 2*time.Minute, func() error {
		err := up(there, "web_on_moveto")
		if err == nil && up(b, "web_on_movefrom") == nil {
			t.Fatal("it runs at both places")
		}
		return err
	})
	if out := b.must("history", "--limit", "5"); !strings.Contains(out, "taken back: its guest is off on movefrom") {
		t.Errorf("history:\n%s", out)
	}
	if g := there.console("web_on_moveto"); g.boots != "4" { // on the disks that it had left
		t.Fatalf("taken back: %+v", g)
	}
	b.must("vm", "remove", "broken", "--yes")
	b.must("pool", "remove", "movefrom", "nowhere")
	b.inSync("movefrom", time.Minute)
	b.inSync("moveto", time.Minute)
}

// another is a second machine for the same lab: a libvirt in a mount namespace, with
// folders of its own in place of the machine's, and an agent that runs in there.
func (b *bench) another(hypervisor string) *bench {
	b.t.Helper()
	dir := filepath.Join(b.dir, hypervisor)
	script := "set -e\n"
	for of, from := range map[string]string{"run": "/run/libvirt", "lib": "/var/lib/libvirt", "etc": "/etc/libvirt"} {
		if err := os.MkdirAll(filepath.Join(dir, of), 0o755); err != nil {
			b.t.Fatal(err)
		}
		script += fmt.Sprintf("mount --bind %s/%s %s\n", dir, of, from)
	}
	for _, conf := range []string{"libvirtd.conf", "qemu.conf"} {
		text, err := os.ReadFile("/etc/libvirt/" + conf)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "etc", conf), text, 0o600)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	daemon := exec.Command("unshare", "--mount", "sh", "-c", script+"exec libvirtd --pid-file "+dir+"/libvirtd.pid")
	log, err := os.Create(filepath.Join(b.dir, "libvirtd.log"))
	if err != nil {
		b.t.Fatal(err)
	}
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		log.Close()
	})

	l, there := *b.lab, *b
	there.lab, there.hypervisor, there.pool = &l, hypervisor, filepath.Join(dir, "pool")
	there.run = filepath.Join(dir, "run")
	there.uri = "qemu:///system?socket=" + there.run + "/libvirt-sock"
	bin, err := binary()
	if err != nil {
		b.t.Fatal(err)
	}
	l.bin = filepath.Join(dir, "homelab")
	inside := fmt.Sprintf("#!/bin/sh\nexec nsenter --mount=/proc/%d/ns/mnt %s \"$@\"\n", daemon.Process.Pid, bin)
	if err := os.WriteFile(l.bin, []byte(inside), 0o700); err != nil {
		b.t.Fatal(err)
	}
	b.eventually("the other libvirt answers", 20*time.Second, func() error {
		if out := there.tryVirsh("list"); out != "" {
			return errors.New(out)
		}
		return nil
	})
	b.t.Cleanup(there.clean)
	return &there
}
