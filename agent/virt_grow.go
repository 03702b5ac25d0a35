package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
)

// small is a disk that is smaller than the config wants it.
type small struct {
	volume
	vm   wire.VM
	vol  libvirt.StorageVol
	want uint64 // bytes
}

// grow makes disks as large as the config wants them, in place; it never
// shrinks one. Terraform would make a volume of another size anew.
func (v *virt) grow(ctx context.Context, j *job, m wire.Manifest) (grew bool, err error) {
	disks, err := v.smallDisks(ctx, m)
	if err != nil {
		return false, fmt.Errorf("the sizes of the disks cannot be found out: %w", err)
	}
	var errs []error
	for _, d := range disks {
		if err := v.growOne(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("cannot grow disk %s of %s to %d GiB: %w", d.volume, d.vm.Name, d.want>>30, err))
			continue
		}
		grew = true
		j.say("disk %s of %s was grown to %d GiB", d.volume, d.vm.Name, d.want>>30)
	}
	return grew, errors.Join(errs...)
}

// smallDisks finds what is to be grown.
func (v *virt) smallDisks(ctx context.Context, m wire.Manifest) ([]small, error) {
	return call(ctx, v, func(l *libvirt.Libvirt) ([]small, error) {
		var disks []small
		for _, vm := range m.VMs {
			for x, gib := range map[volume]int{{defaultPool, vm.RootVolume}: vm.RootGiB, {vm.ExtraPool, vm.ExtraVolume}: vm.ExtraGiB} {
				if x.Name == "" || gib == 0 {
					continue
				}
				d, ok, err := smaller(l, x, uint64(gib)<<30)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", x, err)
				}
				if ok {
					d.vm = vm
					disks = append(disks, d)
				}
			}
		}
		return disks, nil
	})
}

// smaller tells whether a volume is there and smaller than wanted.
func smaller(l *libvirt.Libvirt, x volume, want uint64) (small, bool, error) {
	vol, ok, err := lookUp(l, x)
	if !ok || errors.Is(err, errNoPool) {
		return small{}, false, nil
	}
	if err != nil {
		return small{}, false, err
	}
	_, capacity, _, err := l.StorageVolGetInfo(vol)
	return small{volume: x, vol: vol, want: want}, capacity < want, err
}

// growOne grows a disk: that of a guest that is on by its QEMU.
func (v *virt) growOne(ctx context.Context, d small) error {
	dom, ok, err := v.find(ctx, d.vm.ID)
	if err != nil {
		return err
	}
	return v.do(ctx, func(l *libvirt.Libvirt) error {
		if !ok || !dom.active() {
			return l.StorageVolResize(d.vol, d.want, 0)
		}
		disks, err := disksOf(l, dom.Domain)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(disks, func(disk domainDisk) bool { return disk.in(d.volume, d.vol.Key) })
		if at < 0 {
			return l.StorageVolResize(d.vol, d.want, 0) // not this guest's
		}
		if err := l.DomainBlockResize(dom.Domain, disks[at].Target.Dev, d.want, libvirt.DomainBlockResizeBytes); err != nil {
			return err
		}
		pool, err := l.StoragePoolLookupByName(d.Pool)
		if err != nil {
			return err
		}
		return l.StoragePoolRefresh(pool, 0) // which does not know of it
	})
}
