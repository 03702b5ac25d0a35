package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// balloonPeriod is how often a guest of ours is asked for its memory, in
// seconds: without, it says nothing after it has started.
const balloonPeriod = 10

// counted is what a guest's CPUs had done at some time.
type counted struct {
	run     int32 // libvirt's number of this start of the domain
	at      time.Time
	cpu     uint64 // ns
	percent int    // since the time before
}

// Load adds what guests and pools use.
func (v *virt) Load(ctx context.Context, m wire.Manifest, load *model.Load) error {
	const flags = uint32(libvirt.ConnectGetAllDomainsStatsActive) | uint32(libvirt.ConnectGetAllDomainsStatsNowait)
	const types = libvirt.DomainStatsState | libvirt.DomainStatsCPUTotal | libvirt.DomainStatsBalloon | libvirt.DomainStatsVCPU | libvirt.DomainStatsBlock
	for _, p := range m.Pools {
		// Libvirt's own figures are those of the last refresh.
		if s, err := space(p.Name, p.Path); err == nil {
			load.Pools = append(load.Pools, s)
		}
	}
	return v.do(ctx, func(l *libvirt.Libvirt) error {
		all, err := l.ConnectGetAllDomainStats(nil, uint32(types), flags)
		if err != nil {
			return err
		}
		counts := make(map[libvirt.UUID]counted, len(all))
		for _, d := range all {
			s, running := statsOf(d.Params), stateOf(d.Params) == model.GuestRunning
			old, known := v.counts[d.Dom.UUID]
			if known = known && old.run == d.Dom.ID; !known {
				old = counted{}
				if running && v.ids[d.Dom.UUID] != "" { // a guest that cannot be asked says nothing
					_ = l.DomainSetMemoryStatsPeriod(d.Dom, balloonPeriod, libvirt.DomainMemLive)
				}
			}
			c := s.count(d.Dom.ID, old, v.since[d.Dom.UUID].at)
			if running { // else it is asked for its memory when it is
				counts[d.Dom.UUID] = c
			}
			load.Guests[d.Dom.Name] = s.load(c.percent)
		}
		v.counts = counts
		return nil
	})
}

// stats are a domain's numbers by libvirt's names for them.
type stats map[string]uint64

func statsOf(params []libvirt.TypedParam) stats {
	s := make(stats, len(params))
	for _, p := range params {
		switch n := p.Value.I.(type) {
		case uint64:
			s[p.Field] = n
		case int64:
			s[p.Field] = uint64(max(n, 0))
		case uint32:
			s[p.Field] = uint64(n)
		case int32:
			s[p.Field] = uint64(max(n, 0))
		}
	}
	return s
}

// count is what the CPUs have done by now: since old, or, of a guest that was
// not seen before, since it was started.
func (s stats) count(run int32, old counted, started time.Time) counted {
	now := counted{run: run, at: time.Now(), cpu: s["cpu.time"], percent: old.percent}
	if old.at.IsZero() {
		old.at = started
	}
	if spent := now.at.Sub(old.at); !old.at.IsZero() && spent >= time.Second && now.cpu >= old.cpu {
		whole := uint64(spent) * max(s["vcpu.current"], 1)
		now.percent = int(min(100*(now.cpu-old.cpu)/whole, 100))
	} else if !old.at.IsZero() && spent < time.Second {
		now.at, now.cpu = old.at, old.cpu // so little time tells little
	}
	return now
}

func (s stats) load(percent int) model.GuestLoad {
	g := model.GuestLoad{CPUPercent: percent, MemoryMiB: int(s["balloon.current"] >> 10)}
	g.MemoryUsedMiB = min(int(s["balloon.rss"]>>10), g.MemoryMiB) // QEMU's own is in it
	if all, free := s["balloon.available"], s["balloon.usable"]; all > free && free > 0 {
		g.MemoryUsedMiB = int((all - free) >> 10)
	}
	for i := range s["block.count"] {
		block := func(name string) uint64 { return s[fmt.Sprintf("block.%d.%s", i, name)] }
		g.DiskUsedMiB += int(block("physical") >> 20)
		g.DiskMiB += int(block("capacity") >> 20)
	}
	return g
}

// started is since when a guest runs.
type started struct {
	run int32
	at  time.Time
}

// startOf finds out since when a guest runs: by QEMU's process, which libvirt
// tells of in no other way than by a file.
func (v *virt) startOf(d libvirt.Domain) time.Time {
	dir := strings.TrimSuffix(v.socket, "libvirt-sock")
	for _, path := range []string{dir + "qemu/" + d.Name + ".pid", dir + "qemu/run/" + d.Name + ".pid"} {
		if pid := numberIn(path); pid > 0 {
			return processSince(pid)
		}
	}
	return time.Time{}
}
