package agent

import (
	"context"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/model"
)

// foreignPause is how long what is known of a domain that is not ours counts.
const foreignPause = time.Minute

// described is what was found out about a domain that is not ours.
type described struct {
	at        time.Time
	memoryMiB int
	cpus      int
	disks     []model.GuestDisk
}

// describe adds to a guest that is not ours what it has, and returns that, to be
// kept; what libvirt does not tell is left out.
func (v *virt) describe(ctx context.Context, d domain, g *model.Guest) described {
	known := v.strangers[d.UUID]
	if time.Since(known.at) >= foreignPause {
		known = described{at: time.Now()}
		_ = v.do(ctx, func(l *libvirt.Libvirt) error {
			_, most, _, cpus, _, err := l.DomainGetInfo(d.Domain)
			if err != nil {
				return err
			}
			known.memoryMiB, known.cpus = int(most>>10), int(cpus)
			known.disks, err = sized(l, d.Domain)
			return err
		})
	}
	g.MemoryMiB, g.CPUs, g.Disks = known.memoryMiB, known.cpus, known.disks
	return known
}

// sized are the disks of a domain, without CDs and floppies, and their sizes.
func sized(l *libvirt.Libvirt, d libvirt.Domain) ([]model.GuestDisk, error) {
	all, err := disksOf(l, d)
	var disks []model.GuestDisk
	for _, disk := range all {
		if !disk.holds() {
			continue
		}
		g := model.GuestDisk{Path: disk.place()}
		// A volume that is gone, or on another machine, has no size.
		if _, capacity, _, err := l.DomainGetBlockInfo(d, disk.Target.Dev, 0); err == nil {
			g.SizeMiB = int(capacity >> 20)
		}
		disks = append(disks, g)
	}
	return disks, err
}
