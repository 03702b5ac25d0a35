package model

import (
	"testing"
	"time"
)

func TestDrift(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	inMemory := func(vm *VM) { vm.ExtraDiskGiB, vm.ExtraPool = 1, "ramdisk" }
	for _, c := range []struct {
		what    string
		change  func(vm *VM)
		guest   *Guest
		gone    []Disk
		want    DriftKind
		mends   bool
		earlier bool // it was found before
	}{
		{what: "as it is wanted", guest: &Guest{State: GuestRunning}},
		{what: "off as it is wanted", change: func(vm *VM) { vm.Running = false }, guest: &Guest{State: GuestStopped}},
		{what: "on its way down", guest: &Guest{State: GuestStopping}},
		{what: "its agent is away", guest: &Guest{State: GuestUnknown}},
		{what: "disabled and gone", change: func(vm *VM) { vm.Enabled = false }},
		{what: "of another profile and gone", change: func(vm *VM) { vm.Profiles = []string{"weekend"} }},
		{what: "off while it is moved", change: func(vm *VM) { vm.MovingTo = "other" }, guest: &Guest{State: GuestStopped}},
		{what: "powered itself off", guest: &Guest{State: GuestStopped}, want: DriftStopped, mends: true},
		{what: "crashed", guest: &Guest{State: GuestCrashed}, want: DriftStopped, mends: true},
		{what: "found before", guest: &Guest{State: GuestStopped}, want: DriftStopped, mends: true, earlier: true},
		{what: "suspended", guest: &Guest{State: GuestPaused}, want: DriftPaused, mends: true},
		{what: "started by hand", change: func(vm *VM) { vm.Running = false }, guest: &Guest{State: GuestRunning}, want: DriftStarted, mends: true},
		{what: "undefined", want: DriftUndefined, mends: true},
		{what: "undefined while it runs", guest: &Guest{State: GuestRunning, Transient: true}, want: DriftUndefined, mends: true},
		{what: "its disk is gone", guest: &Guest{State: GuestRunning}, gone: []Disk{{Disk: DiskRoot}}, want: DriftDiskGone},
		{what: "its disk is gone, and it is disabled", change: func(vm *VM) { vm.Enabled = false }, gone: []Disk{{Disk: DiskRoot}}, want: DriftDiskGone},
		{what: "a disk in memory is gone with it", change: inMemory, guest: &Guest{State: GuestStopped}, gone: []Disk{{Disk: DiskExtra}}, want: DriftStopped, mends: true},
		{what: "a disk in memory was removed by hand", change: inMemory, guest: &Guest{State: GuestRunning}, gone: []Disk{{Disk: DiskExtra}}, want: DriftDiskGone},
		{what: "another's disk is gone", guest: &Guest{State: GuestRunning}, gone: []Disk{{VM: "cafecafecafe", Disk: DiskRoot}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := NewState()
			s.Profiles["weekend"] = Profile{Name: "weekend"}
			box := NewHypervisor("box")
			box.Pools = append(box.Pools, Pool{Name: "ramdisk", Path: "/srv/ramdisk", TmpfsMiB: 2048})
			s.Hypervisors["box"] = box
			vm := NewVM("web")
			vm.ID, vm.Hypervisor, vm.Profiles = "0123456789ab", "box", []string{DefaultProfile}
			if c.change != nil {
				c.change(&vm)
			}
			s.VMs["web"] = vm
			var guests []Guest
			if c.guest != nil {
				c.guest.ID = vm.ID
				guests = append(guests, Guest{Name: "foreign"}, *c.guest)
			}
			for i := range c.gone {
				if c.gone[i].VM == "" {
					c.gone[i].VM = vm.ID
				}
			}
			var before []Drift
			at := now
			if c.earlier {
				at = now.Add(-time.Hour)
				before = []Drift{{VM: "web", What: c.want, At: at}}
			}
			got := s.Drifted("box", guests, c.gone, before, now)
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("%v", got)
				}
				return
			}
			if len(got) != 1 || got[0].What != c.want || got[0].Mends() != c.mends || !got[0].At.Equal(at) || got[0].VM != "web" {
				t.Errorf("%+v", got)
			}
		})
	}
}
