package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"homelab/model"
)

// A disk that is gone is never made anew, and empty, without a word: not that of a
// VM without a domain, and not that of one whose state was lost.
func TestLibvirtDiskGone(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	l.running = false
	data := t.TempDir()
	a := start(t, Options{Data: data, Token: s.token().String(), LibvirtURI: uri})
	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	l.domain = false
	s.send(l.order(s, 2))
	s.state(2, model.RunSucceeded)

	disk := filepath.Join(l.pool, l.domainName())
	refused := func(id uint64) {
		t.Helper()
		s.send(l.order(s, id))
		if got := s.state(id, model.RunFailed); !strings.Contains(got.Error, "the root disk of "+l.name+" is gone: put it back, or `vm rebuild "+l.name+"`") {
			t.Errorf("error %q", got.Error)
		}
		if _, err := os.Stat(disk); err == nil {
			t.Fatal("it was made anew")
		}
	}
	remove := func() {
		t.Helper()
		if err := os.Remove(disk); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	s.until("that it is gone", func() bool { return len(s.inv.Gone) == 1 })
	refused(3)
	l.domain = true // it is enabled again
	refused(4)
	agreed := l.order(s, 5)
	agreed.Run.Announced.Disks = []model.Disk{{VM: l.id, Disk: model.DiskRoot}}
	s.send(agreed)
	s.state(5, model.RunSucceeded)
	if _, err := os.Stat(disk); err != nil {
		t.Fatal(err)
	}

	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	s.until("the agent to be gone", func() bool { return s.w == nil })
	for _, name := range []string{stateFile, backupFolder} {
		if err := os.RemoveAll(filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	start(t, Options{Data: data, LibvirtURI: uri})
	refused(6)
}

// What lay in memory is gone after each start of the machine: the extra disk is
// made anew, and the guest starts.
func TestLibvirtDiskInMemory(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	l.ramdisk = filepath.Join(t.TempDir(), "ram")
	t.Cleanup(func() {
		_, _ = tryVirsh("destroy", l.domainName())
		_, _ = tryVirsh("pool-destroy", l.name)
		_, _ = tryVirsh("pool-undefine", l.name)
		_ = unmount(l.ramdisk)
	})
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})
	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	l.guest(s, model.GuestRunning)

	virsh(t, "destroy", l.domainName()) // as a reboot does it
	virsh(t, "pool-destroy", l.name)
	if err := unmount(l.ramdisk); err != nil {
		t.Fatal(err)
	}
	l.guest(s, model.GuestStopped)
	planned := l.order(s, 2)
	planned.Run.Kind = model.RunPlan
	s.send(planned)
	if got := s.state(2, model.RunFailed); !strings.Contains(got.Error, "lay in memory: an apply makes it anew") {
		t.Errorf("error %q", got.Error)
	}
	s.send(run(3, l.order(s, 3).Run.Digest)) // nobody agreed to anything
	s.state(3, model.RunSucceeded)
	l.guest(s, model.GuestRunning)
	if _, err := os.Stat(filepath.Join(l.ramdisk, l.extra())); err != nil {
		t.Error(err)
	}
}
