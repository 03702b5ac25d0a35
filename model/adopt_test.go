package model_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

func TestAdoption(t *testing.T) {
	s := with(t, lab(), changeVM("web", func(v *model.VM) { v.ExtraPool = "storage" }))
	web := s.VMs["web"]
	guest := func(disks ...model.GuestDisk) model.HypervisorStatus {
		return model.HypervisorStatus{Guests: []model.Guest{{Name: "other"}, {Name: "web_on_thinkpad", Conflict: web.ID, State: model.GuestRunning, MemoryMiB: 2048, CPUs: 2, Disks: disks}}}
	}
	anew := "its domain is made anew as the VM is defined: 1024 MiB, 1 CPU, and NICs with other MAC addresses"
	seed := "it gets a seed of ours: cloud-init, where it has that, runs as on a new machine"
	off := "its guest is shut down, and started again if the VM is wanted running"
	for _, c := range []struct {
		name string
		st   model.HypervisorStatus
		want []string
	}{
		{"nothing in the way", model.HypervisorStatus{}, nil},
		{"its disks", guest(model.GuestDisk{Path: "/var/lib/libvirt/images/web_on_thinkpad", SizeMiB: 20480}, model.GuestDisk{Path: "storage/web_on_thinkpad_extra"}), []string{
			"domain web_on_thinkpad: running, 2048 MiB, 2 CPUs, disk /var/lib/libvirt/images/web_on_thinkpad (20.0 GiB), disk storage/web_on_thinkpad_extra",
			off, anew,
			"disk /var/lib/libvirt/images/web_on_thinkpad (20.0 GiB) is kept as its root disk, with all that is on it",
			"disk storage/web_on_thinkpad_extra is kept as its extra disk, with all that is on it", seed,
		}},
		{"a disk elsewhere", guest(model.GuestDisk{Path: "/srv/web.qcow2"}), []string{
			"domain web_on_thinkpad: running, 2048 MiB, 2 CPUs, disk /srv/web.qcow2", off, anew,
			"disk /srv/web.qcow2 stays where it is, and the new domain does not have it",
			"its root disk is a new one, made from image debian", seed,
		}},
		{"a volume alone", model.HypervisorStatus{ForeignVolumes: []model.ForeignVolume{{VM: web.ID, Pool: "default", Name: "web_on_thinkpad"}, {VM: "x", Pool: "default", Name: "y"}}}, []string{
			"volume web_on_thinkpad in pool default becomes its root disk, with all that is on it",
		}},
	} {
		if d := cmp.Diff(c.want, s.Adoption(web, c.st)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	if got := (model.Guest{State: model.GuestStopped, MadeFor: "x", CPUs: 1}).About(); !strings.Contains(got, "stopped, of another lab") || !strings.Contains(got, "1 CPU") {
		t.Error(got)
	}
}
