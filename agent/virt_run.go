package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/go-libvirt"
	tfjson "github.com/hashicorp/terraform-json"

	"homelab/agent/wire"
	"homelab/model"
)

// Prepare makes pools, images and seeds, finds out about KVM, and stops a run
// that would meet a domain or a volume that is not ours.
func (v *virt) Prepare(ctx context.Context, j *job, m wire.Manifest) (map[string]string, error) {
	if err := v.forgetIDs(ctx); err != nil {
		return nil, err
	}
	v.givenUp(j, m)
	missing, err := v.pools(ctx, j, m)
	if err != nil {
		return nil, err
	}
	j.leaveOut(m, missing)
	if err := v.network(ctx, j, m); err != nil {
		return nil, err
	}
	if j.Kind == model.RunApply {
		if err := v.images(ctx, j, m); err != nil {
			return nil, err
		}
	}
	if err := makeSeeds(j.a.f, m); err != nil {
		return nil, err
	}
	if err := v.foreign(ctx, m); err != nil {
		return nil, err
	}
	if err := v.withoutDisks(ctx, j, m); err != nil {
		return nil, err
	}
	accel := m.Accel
	if accel != accelKVM && accel != accelTCG {
		var err error
		if accel, err = v.a.probe(ctx, j.say); err != nil {
			return nil, err
		}
	}
	v.a.accel.Store(&accel)
	return v.a.tf.variables(accel), nil
}

