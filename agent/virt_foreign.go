package agent

import (
	"context"
	"encoding/xml"
	"fmt"
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
			known.disks, err = disksOf(l, d.Domain)
			return err
		})
	}
	g.MemoryMiB, g.CPUs, g.Disks = known.memoryMiB, known.cpus, known.disks
	return known
}

// disksOf are the disks of a domain, without CDs and floppies.
func disksOf(l *libvirt.Libvirt, d libvirt.Domain) ([]model.GuestDisk, error) {
	text, err := l.DomainGetXMLDesc(d, 0)
	if err != nil {
		return nil, err
	}
	disks, targets, err := readDisks(text)
	for i := range disks {
		// A volume that is gone, or on another machine, has no size.
		if _, capacity, _, err := l.DomainGetBlockInfo(d, targets[i], 0); err == nil {
			disks[i].SizeMiB = int(capacity >> 20)
		}
	}
	return disks, err
}

// readDisks finds the disks in a domain's XML, and what it calls them.
func readDisks(text string) (disks []model.GuestDisk, targets []string, err error) {
	var d struct {
		Disks []struct {
			Device string `xml:"device,attr"`
			Source struct {
				File   string `xml:"file,attr"`
				Dev    string `xml:"dev,attr"`
				Pool   string `xml:"pool,attr"`
				Volume string `xml:"volume,attr"`
			} `xml:"source"`
			Target struct {
				Dev string `xml:"dev,attr"`
			} `xml:"target"`
		} `xml:"devices>disk"`
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return nil, nil, fmt.Errorf("its XML: %w", err)
	}
	for _, disk := range d.Disks {
		if disk.Device != "" && disk.Device != "disk" {
			continue
		}
		s := disk.Source
		path := s.File
		switch {
		case s.Dev != "":
			path = s.Dev
		case s.Volume != "":
			path = s.Pool + "/" + s.Volume
		case path == "":
			path = "a disk over the network"
		}
		disks, targets = append(disks, model.GuestDisk{Path: path}), append(targets, disk.Target.Dev)
	}
	return disks, targets, nil
}
