package agent

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"

	"homelab/agent/wire"
	"homelab/model"
)

// Oddities looks at files, which libvirt notices only when a pool is
// refreshed.
func (v *virt) Oddities(ctx context.Context, m wire.Manifest, st state) (gone []model.Disk, foreign []model.ForeignVolume) {
	for _, d := range st.lostDisks() {
		// One in a pool that is not there may be as well as ever; the run says so.
		if _, err := v.volumePath(ctx, d.at); err == nil {
			gone = append(gone, d.disk)
		}
	}
	slices.SortFunc(gone, func(a, b model.Disk) int { return cmp.Or(cmp.Compare(a.VM, b.VM), cmp.Compare(a.Disk, b.Disk)) })
	for _, vm := range m.VMs {
		if !v.mayBeForeign(m, vm, st) {
			continue
		}
		theirs, err := v.foreignVolumes(ctx, vm, st, vm.DomainName != "")
		if err != nil {
			continue // the next run says so
		}
		for _, x := range theirs {
			foreign = append(foreign, model.ForeignVolume{VM: vm.ID, Pool: x.Pool, Name: x.Name})
		}
	}
	return gone, foreign
}

// mayBeForeign tells whether there is a file of a VM's that we do not know:
// only then is libvirt asked.
func (v *virt) mayBeForeign(m wire.Manifest, vm wire.VM, st state) bool {
	known := st.volumes()
	return slices.ContainsFunc(volumesOf(vm), func(x volume) bool {
		if slices.Contains(known, x) || v.made.Has(x) {
			return false
		}
		for _, p := range m.Pools {
			if p.Name == x.Pool {
				_, err := os.Lstat(filepath.Join(p.Path, x.Name))
				return err == nil
			}
		}
		return false
	})
}

func diskOf(part string) string {
	if part == model.PartExtra {
		return model.DiskExtra
	}
	return model.DiskRoot
}

// Oddities: a sandbox has no files.
func (sandbox) Oddities(context.Context, wire.Manifest, state) ([]model.Disk, []model.ForeignVolume) {
	return nil, nil
}
