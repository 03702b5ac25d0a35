package agent

import (
	"testing"
	"time"

	"homelab/model"
)

// What libvirt knows of a guest reaches the server: since when it runs, what it
// uses; and at once, by libvirt's events, that it was stopped or removed by
// hand.
func TestLibvirtObserved(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})
	before := time.Now().Add(-2 * time.Second) // the kernel's clock of processes is coarse
	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	var g model.Guest
	s.until("the guest to run since it was started", func() bool {
		for _, g = range s.inv.Guests {
			if g.ID == l.id && g.State == model.GuestRunning {
				return g.Since.After(before) && g.Since.Before(time.Now().Add(2*time.Second))
			}
		}
		return false
	})
	l.booted(1)
	var used model.GuestLoad
	s.until("the guest's load", func() bool {
		if s.load != nil {
			used = s.load.Guests[l.domainName()]
		}
		return used.CPUPercent > 0 && used.DiskMiB > 0 && used.MemoryUsedMiB > 0
	})
	t.Logf("%+v uses %+v of %+v", g, used, s.load)
	if used.MemoryMiB != l.memory || used.DiskUsedMiB > used.DiskMiB || used.CPUPercent > 100 {
		t.Errorf("the guest's load: %+v", used)
	}
	s.until("the machine's load", func() bool {
		m := s.load
		return m.MemoryMiB > m.MemoryUsedMiB && m.MemoryUsedMiB > 0 && !m.Booted.IsZero() && len(m.Pools) == 1 &&
			m.Pools[0].Name == defaultPool && m.Pools[0].AvailableMiB > 0 && m.Pools[0].AvailableMiB <= m.Pools[0].CapacityMiB
	})

	seen := func(what string, f func(model.Guest) bool) {
		t.Helper()
		at := time.Now()
		s.until(what, func() bool {
			for _, g := range s.inv.Guests {
				if g.ID == l.id {
					return f(g)
				}
			}
			return f(model.Guest{})
		})
		t.Logf("%s: after %s", what, time.Since(at).Round(time.Millisecond))
		if took := time.Since(at); took > 4*time.Second { // what is looked for without events takes five
			t.Errorf("%s: it took %s", what, took)
		}
	}
	virsh(t, "destroy", l.domainName())
	seen("the guest to be stopped", func(g model.Guest) bool { return g.State == model.GuestStopped && g.Since.IsZero() })
	virsh(t, "undefine", l.domainName())
	seen("the domain to be gone", func(g model.Guest) bool { return g.ID == "" })
}
