package agent

import (
	"cmp"
	"context"
	"slices"
	"syscall"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// loadPause is how often the load is measured while there is a connection.
const loadPause = 10 * time.Second

// meter measures what the machine uses, from one time to the next.
type meter struct {
	at   time.Time
	cpu  cpuTimes
	used int         // percent of the CPUs between the last two times
	sent *model.Load // last on this connection; nil: nothing yet
}

// watchLoad measures until ctx ends, and sends what differs enough from what
// was sent last.
func (a *agent) watchLoad(ctx context.Context) {
	m := &meter{at: time.Now(), cpu: readCPUTimes()}
	t := time.NewTicker(loadPause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-a.measure: // there is a connection again
			m.sent = nil
		}
		if a.link.Up() {
			a.sendLoad(ctx, m)
		}
	}
}

// sendLoad measures and sends.
func (a *agent) sendLoad(ctx context.Context, m *meter) {
	load, err := a.load(ctx, m)
	if err != nil {
		a.log.Debug("no load", "error", err)
		return
	}
	if m.sent != nil && !differs(*m.sent, load) {
		return
	}
	if a.link.Send(wire.Frame{Kind: wire.KindLoad, Load: &load}) == nil {
		m.sent = &load
	}
}

// load is what machine and guests use now.
func (a *agent) load(ctx context.Context, m *meter) (model.Load, error) {
	if now := time.Now(); now.Sub(m.at) >= time.Second { // less tells little
		cpu := readCPUTimes()
		m.used, m.cpu, m.at = cpu.percent(m.cpu), cpu, now
	}
	averages := loadAverages()
	load := model.Load{
		CPUPercent: m.used, Load1: averages[0], Load5: averages[1], Load15: averages[2],
		MemoryUsedMiB: memoryUsedMiB(), MemoryMiB: memoryMiB(), Booted: bootTime(), Logins: logins(),
		Pools: []model.PoolLoad{}, Guests: map[string]model.GuestLoad{},
	}
	p, manifest, err := a.place()
	if err != nil {
		return load, nil // there are no guests yet
	}
	if err := p.Load(ctx, manifest, &load); err != nil {
		return load, err
	}
	slices.SortFunc(load.Pools, func(x, y model.PoolLoad) int { return cmp.Compare(x.Name, y.Name) })
	return load, nil
}

// differs tells whether a load is news: an idle machine's figures waver all
// the time, and each message is drawn on many screens.
func differs(old, now model.Load) bool {
	if beyond(old.CPUPercent, now.CPUPercent, 3) || beyond(old.MemoryUsedMiB, now.MemoryUsedMiB, max(now.MemoryMiB/50, 16)) ||
		old.MemoryMiB != now.MemoryMiB || !old.Booted.Equal(now.Booted) || old.Logins != now.Logins || len(old.Pools) != len(now.Pools) || len(old.Guests) != len(now.Guests) {
		return true
	}
	for _, pair := range [][2]float64{{old.Load1, now.Load1}, {old.Load5, now.Load5}, {old.Load15, now.Load15}} {
		if d := pair[1] - pair[0]; max(d, -d) > max(0.2, pair[0]/5) {
			return true
		}
	}
	for i, p := range now.Pools {
		o := old.Pools[i]
		if o.Name != p.Name || o.CapacityMiB != p.CapacityMiB || beyond(o.AvailableMiB, p.AvailableMiB, max(p.CapacityMiB/200, 64)) {
			return true
		}
	}
	for name, g := range now.Guests {
		o, ok := old.Guests[name]
		if !ok || beyond(o.CPUPercent, g.CPUPercent, 3) || beyond(o.MemoryUsedMiB, g.MemoryUsedMiB, max(g.MemoryMiB/50, 8)) ||
			o.MemoryMiB != g.MemoryMiB || o.DiskMiB != g.DiskMiB || beyond(o.DiskUsedMiB, g.DiskUsedMiB, max(g.DiskMiB/100, 64)) {
			return true
		}
	}
	return false
}

func beyond(a, b, most int) bool { return max(a-b, b-a) > most }

// space is that of the file system that a folder is on.
func space(name, path string) (model.PoolLoad, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return model.PoolLoad{}, err
	}
	size := uint64(st.Bsize)
	return model.PoolLoad{Name: name, CapacityMiB: int(st.Blocks * size >> 20), AvailableMiB: int(st.Bavail * size >> 20)}, nil
}