// foreign finds domains and volumes that bear names of ours and are not ours.
func (v *virt) foreign(ctx context.Context, m wire.Manifest) error {
	st, err := v.a.tf.State()
	if err != nil {
		return err
	}
	all, err := v.domains(ctx)
	if err != nil {
		return err
	}
	names := map[string]domain{}
	for _, d := range all {
		names[d.Name] = d
	}
	var found []string
	for _, vm := range m.VMs {
		d, ok := names[vm.DomainName]
		if ok && vm.DomainName != "" && d.id != vm.ID {
			found = append(found, fmt.Sprintf("domain %q: `vm adopt %s` makes it ours", d.Name, vm.Name))
			continue
		}
		theirs, err := v.foreignVolumes(ctx, vm, st, ok)
		if err != nil {
			return err
		}
		for _, x := range theirs {
			found = append(found, fmt.Sprintf("volume %q: `vm adopt %s` makes it ours", x, vm.Name))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return fmt.Errorf("there are guests or disks on the hypervisor that bear names of ours but are not ours, and they are left alone: %s; or rename the VM, or remove them by hand", strings.Join(found, "; "))
}

// foreignVolumes finds volumes of a VM's names that neither terraform's state
// nor we know, and that no domain of the VM uses.
func (v *virt) foreignVolumes(ctx context.Context, vm wire.VM, st state, hasDomain bool) ([]volume, error) {
	known := st.volumes()
	var theirs []volume
	for _, x := range volumesOf(vm) {
		if slices.Contains(known, x) || v.made.Has(x) || v.arrived.Has(x) {
			continue
		}
		path, err := v.volumePath(ctx, x)
		if errors.Is(err, errNoPool) {
			continue // terraform says so better
		}
		if err != nil {
			return nil, err
		}
		if path == "" {
			continue
		}
		if hasDomain { // it is ours by now
			used, err := v.uses(ctx, vm.ID, x, path)
			if err != nil {
				return nil, err
			}
			if used {
				continue
			}
		}
		theirs = append(theirs, x)
	}
	return theirs, nil
}

// uses tells whether the domain of a VM has that volume as a disk.
func (v *virt) uses(ctx context.Context, id string, x volume, path string) (bool, error) {
	d, ok, err := v.find(ctx, id)
	if err != nil || !ok {
		return false, err
	}
	disks, err := call(ctx, v, func(l *libvirt.Libvirt) ([]domainDisk, error) { return disksOf(l, d.Domain) })
	return slices.ContainsFunc(disks, func(disk domainDisk) bool { return disk.in(x, path) }), err
}

// volumes are the volumes that the state has.
func (s state) volumes() []volume {
	var all []volume
	for _, r := range s.Resources {
		for _, i := range r.Instances {
			if r.Type == "libvirt_volume" {
				all = append(all, volume{i.Attributes.Pool, i.Attributes.Name})
			}
		}
	}
	return all
}

// BeforeApply shuts down the guests that the plan destroys or replaces, takes
// domains of ours away that terraform does not know, and notes the volumes
// that terraform is about to make.
func (v *virt) BeforeApply(ctx context.Context, j *job, m wire.Manifest, plan *tfjson.Plan) error {
	var ours []volume
	for _, vm := range m.VMs {
		ours = append(ours, volumesOf(vm)...)
	}
	if err := v.made.Keep(ours); err != nil {
		return err
	}
	if err := v.made.Add(ours...); err != nil {
		return err
	}
	if err := v.arrived.Drop(ours); err != nil {
		return err
	}
	all, err := v.domains(ctx)
	if err != nil {
		return err
	}
	hit := doomed(plan)
	all = slices.DeleteFunc(all, func(d domain) bool { // others' are left alone, another lab's too
		_, ok := vmIn(m, d.id)
		return !ok && !slices.Contains(hit, d.id)
	})
	if err := v.notStuck(ctx, all); err != nil {
		return err
	}
	var stop []domain
	for _, d := range all {
		if slices.Contains(hit, d.id) {
			if d.active() {
				stop = append(stop, d)
			}
			continue
		}
		if d.transient { // could not be set to start with the machine
			if err := v.defineAgain(ctx, d); err != nil {
				return err
			}
		}
		if d.state == model.GuestPaused { // would fail the apply
			if err := v.start(ctx, d); err != nil {
				j.warn("%s is paused: %v", d.Name, err)
			}
		}
	}
	if err := v.stopFor(ctx, j, "before its domain is replaced or removed", stop...); err != nil {
		return err
	}
	return v.orphans(ctx, j, m)
}

// stopFor stops guests, all at once, and says so in the run's log.
func (v *virt) stopFor(ctx context.Context, j *job, why string, guests ...domain) error {
	errs := make([]error, len(guests))
	var wg sync.WaitGroup
	for i, d := range guests {
		wg.Go(func() { errs[i] = v.stopOne(ctx, j, d, why) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (v *virt) stopOne(ctx context.Context, j *job, d domain, why string) error {
	grace := graceOr(time.Duration(j.GraceSeconds) * time.Second)
	j.say("shutting %s down %s; it is switched off in %s if it has not gone by then", d.Name, why, grace)
	clean, err := v.stop(ctx, d, grace)
	if err != nil {
		return err
	}
	if !clean {
		j.warn("%s did not shut down in %s and was switched off", d.Name, grace)
	}
	return nil
}

// Settle brings guests to running or stopped, and disks to the size, that the
// config wants.
func (v *virt) Settle(ctx context.Context, j *job, m wire.Manifest) (acted bool, err error) {
	all, err := v.domains(ctx)
	if err != nil {
		return false, err
	}
	byID := map[string]domain{}
	for _, d := range all {
		if d.id != "" {
			byID[d.id] = d
		}
	}
	var errs []error
	var stop []domain
	for _, vm := range m.VMs {
		d, ok := byID[vm.ID]
		if !ok || vm.DomainName == "" {
			continue
		}
		if d.transient {
			j.say("defining %s again", d.Name)
			errs, acted = append(errs, v.defineAgain(ctx, d)), true
		}
		switch {
		case vm.Running && d.state != model.GuestRunning && d.state != model.GuestStopping:
			j.say("starting %s", d.Name)
			errs, acted = append(errs, v.start(ctx, d)), true
		case !vm.Running && d.active():
			stop, acted = append(stop, d), true
		}
	}
	errs = append(errs, v.stopFor(ctx, j, "because it is not wanted on", stop...))
	grew, err := v.grow(ctx, j, m)
	errs, acted = append(errs, err), acted || grew
	return acted, errors.Join(append(errs, makeSeedsOnly(j.a.f, m))...)
}
