package tui

import (
	"maps"
	"slices"
	"testing"
	"time"

	"homelab/model"
)

// guestIs changes what is seen of a VM's guest.
func guestIs(l *fakeLab, vm string, change func(g *model.Guest)) {
	l.mu.Lock()
	of := l.state.VMs[vm]
	st := l.status.Hypervisors[of.Hypervisor]
	st.Guests = slices.Clone(st.Guests)
	for i := range st.Guests {
		if st.Guests[i].ID == of.ID {
			change(&st.Guests[i])
		}
	}
	hvs := maps.Clone(l.status.Hypervisors)
	hvs[of.Hypervisor] = st
	l.status.Hypervisors = hvs
	l.mu.Unlock()
	l.hub.Publish(model.Ref{Kind: model.KindStatus, Name: of.Hypervisor})
}

// stopping has a VM stopped, whose guest is switched off after a while.
func stopping(l *fakeLab, vm string, left time.Duration) {
	if _, err := l.commit("ada", "vm stop "+vm, 0, changeVM(vm, func(v *model.VM) { v.Running = false })); err != nil {
		panic(err)
	}
	guestIs(l, vm, func(g *model.Guest) { g.State, g.OffBy = model.GuestStopping, noon.Add(left) })
}

func TestStopCountsDownAndIsForced(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 40)
	d.press("2", "down", "down", "s")
	d.see("Stop db?", "asked to shut down, and switched off 30 s later", "f switch it off now")
	d.press("y")
	d.see("Stop db, revision 9")
	guestIs(lab, "db", func(g *model.Guest) { g.State, g.OffBy = model.GuestStopping, noon.Add(41*time.Second) })
	d.see("◐ off 41 s", "stopping, forced off in 41 s")
	if d.a.beat() != time.Second {
		t.Error("the time is not counted down by the second")
	}
	d.handle(tickMsg{id: d.a.tickID, at: noon.Add(30 * time.Second)})
	d.see("◐ off 11 s")
	d.press("s")
	d.see("Switch db off now?", "forced off in 11 s", "s start it again")
	d.press("y")
	d.see("db is switched off")
	if got := lab.ordered(); !slices.Equal(got, []string{"cut db"}) {
		t.Errorf("ordered %q", got)
	}
}

func TestStopByForceAtOnce(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "down", "down", "s")
	d.see("Stop db?")
	d.press("f")
	d.see("db is switched off")
	if got := lab.ordered(); !slices.Equal(got, []string{"cut db"}) || lab.State().VMs["db"].Running {
		t.Errorf("ordered %q, wanted running %v", got, lab.State().VMs["db"].Running)
	}
}

func TestRestart(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 40)
	d.press("2", "down", "down", "i", "r")
	d.see("Restart db?", "asked to shut down, switched off 30 s later", "f without a shutdown")
	d.press("y")
	d.see("db is restarted")
	d.press("r", "f")
	d.until("the order", func() bool { return len(lab.ordered()) == 2 })
	if got := lab.ordered(); !slices.Equal(got, []string{"restart db false", "restart db true"}) {
		t.Errorf("ordered %q", got)
	}
	// Of several those that have no guest are named.
	d.press("esc", "*", "r")
	d.see("Restart 4 VMs?", "ci has no guest: it is disabled", "web has no guest yet")
	d.press("esc", "*", "home", "r") // backup, of another profile
	d.see("backup has no guest: it is not in the active profile evening")
}

// TestRebuildWantsTheName: what is lost is said, the name typed, and what is
// protected left alone.
func TestRebuildWantsTheName(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 40)
	d.press("2", "down", "down", "b")
	d.see("Rebuild db?", "all that is on the old one is lost", "root disk is lost", "Type db")
	d.typed("db")
	d.press("enter")
	d.see("Rebuild db, revision 9")
	if lab.State().VMs["db"].Rebuild != 1 {
		t.Error("it is not rebuilt")
	}
	d.press("end", "b") // web is protected
	d.see("web is protected, so its root disk stays")
	d.press("*", "b")
	d.see("Rebuild 7 VMs?", "backup, ci and devenv have no guests now", "web is protected, so its root disk stays", "Type 7 VMs")
	d.typed("7 VMs")
	d.press("enter")
	d.see("Rebuild 7 VMs, revision 10")
	for name, vm := range lab.State().VMs {
		want, ok := map[string]int{"web": 0, "db": 2}[name]
		if !ok {
			want = 1
		}
		if vm.Rebuild != want {
			t.Errorf("%s was rebuilt %d times, not %d", name, vm.Rebuild, want)
		}
	}
}

// TestSharesOfAMachineThatIsOff: who starts a guest hears that its share is not to
// be had, and who cuts the storage server's power hears whose share goes.
func TestSharesOfAMachineThatIsOff(t *testing.T) {
	lab := newLab()
	plug := func(is model.Power) {
		lab.mu.Lock()
		outlets := maps.Clone(lab.status.Outlets)
		outlets["plug-nas"] = model.OutletStatus{State: is}
		lab.status.Outlets = outlets
		lab.mu.Unlock()
		lab.hub.Publish(model.Ref{Kind: model.KindOutletStatus, Name: "plug-nas"})
	}
	plug(model.PowerOn)
	d := drive(t, lab, 120, 40)
	d.press("4", "/")
	d.typed("plug-nas")
	d.press("enter", "f")
	d.see("Switch plug-nas off?", "Share media of nas.lan would go away under media")
	d.press("esc")
	plug(model.PowerOff)
	d.press("2", "/")
	d.typed("name:media")
	stop := func() {
		t.Helper()
		d.press("s")
		d.see("Stop media?")
		d.press("y")
		d.see("Stop media, revision", "wanted    stopped")
	}
	d.press("enter")
	stop()
	d.press("s")
	d.see("Start media (its share media is not to be had, outlet plug-nas is off: outlet on plug-nas)")
	d.see("wanted    running")
	stop()
	d.press("space", "s", "1")
	d.see("Start media?", "its share media is not to be had")
}
