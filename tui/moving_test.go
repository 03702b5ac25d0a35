package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// TestMatching holds the filter to its three kinds of words.
func TestMatching(t *testing.T) {
	web := "name:web hypervisor:thinkpad role:web state:running ip:192.168.1.20/24 via:vm edit db fd00::1 protected"
	for filter, want := range map[string]bool{
		"web": true, "thinkp": true, "state": false, "hypervisor": false, "role:web": true, "role:we": true, "ole:web": false,
		"!db": false, "!role:web": false, "!role:db": true, "state:running !protected": false, "192.168": true, "protected": true,
		"state:running role:db": false, "fd00::1": true, "ip:192": true, "": true, "name": false, "edit": true,
	} {
		if got := matches(web, strings.Fields(filter)); got != want {
			t.Errorf("%q: %v", filter, got)
		}
	}
}

// TestSortValues holds the order of what cells say.
func TestSortValues(t *testing.T) {
	for _, ordered := range [][]string{
		{"512 MiB", "2 GiB", "10 GiB", "web", "–"},
		{"just now", "5 min ago", "2 h ago", "3 days ago"},
		{"0/2", "1/3", "2/2", "?/4"},
		{"4 W", "12 W", "1.2 kW", "–"},
		{"2 s", "1 min 02 s", "1 h 02 min"},
		{"alpha", "Beta", "gamma", "–"},
	} {
		for i := 1; i < len(ordered); i++ {
			if valueOf(ordered[i-1]).compare(valueOf(ordered[i])) >= 0 {
				t.Errorf("%q is not before %q", ordered[i-1], ordered[i])
			}
		}
	}
}

func TestSorting(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	d.press("2")
	first := func() string { return d.a.top().(*vms).list.keys[d.a.top().(*vms).list.shown[0]] }
	d.screen()
	chosen, _ := d.a.top().(*vms).list.key()
	for range 5 {
		d.press(">")
	}
	d.see("MEMORY▲")
	d.press("<", "<")
	d.see("HYPERVISOR▲ ")
	d.press(">", ">")
	if first() != "dns" {
		t.Errorf("%s is the smallest", first())
	}
	d.press("I")
	d.see("MEMORY▼")
	if first() != "games" {
		t.Errorf("%s is the largest", first())
	}
	if now, _ := d.a.top().(*vms).list.key(); now != chosen {
		t.Errorf("%s was chosen, and now %s is", chosen, now)
	}
	for range 3 {
		d.press(">") // past the last one: the order that they came in
	}
	d.gone("▼")
	if d.screen(); first() != "backup" {
		t.Errorf("%s is the first", first())
	}
}

func TestMarking(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2", "home", "space", "down", "down", "v")
	d.see("◆ 4 marked")
	d.press("/")
	d.typed("name:web")
	d.press("enter")
	d.see("◆ 0 marked, 4 hidden")
	d.press("esc", "2")
	d.gone("marked")
	d.press("esc", "*")
	d.see("8 marked")
	d.press("e")
	d.see("edits web only; 8 are marked")
}

// TestBulk stops several VMs as one change, says what was so already, and
// offers to undo all of it.
func TestBulk(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2")
	d.press("s") // backup, the first, is started: it runs
	d.settle()
	d.press("esc")
	d.press("*", "s")
	d.see("Start or stop 8 VMs", "1  Start", "2  Stop")
	d.press("1")
	d.see("already to be running")
	d.press("s", "2")
	d.see("Stop 8 VMs?", "thinkpad", "nuc", "y stop them")
	d.press("y")
	d.see("Stop 8 VMs, revision", "u undoes it")
	d.gone("marked")
	for name, vm := range l.State().VMs {
		if vm.Running {
			t.Errorf("%s is to run", name)
		}
	}
	d.press("u")
	d.see("Undo revision")
	d.press("y")
	d.until("undone", func() bool { return l.State().VMs["web"].Running })
}

func TestBulkPower(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("*", "o")
	d.see("Power of 4 machines")
	d.press("2")
	d.see("Power off 4 machines?", "thinkpad: shuts down db")
	d.press("y")
	d.until("wanted off", func() bool { return l.State().Hypervisors["tower"].PowerWanted == "off" })
}

func TestBackAndForward(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	d.press("2", "i")
	was := d.a.top().title()
	d.press("3")
	d.see("MEMBERS OF")
	d.press("H")
	if d.a.top().title() != was {
		t.Errorf("back at %s", d.a.top().title())
	}
	d.press("H", "H", "H")
	d.see("where you began")
	d.press("L", "L", "L")
	d.see("MEMBERS OF")
	d.press("L")
	d.see("nothing further on")
}

