package agent

import (
	"slices"
	"sync"

	"homelab/agent/wire"
)

// defaultPool is the pool of root volumes, seeds and images.
const defaultPool = "default"

// volume names a volume.
type volume struct {
	Pool string `json:"pool"`
	Name string `json:"name"`
}

func (v volume) String() string { return v.Pool + "/" + v.Name }

// volumesOf are the volumes that a VM may have.
func volumesOf(vm wire.VM) []volume {
	var all []volume
	if vm.RootVolume != "" {
		all = append(all, volume{defaultPool, vm.RootVolume})
	}
	if vm.ExtraVolume != "" {
		all = append(all, volume{vm.ExtraPool, vm.ExtraVolume})
	}
	if vm.SeedVolume != "" {
		all = append(all, volume{defaultPool, vm.SeedVolume})
	}
	return all
}

// volumes remembers which volumes are ours although terraform's state may not
// have them: those that an apply began to make, and those that were adopted.
// A volume carries no mark of its own.
type volumes struct {
	f    folder
	file string
	mu   sync.Mutex
	m    []volume
}

func openVolumes(f folder, file string) (*volumes, error) {
	v := &volumes{f: f, file: file}
	return v, f.load(file, &v.m)
}

func (v *volumes) Has(x volume) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Contains(v.m, x)
}

func (v *volumes) All() []volume {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.m)
}

func (v *volumes) Add(more ...volume) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.m)
	for _, x := range more {
		if !slices.Contains(v.m, x) {
			v.m = append(v.m, x)
		}
	}
	if len(v.m) == n {
		return nil
	}
	return v.f.save(v.file, v.m)
}

// Keep forgets all volumes but these.
func (v *volumes) Keep(these []volume) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(v.m)
	v.m = slices.DeleteFunc(v.m, func(x volume) bool { return !slices.Contains(these, x) })
	if len(v.m) == n {
		return nil
	}
	return v.f.save(v.file, v.m)
}

// Drop forgets these volumes.
func (v *volumes) Drop(these []volume) error {
	v.mu.Lock()
	keep := slices.DeleteFunc(slices.Clone(v.m), func(x volume) bool { return slices.Contains(these, x) })
	v.mu.Unlock()
	return v.Keep(keep)
}
