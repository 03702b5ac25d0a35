package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/model"
)

func TestWhatLoadIsNews(t *testing.T) {
	old := model.Load{
		CPUPercent: 10, Load1: 0.5, MemoryUsedMiB: 4000, MemoryMiB: 16000,
		Pools:  []model.PoolLoad{{Name: "default", CapacityMiB: 100_000, AvailableMiB: 50_000}},
		Guests: map[string]model.GuestLoad{"web": {CPUPercent: 5, MemoryUsedMiB: 500, MemoryMiB: 1024, DiskMiB: 20480, DiskUsedMiB: 3000}},
	}
	for _, c := range []struct {
		what   string
		change func(l *model.Load, g *model.GuestLoad)
		news   bool
	}{
		{"nothing", func(*model.Load, *model.GuestLoad) {}, false},
		{"what always wavers", func(l *model.Load, g *model.GuestLoad) {
			l.CPUPercent, l.Load1, l.MemoryUsedMiB, g.CPUPercent, g.MemoryUsedMiB, l.Pools[0].AvailableMiB = 12, 0.6, 4100, 7, 510, 49_900
		}, false},
		{"CPUs at work", func(l *model.Load, _ *model.GuestLoad) { l.CPUPercent = 20 }, true},
		{"a guest's at work", func(_ *model.Load, g *model.GuestLoad) { g.CPUPercent = 40 }, true},
		{"memory", func(l *model.Load, _ *model.GuestLoad) { l.MemoryUsedMiB = 5000 }, true},
		{"a guest's memory", func(_ *model.Load, g *model.GuestLoad) { g.MemoryUsedMiB = 600 }, true},
		{"a guest's disk", func(_ *model.Load, g *model.GuestLoad) { g.DiskUsedMiB = 4000 }, true},
		{"a queue", func(l *model.Load, _ *model.GuestLoad) { l.Load1 = 1 }, true},
		{"a pool that fills", func(l *model.Load, _ *model.GuestLoad) { l.Pools[0].AvailableMiB = 40_000 }, true},
		{"a pool more", func(l *model.Load, _ *model.GuestLoad) { l.Pools = append(l.Pools, model.PoolLoad{Name: "x"}) }, true},
		{"a guest more", func(l *model.Load, _ *model.GuestLoad) { l.Guests["db"] = model.GuestLoad{} }, true},
		{"a reboot", func(l *model.Load, _ *model.GuestLoad) { l.Booted = time.Unix(1, 0) }, true},
	} {
		now, g := old, old.Guests["web"]
		now.Pools, now.Guests = slices.Clone(old.Pools), map[string]model.GuestLoad{}
		c.change(&now, &g)
		now.Guests["web"] = g
		if got := differs(old, now); got != c.news {
			t.Errorf("%s: news %v", c.what, got)
		}
	}
}

func TestGuestsCPUs(t *testing.T) {
	second := func(cpu uint64) stats { return stats{"cpu.time": cpu, "vcpu.current": 2} }
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, c := range []struct {
		what    string
		stats   stats
		old     counted
		started time.Time
		least   int
		most    int
	}{
		{"half of two CPUs", second(11e9), counted{at: ago(10 * time.Second), cpu: 1e9}, time.Time{}, 49, 50},
		{"all and a little more", second(22e9), counted{at: ago(10 * time.Second), cpu: 1e9}, time.Time{}, 100, 100},
		{"since its start", second(5e9), counted{}, ago(10 * time.Second), 24, 25},
		{"never seen before", second(5e9), counted{}, time.Time{}, 0, 0},
		{"a moment later", second(2e9), counted{at: ago(time.Millisecond), cpu: 1e9, percent: 7}, time.Time{}, 7, 7},
		{"a counter that went back", second(1e9), counted{at: ago(10 * time.Second), cpu: 2e9, percent: 7}, time.Time{}, 7, 7},
	} {
		if got := c.stats.count(1, c.old, c.started).percent; got < c.least || got > c.most {
			t.Errorf("%s: %d %%", c.what, got)
		}
	}
}

func TestGuestsMemoryAndDisks(t *testing.T) {
	g := stats{
		"balloon.current": 1 << 20, "balloon.rss": 900 << 10, "balloon.available": 1000 << 10, "balloon.usable": 600 << 10, "block.count": 2,
		"block.0.physical": 3 << 30, "block.0.capacity": 20 << 30, "block.1.physical": 1 << 20, "block.1.capacity": 1 << 20,
	}.load(3)
	if want := (model.GuestLoad{CPUPercent: 3, MemoryUsedMiB: 400, MemoryMiB: 1024, DiskUsedMiB: 3<<10 + 1, DiskMiB: 20<<10 + 1}); g != want {
		t.Errorf("%+v", g)
	}
	if g := (stats{"balloon.current": 128 << 10, "balloon.rss": 200 << 10}).load(0); g.MemoryUsedMiB != 128 {
		t.Errorf("a guest that says nothing, whose QEMU holds more than it has: %+v", g)
	}
}

func TestGuestsAddresses(t *testing.T) {
	nic := func(ips ...string) libvirt.DomainInterface {
		n := libvirt.DomainInterface{}
		for _, ip := range ips {
			n.Addrs = append(n.Addrs, libvirt.DomainIPAddr{Addr: ip})
		}
		return n
	}
	got := sortIPs(usable([]libvirt.DomainInterface{nic("127.0.0.1", "::1"), nic("fe80::1", "2001:db8::2", "192.0.2.10", "rubbish"), nic("192.0.2.9", "192.0.2.10")}))
	if want := []string{"192.0.2.9", "192.0.2.10", "2001:db8::2"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// What is made up of a sandbox's guest is the same each time it is asked for,
// and within what the guest has.
func TestMadeUpLoad(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	seen := map[int]bool{}
	for i := range 500 {
		at := now.Add(time.Duration(i) * time.Minute)
		g := simulate("0123456789ab", 1024, at)
		if g != simulate("0123456789ab", 1024, at.Add(simulatedStep/2)) || g.CPUPercent < 0 || g.CPUPercent > 100 ||
			g.MemoryUsedMiB <= 0 || g.MemoryUsedMiB > g.MemoryMiB || g.DiskUsedMiB > g.DiskMiB {
			t.Fatalf("%+v at %s", g, at)
		}
		seen[g.CPUPercent] = true
	}
	if len(seen) < 4 {
		t.Errorf("it does not look alive: %v", seen)
	}
}
