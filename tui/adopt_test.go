package tui

import (
	"slices"
	"testing"

	"homelab/model"
)

// squatted has a domain and a volume of nuc that are not ours in the way of VM
// backup, and another domain that is in nobody's way.
func squatted(l *fakeLab) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st, vm := l.status.Hypervisors["nuc"], l.state.VMs["backup"]
	st.Guests = append(slices.Clone(st.Guests),
		model.Guest{Name: "backup_on_nuc", Conflict: vm.ID, State: model.GuestRunning, MemoryMiB: 2048, CPUs: 2, Disks: []model.GuestDisk{
			{Path: "/var/lib/libvirt/images/backup_on_nuc", SizeMiB: 20480}, {Path: "/srv/more.qcow2", SizeMiB: 512000},
		}},
		model.Guest{Name: "router", State: model.GuestStopped, MemoryMiB: 512, CPUs: 1})
	st.ForeignVolumes = []model.ForeignVolume{{VM: vm.ID, Pool: "default", Name: "backup_on_nuc"}}
	l.status.Hypervisors["nuc"] = st
}

func TestAdoptSaysWhatItTakes(t *testing.T) {
	lab := newLab()
	squatted(lab)
	d := drive(t, lab, 120, 40)
	d.press("2", "home", "i")
	d.see("NOT OURS, AND IN THE WAY", "domain backup_on_nuc: running, 2048 MiB, 2 CPUs", "O says what adopting it takes")
	d.press("O")
	d.see("Its guest is shut down", "Its domain is made anew", "becomes its root disk", "Disk /srv/more.qcow2 (500.0 GiB) stays where it is")
	d.press("y")
	d.see("backup is adopted")
	if got := lab.ordered(); !slices.Equal(got, []string{"adopt backup"}) {
		t.Errorf("ordered %q", got)
	}
	d.press("esc", "end", "O")
	d.see("no domain is in the way of web")
}
