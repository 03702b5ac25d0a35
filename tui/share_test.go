package tui

import "testing"

// TestSessionsShareTheTable: two dashboards of one lab hold one table of VMs, and
// one that has seen a change does not hold what the other held before.
func TestSessionsShareTheTable(t *testing.T) {
	l := newLab()
	a, b := drive(t, l, 80, 24), drive(t, l, 80, 24)
	if a.a.cache.vmTable != b.a.cache.vmTable {
		t.Error("each has its own")
	}
	before := a.a.cache.vmTable
	a.press("2", "end", "z")
	a.see("Disable web?")
	a.press("y")
	a.see("revision 9")
	b.until("the change", func() bool { return b.a.cache.state.Revision == 9 })
	a.until("the change", func() bool { return a.a.cache.state.Revision == 9 })
	if a.a.cache.vmTable == before || a.a.cache.vmTable != b.a.cache.vmTable {
		t.Error("they do not hold the new one")
	}
}
