package tui

import "testing"

// TestAShareIsAddedAndMounted: what mounts it has it at its next rebuild, which
// is offered and may be left for later.
func TestAShareIsAddedAndMounted(t *testing.T) {
	l := newLab()
	d := drive(t, l, 100, 40)
	d.press("g", "s")
	d.see("nas.lan:/volume1/media", "backup: it answers a ping")
	d.press("n")
	for _, v := range []string{"films", "nas.lan", "/volume1/films"} {
		d.typed(v)
		d.press("tab")
	}
	d.press("ctrl+s")
	d.see("Add share films, revision 9", "/mnt/films")

	mount := func() {
		d.press("2", "home", "down", "down", "enter")
		d.see("edit VM db")
		for range 15 {
			d.press("down")
		}
		d.see("▌ shares")
		d.press("space")
		d.see("shares reaches the guest when it is", "rebuilt")
		d.press("ctrl+s")
		d.see("Rebuild db?", "It is saved. Shares reaches the guest when it is rebuilt.", "root disk is lost")
	}
	mount()
	d.press("esc")
	d.gone("Rebuild db?")
	d.see("r10")
	if vm := l.State().VMs["db"]; len(vm.Shares) != 1 || vm.Rebuild != 0 {
		t.Fatalf("left for later: %+v", vm)
	}
	mount() // not any more
	d.typed("db")
	d.press("enter")
	d.see("Rebuild db, revision 12")
	if vm := l.State().VMs["db"]; len(vm.Shares) != 0 || vm.Rebuild != 1 {
		t.Errorf("rebuilt: %+v", vm)
	}
}
