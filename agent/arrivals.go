package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// arrivalKept is how long a disk that a move brought here is kept although no
// config has it: the server places the VM here soon, or the move was given up.
const arrivalKept = 24 * time.Hour

// forgetArrivals removes the disks that moves brought here which were given up.
// Their originals are where they were. It returns those that it removed.
func (v *virt) forgetArrivals(m wire.Manifest, st state, now time.Time) (removed []volume, err error) {
	known := st.volumes()
	for _, vm := range m.VMs {
		known = append(known, volumesOf(vm)...)
	}
	for _, x := range v.arrived.All() {
		at := slices.IndexFunc(m.Pools, func(p wire.Pool) bool { return p.Name == x.Pool })
		if at < 0 || slices.Contains(known, x) {
			continue
		}
		path := filepath.Join(m.Pools[at].Path, x.Name)
		info, err := os.Lstat(path)
		if err == nil && now.Sub(info.ModTime()) < arrivalKept {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = append(removed, x)
	}
	return removed, v.arrived.Drop(removed)
}

// givenUp makes room of what moves brought here that were given up.
func (v *virt) givenUp(j *job, m wire.Manifest) {
	if j.Kind != model.RunApply {
		return
	}
	st, err := v.a.tf.State()
	if err != nil {
		return // the run says so later
	}
	removed, err := v.forgetArrivals(m, st, time.Now())
	for _, x := range removed {
		j.say("removed %s, which a move brought that was given up", x)
	}
	if err != nil {
		j.warn("what a move brought that was given up cannot be removed: %v", err)
	}
}
