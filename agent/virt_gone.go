package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"homelab/model"
)

// withoutDisks stops a run that terraform would fail at: it cannot plan while a
// domain lacks a disk that it had. Where people agreed to lose domain and disk,
// as by a rebuild, the domain is undefined first; both are made anew.
func (v *virt) withoutDisks(ctx context.Context, j *job) error {
	st, err := v.a.tf.State()
	if err != nil {
		return err
	}
	gone, err := v.goneDisks(ctx, st)
	if err != nil {
		return err
	}
	var left []string
	for _, d := range gone {
		agreed := slices.Contains(j.Announced.Domains, d.VM) && slices.Contains(j.Announced.Disks, d)
		if !agreed || j.Kind != model.RunApply {
			left = append(left, model.Drift{VM: v.a.names.Of(d.VM), What: model.DriftDiskGone, Disk: d.Disk}.Advice())
			continue
		}
		dom, ok, err := v.find(ctx, d.VM)
		if err != nil {
			return err
		}
		if !ok || st.domains()[d.VM] != uuidString(dom.UUID) {
			continue // an orphan, or undefined for its other disk
		}
		j.say("the %s disk of %s is gone: its domain is made anew", d.Disk, dom.Name)
		if err := v.undefine(ctx, j, dom); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("nothing can be planned while a disk is missing: %s", strings.Join(left, "; "))
	}
	return nil
}

// goneDisks are the disks that the state has and libvirt has not, of VMs whose
// domain is in the state. A pool that is not there tells nothing of its disks.
func (v *virt) goneDisks(ctx context.Context, st state) ([]model.Disk, error) {
	domains := st.domains()
	var gone []model.Disk
	for _, r := range st.Resources {
		id, part, ok := model.ParseResource(r.Type + "." + r.Name)
		if !ok || domains[id] == "" || part != model.PartRoot && part != model.PartExtra {
			continue
		}
		for _, i := range r.Instances {
			if exists(i.Attributes.ID) {
				continue
			}
			path, err := v.volumePath(ctx, volume{i.Attributes.Pool, i.Attributes.Name})
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err == nil && path == "" {
				gone = append(gone, model.Disk{VM: id, Disk: diskOf(part)})
			}
		}
	}
	return gone, nil
}
