package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLibvirtMove moves a real guest with both its disks to another agent: what it
// has written is there, and the old copy is gone when it is up. Both agents work
// on this machine's libvirt, where names tell their volumes apart.
func TestLibvirtMove(t *testing.T) {
	b := newBenchOf(t, "movefrom", "moveguest")
	there := *b
	there.hypervisor = "moveto"
	there.clean()
	t.Cleanup(there.clean)
	b.must("image", "add", "moveguest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	for _, name := range []string{"movefrom", "moveto"} {
		b.must("hypervisor", "add", name, "--network", "macvtap:enp0s20f0u4")
		b.must("pool", "edit", name, "default", "--path", b.pool)
	}
	b.must("vm", "add", "web", "--hypervisor", "movefrom", "--image", "moveguest", "--memory", "160MiB", "--extra-disk", "1GiB", "--protected")
	b.join("movefrom", "")
	b.join("moveto", "")
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
	g := b.console("web_on_moveto")
	if g.boots != "3" || g.extra != "3" || g.name == "" {
		t.Fatalf("after: %+v", g)
	}
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
	if out, err := exec.Command("qemu-img", "check", "-U", filepath.Join(b.pool, "web_on_moveto")).CombinedOutput(); err != nil {
		t.Errorf("the disk: %v\n%s", err, out)
	}
	b.inSync("movefrom", time.Minute)
	b.inSync("moveto", time.Minute)
	b.must("vm", "unprotect", "web", "--yes")
}
