package agent

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// simulatedStep is how long a made-up figure stays as it is.
const simulatedStep = 30 * time.Second

// Load makes up what guests use that are there only in name, and what the
// machine would use that carried them. It says that it did.
func (s sandbox) Load(ctx context.Context, m wire.Manifest, load *model.Load) error {
	guests, err := s.Guests(ctx, m)
	if err != nil {
		return err
	}
	st, err := s.a.tf.State()
	if err != nil {
		return err
	}
	memory := st.memory()
	load.Simulated, load.CPUPercent = true, 1 // the machine is another one than this
	sum, disks := 0, 0
	for _, g := range guests {
		vm, ok := vmIn(m, g.ID)
		if !ok || g.State != model.GuestRunning {
			continue
		}
		made := simulate(vm.ID, memory[vm.ID], time.Now())
		load.Guests[g.Name] = made
		sum, disks = sum+made.MemoryUsedMiB, disks+made.DiskUsedMiB
		load.CPUPercent += made.CPUPercent / 2
	}
	load.MemoryMiB = max(load.MemoryMiB, sum*5/4)
	load.CPUPercent, load.MemoryUsedMiB = min(load.CPUPercent, 97), min(600+sum, load.MemoryMiB*95/100)
	load.Load1 = math.Round(float64(load.CPUPercent)/2.5) / 10
	load.Load5, load.Load15 = load.Load1, load.Load1
	for _, p := range m.Pools {
		load.Pools = append(load.Pools, model.PoolLoad{Name: p.Name, CapacityMiB: 476 << 10, AvailableMiB: 476<<10 - 9<<10 - disks})
	}
	return nil
}

// memory is what a sandbox's guests have, in MiB, by VM.
func (s state) memory() map[string]int {
	all := map[string]int{}
	for _, r := range s.Resources {
		id, part, ok := model.ParseResource(r.Type + "." + r.Name)
		if !ok || part != model.PartDomain {
			continue
		}
		for _, i := range r.Instances {
			var in struct {
				Value struct {
					MemoryMiB int `json:"memory_mib"`
				} `json:"value"`
			}
			if json.Unmarshal(i.Attributes.Triggers, &in) == nil {
				all[id] = in.Value.MemoryMiB
			}
		}
	}
	return all
}

// simulate makes up what a guest uses at a time: always the same for the same
// guest and time, in slow waves.
func simulate(id string, memory int, now time.Time) model.GuestLoad {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	seed := float64(h.Sum32()%1000) / 1000
	t := float64(now.Truncate(simulatedStep).Unix())
	wave := math.Sin(t/(300+600*seed)+seed*20)/2 + math.Sin(t/97+seed*50)/4 // -0.75 to 0.75
	cpu := 3 + 22*seed + 18*max(wave, -0.2)
	return model.GuestLoad{
		CPUPercent: int(cpu), MemoryMiB: memory, MemoryUsedMiB: int(float64(memory) * (0.35 + 0.3*seed + 0.08*wave)),
		DiskMiB: 20 << 10, DiskUsedMiB: 1200 + int(6000*seed),
	}
}