func TestMouse(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	at := func(words string) (x, y int) {
		for y, l := range strings.Split(d.screen(), "\n") {
			if before, _, ok := strings.Cut(l, words); ok {
				return len([]rune(before)), y
			}
		}
		t.Fatalf("%q is not on the screen\n%s", words, d.screen())
		return 0, 0
	}
	click := func(words string) {
		x, y := at(words)
		d.handle(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
	}
	click("VMs")
	d.see("HYPERVISOR")
	click("media")
	if key, _ := d.a.top().(*vms).list.key(); key != "media" {
		t.Errorf("%s is chosen", key)
	}
	click("MEMORY")
	d.see("MEMORY▲")
	d.handle(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	d.handle(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	if n := d.a.top().(*vms).list.sel; n != 0 {
		t.Errorf("row %d is chosen", n)
	}
	x, y := at("web")
	d.handle(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
	d.handle(tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft})
	d.see("edit VM web")
	d.press("esc")
	d.press("s")
	d.see("Stop web?")
	click("leave it as it is")
	d.gone("Stop web?")
	if d.press("M"); d.a.View().MouseMode != tea.MouseModeNone {
		t.Error("the mouse is not the terminal's")
	}
	d.see("text can be selected")
}

func TestSignsInASCII(t *testing.T) {
	for _, keys := range []string{"", "2", "2 i", "2 e", "4", "6 enter", "?"} {
		d := drive(t, newLab(), 120, 40)
		d.press(strings.Fields(keys)...)
		d.settle()
		wide := strings.Split(d.screen(), "\n")
		d.press("A")
		d.a.toast = nil
		d.a.prefs.ascii = true
		d.a.paint()
		for i, l := range strings.Split(d.screen(), "\n") {
			if !plain(l) || len(l) != 120 {
				t.Errorf("%q: line %d is %q, was %q", keys, i, l, wide[i])
			}
		}
	}
}

// TestOpensAnything opens each kind of thing from outside, and says what is not
// there.
func TestOpensAnything(t *testing.T) {
	for _, c := range []struct{ open, sees string }{
		{"vm web", "000000000001"},
		{"hypervisor thinkpad", "macvtap:enp0s20f0u4"},
		{"profile offline", "MEMBERS OF offline"},
		{"outlet plug-desk", "▌ office  plug-desk"},
		{"image alpine-3.22", "▌ alpine-3.22"},
		{"run 41", "made the seed of web"},
		{"revision 6", "Revision 6"},
		{"history", "WHO"},
		{"vms", "HYPERVISOR"},
		{"VM", "HYPERVISOR"},
		{"vm nobody", "there is no vm nobody"},
		{"run x", "there is no run x"},
		{"revision 999", "there is no revision 999"},
		{"nonsense", "there is no nonsense"},
	} {
		d := driveAt(t, newLab(), 120, 40, strings.Fields(c.open)...)
		d.see(c.sees)
	}
}

func TestPaletteDoes(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2", "home", ":")
	d.typed("enable or dis")
	d.see("enable or disable", "key z")
	d.press("enter")
	d.see("Disable backup, revision")
	if l.State().VMs["backup"].Enabled {
		t.Error("it is enabled still")
	}
	d.press(":")
	d.typed("add a vm")
	d.press("enter")
	d.see("add VM")
}

// TestCopies copies by OSC 52 what is offered.
func TestCopies(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	d.press("2", "end", "Y")
	d.see("the name", "192.168.1.20", "ssh homelab.lan vm show web", "its ID", "what is shown")
	d.press("1")
	d.see("copied the name")
	d.press("*", "Y")
	d.see("the 8 names")
	d.press("esc", "esc", "6")
	d.settle()
	d.press("enter")
	d.settle()
	d.press("Y")
	d.see("ssh homelab.lan logs 41 > run-41")
	log, err := wholeLog(d.a.lab, 41)
	if err != nil || !strings.Contains(log, "made the seed of web\n") {
		t.Errorf("%v %q", err, log)
	}
	if got := d.a.shown(); !strings.Contains(got, "Run 41") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

// TestMovesSeveral moves the marked VMs at once, where there is room.
func TestMovesSeveral(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2", "home", "m")
	d.see("Move backup to", "thinkpad", "free", "pi5", "room unknown")
	d.press("esc", "space", "down", "down", "down", "space") // backup and dns, both on nuc
	d.press("m")
	d.see("Move 2 VMs to")
	d.press("down", "down", "enter") // nuc, pi5, thinkpad
	d.see("Move 2 VMs to thinkpad?", "dns is shut down, the disks are copied", "backup has no domain now")
	d.press("esc")
	if vm := l.State().VMs["dns"]; vm.Hypervisor != "nuc" {
		t.Errorf("dns is on %s", vm.Hypervisor)
	}
}

// TestPastingFilters checks that what is pasted is filtered by, and searched in
// a log, as what is typed is.
func TestPastingFilters(t *testing.T) {
	d := drive(t, newLab(), 80, 24)
	d.press("2", "/")
	d.handle(tea.PasteMsg{Content: "name:web"})
	d.see("1 of 8", "esc clear it")
	d.press("enter", "6")
	d.settle()
	d.press("enter")
	d.settle()
	d.press("/")
	d.handle(tea.PasteMsg{Content: "nowhere at all"})
	if s := d.a.top().(*runScreen); s.log.query != "nowhere at all" {
		t.Errorf("it searches %q", s.log.query)
	}
}
