package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// goneDisk is a disk that was there and is not any more.
type goneDisk struct {
	disk    model.Disk
	at      volume
	brought bool // by a move; nothing has used it here yet
}

// withoutDisks stops a run that would make an empty disk in place of one that is
// gone, or that terraform would fail at: it cannot plan while a domain lacks a
// disk that it had. A disk that people agreed to lose, as by a rebuild, or that
// lay in memory is made anew, and its domain with it.
func (v *virt) withoutDisks(ctx context.Context, j *job, m wire.Manifest) error {
	st, err := v.a.tf.State()
	if err != nil {
		return err
	}
	gone, err := v.goneDisks(ctx, st, m)
	if err != nil {
		return err
	}
	var left []string
	for _, d := range gone {
		dom, there, err := v.find(ctx, d.disk.VM)
		if err != nil {
			return err
		}
		name := v.a.names.Of(d.disk.VM)
		on := there && dom.active()
		there = there && st.domains()[d.disk.VM] == uuidString(dom.UUID) // else it is an orphan
		memory := d.inMemory(m)
		switch {
		case j.Kind == model.RunApply && d.agreed(j.Announced, there):
			j.say("the %s disk of %s is gone, as people agreed", d.disk.Disk, name)
		case j.Kind == model.RunApply && memory && !on:
			j.warn("the %s disk of %s lay in memory and is gone: it is made anew, and is empty", d.disk.Disk, name)
		default:
			left = append(left, d.advice(name, memory && !on))
			continue
		}
		if there {
			if err := v.undefine(ctx, j, dom, "because a disk of it is gone"); err != nil {
				return err
			}
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("nothing can be planned while a disk is missing: %s", strings.Join(left, "; "))
	}
	return nil
}

// agreed tells whether people agreed to lose the disk, and the VM's domain if it
// has one.
func (d goneDisk) agreed(a model.Announced, domain bool) bool {
	return slices.Contains(a.Disks, d.disk) && (!domain || slices.Contains(a.Domains, d.disk.VM))
}

// inMemory tells whether the disk lay in a memory file system, which is empty
// after each start of the machine.
func (d goneDisk) inMemory(m wire.Manifest) bool {
	return slices.ContainsFunc(m.Pools, func(p wire.Pool) bool { return p.Name == d.at.Pool && p.TmpfsMiB > 0 })
}

// advice says what is gone and what can be done about it.
func (d goneDisk) advice(vm string, cleared bool) string {
	drift := model.Drift{VM: vm, What: model.DriftDiskGone, Disk: d.disk.Disk}
	switch {
	case d.brought:
		return fmt.Sprintf("%s, which its move brought: put it back, or take the move back with `vm move %s --back`", drift, vm)
	case cleared:
		return fmt.Sprintf("%s, which lay in memory: an apply makes it anew", drift)
	}
	return drift.Advice()
}

// goneDisks are the disks that were there and that libvirt has not any more.
func (v *virt) goneDisks(ctx context.Context, st state, m wire.Manifest) ([]goneDisk, error) {
	orphaned, err := v.orphanedDisks(ctx, st, m)
	if err != nil {
		return nil, err
	}
	var gone []goneDisk
	seen := map[volume]bool{}
	for _, d := range slices.Concat(st.lostDisks(), v.broughtDisks(st, m), orphaned) {
		path, err := v.volumePath(ctx, d.at)
		switch {
		case seen[d.at], errors.Is(err, errNoPool):
		case err != nil:
			return nil, fmt.Errorf("%s: %w", d.at, err)
		case path == "":
			gone = append(gone, d)
		}
		seen[d.at] = true
	}
	return gone, nil
}

// lostDisks are the disks of the state whose files are not there, but for those
// that were not made in full, which nothing has ever used.
func (s state) lostDisks() []goneDisk {
	var all []goneDisk
	domains := s.domains()
	for _, r := range s.Resources {
		id, part, ok := model.ParseResource(r.Type + "." + r.Name)
		if !ok || part != model.PartRoot && part != model.PartExtra {
			continue
		}
		for _, i := range r.Instances {
			halfMade := i.Status == "tainted" && domains[id] == ""
			_, err := os.Lstat(i.Attributes.ID) // a volume's path
			if !halfMade && errors.Is(err, fs.ErrNotExist) {
				all = append(all, goneDisk{disk: model.Disk{VM: id, Disk: diskOf(part)}, at: volume{i.Attributes.Pool, i.Attributes.Name}})
			}
		}
	}
	return all
}

// broughtDisks are the disks of the config that moves brought here and that the
// state has not got yet.
func (v *virt) broughtDisks(st state, m wire.Manifest) []goneDisk {
	var all []goneDisk
	known := st.volumes()
	for _, vm := range m.VMs {
		for _, d := range disksIn(vm) {
			if v.arrived.Has(d.at) && !slices.Contains(known, d.at) {
				d.brought = true
				all = append(all, d)
			}
		}
	}
	return all
}

// orphanedDisks are the disks of the config that a domain of ours has which is
// not in the state: one that was adopted, or whose state was lost.
func (v *virt) orphanedDisks(ctx context.Context, st state, m wire.Manifest) ([]goneDisk, error) {
	all, err := v.domains(ctx)
	if err != nil {
		return nil, err
	}
	var orphaned []goneDisk
	known := st.domains()
	for _, dom := range all {
		vm, ours := vmIn(m, dom.id)
		if !ours || known[dom.id] == uuidString(dom.UUID) {
			continue
		}
		has, err := call(ctx, v, func(l *libvirt.Libvirt) ([]domainDisk, error) { return disksOf(l, dom.Domain) })
		if err != nil {
			return nil, err
		}
		for _, d := range disksIn(vm) {
			if slices.ContainsFunc(has, func(disk domainDisk) bool { return disk.in(d.at, pathIn(m, d.at)) }) {
				orphaned = append(orphaned, d)
			}
		}
	}
	return orphaned, nil
}

// disksIn are the disks that a VM of the config has.
func disksIn(vm wire.VM) []goneDisk {
	var all []goneDisk
	if vm.RootVolume != "" {
		all = append(all, goneDisk{disk: model.Disk{VM: vm.ID, Disk: model.DiskRoot}, at: volume{defaultPool, vm.RootVolume}})
	}
	if vm.ExtraVolume != "" {
		all = append(all, goneDisk{disk: model.Disk{VM: vm.ID, Disk: model.DiskExtra}, at: volume{vm.ExtraPool, vm.ExtraVolume}})
	}
	return all
}

// pathIn is where a volume lies, or would lie, by the pools of the config.
func pathIn(m wire.Manifest, x volume) string {
	for _, p := range m.Pools {
		if p.Name == x.Pool {
			return filepath.Join(p.Path, x.Name)
		}
	}
	return ""
}
