package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"go.uber.org/goleak"

	"homelab/model"
)

func TestMain(m *testing.M) {
	// teatest waits for a signal for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/charmbracelet/x/exp/teatest/v2.NewTestModel.func2"))
}

func TestEditVM(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2")
	d.see("devenv")
	d.press("/")
	d.typed("name:db")
	d.press("enter", "enter")
	d.see("edit VM db", "SAVING WILL", "change nothing")
	d.press("tab", "tab", "tab", "tab", "tab", "ctrl+u")
	d.typed("q4") // q is text while typing
	d.see("not work yet", "is no size")
	d.press("ctrl+u")
	d.typed("4GiB")
	d.see("was 6GiB", "db is restarted")
	d.press("ctrl+s")
	d.see("Save db?", "y save it")
	d.press("y")
	d.see("Edit VM db, revision 9; u undoes it")
	if got := lab.State().VMs["db"].MemoryMiB; got != 4096 {
		t.Errorf("memory is %d MiB", got)
	}
	if rev := lab.revisions[8]; rev.Via != "dashboard: edit VM db" {
		t.Errorf("via %q", rev.Via)
	}
	if _, back := d.a.top().(*vms); !back {
		t.Errorf("on %T after saving", d.a.top())
	}
}

func TestAddVM(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "n")
	d.see("add VM")
	d.press("ctrl+s")
	d.see("not saved: name")
	d.typed("cache-1")
	d.gone("✗ must")
	d.see("cache-1 is created")
	d.press("ctrl+s")
	d.see("Add VM cache-1, revision 9")
	vm := lab.State().VMs["cache-1"]
	if vm.Hypervisor != "nuc" || !slices.Equal(vm.Profiles, []string{"evening"}) || vm.Image != "alpine-3.22" || vm.ID == "" {
		t.Errorf("added %+v", vm)
	}
}

func TestConflict(t *testing.T) {
	for _, choice := range []string{"o", "t"} {
		t.Run(choice, func(t *testing.T) {
			lab := newLab()
			d := drive(t, lab, 100, 30)
			d.press("2", "/")
			d.typed("name:media")
			d.press("enter", "enter", "tab", "tab", "tab", "end")
			d.typed("-x") // the role
			d.see("was media")
			if _, err := lab.commit("grace", "vm edit media --cpus 2", 0, changeVM("media", func(v *model.VM) { v.CPUs = 2 })); err != nil {
				t.Fatal(err)
			}
			d.see("changed by grace in revision 9")
			d.press("ctrl+s")
			d.see("grace changed media in revision 9", "theirs 2", "yours media-x")
			if _, err := lab.commit("ada", "vm edit media --cpus 3", 0, changeVM("media", func(v *model.VM) { v.CPUs = 3 })); err != nil {
				t.Fatal(err)
			}
			d.see("ada changed media in revision 10", "theirs 3", "yours media-x")
			d.press(choice)
			if choice == "t" {
				d.gone("media-x")
				d.see("change nothing")
				return
			}
			d.see("Edit VM media, revision 11")
			if vm := lab.State().VMs["media"]; vm.CPUs != 3 || vm.Role != "media-x" {
				t.Errorf("saved %d CPUs and role %q: their other changes stay", vm.CPUs, vm.Role)
			}
		})
	}
}

func TestFailedSaveKeepsWhatWasTyped(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "n")
	d.typed("cache")
	lab.refuse = errors.New("the store is full")
	d.press("ctrl+s")
	d.see("the store is full", "cache")
	d.press("esc")
	d.see("What you typed has not been saved", "n go on editing")
	d.press("n", "ctrl+c")
	d.see("Quit?", "n stay")
	d.press("esc")
	if d.quit {
		t.Fatal("it quit")
	}
	d.press("ctrl+c", "ctrl+c")
	d.until("quit", func() bool { return d.quit })
}

func TestRemoveWantsTheName(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "down", "down", "d")
	d.see("Remove db?", "root disk is lost", "Type db")
	d.typed("d")
	d.press("enter")
	d.typed("y")
	d.press("enter")
	if _, there := lab.State().VMs["db"]; !there {
		t.Fatal("removed without its name")
	}
	d.press("backspace")
	d.typed("b")
	d.press("enter")
	d.see("Remove db, revision 9")
	if _, there := lab.State().VMs["db"]; there {
		t.Fatal("it is there still")
	}
	d.press("u")
	d.see("Undo revision 9?")
	d.press("y")
	d.see("revision 10")
	if _, there := lab.State().VMs["db"]; !there {
		t.Fatal("the undo did not bring it back")
	}
}

func TestProtectedIsRefused(t *testing.T) {
	d := drive(t, newLab(), 100, 30)
	d.press("2", "end", "d")
	d.see("protected")
	if _, asks := d.a.overlay.(*confirm); asks {
		t.Error("it asks for what is refused anyway")
	}
}

func TestProportion(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "down", "z") // ci is disabled: enabling asks nothing
	d.see("Enable ci, revision 9")
	d.press("down", "s") // db runs: stopping wants a yes
	d.see("Stop db?", "db is shut down")
	d.press("n")
	if !lab.State().VMs["db"].Running {
		t.Error("stopped after a no")
	}
}

func TestSwitchProfile(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("3", "end", "a")
	d.see("Switch to profile offline?", "games is taken off", "devenv is created", "tower", "nuc")
	d.press("y")
	d.see("Switch to profile offline, revision 9", "profile offline")
	if got := lab.State().ActiveProfile(); got != "offline" {
		t.Errorf("active is %q", got)
	}
}

func TestSwitchProfileWithPower(t *testing.T) {
	lab := newLab()
	nuc := lab.status.Hypervisors["nuc"]
	nuc.Agent, nuc.Power = model.AgentOffline, model.PowerOff
	lab.status.Hypervisors["nuc"] = nuc
	d := drive(t, lab, 100, 30)
	d.press("3", "end", "a")
	d.see("Switch to profile offline?", "p also powers on nuc.", "p also shuts down", "p with power")
	d.press("p")
	d.see("Switch to profile offline, with power, revision 9")
	on, off := model.SwitchPower(newLab().State(), lab.Status(), "offline")
	if len(on) == 0 || len(off) == 0 {
		t.Fatalf("nothing to see: on %v, off %v", on, off)
	}
	for _, name := range on {
		if lab.State().Hypervisors[name].PowerWanted != model.PowerWantedOn {
			t.Errorf("%s is not wanted on", name)
		}
	}
	for _, name := range off {
		if lab.State().Hypervisors[name].PowerWanted != model.PowerWantedOff {
			t.Errorf("%s is not wanted off", name)
		}
	}
}

func TestUndoFromHistory(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("7")
	d.see("memory 6 GiB", "grace")
	d.press("down")
	d.see("4 GiB → 6 GiB")
	d.press("u")
	d.see("Undo revision 7?", "By grace", "db is restarted")
	d.press("y")
	d.see("undoes 7")
	if got := lab.State().VMs["db"].MemoryMiB; got != 4096 {
		t.Errorf("memory is %d", got)
	}
}

func TestFilter(t *testing.T) {
	d := drive(t, newLab(), 100, 30)
	d.press("2", "/")
	d.typed("hypervisor:thinkpad !state:running")
	d.see("3 of 8", "devenv")
	d.gone("media")
	d.press("enter")
	d.see("/hypervisor:thinkpad")
	d.press("esc")
	d.see("media")
	d.press("/")
	d.typed("nobody")
	d.see("0 of 8", "Nothing matches nobody: esc shows all 8.")
}

func TestOutletOff(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("4", "end", "f")
	d.see("nuc is up with 2 running guests", "dns and media", "thinkpad is up", "Type plug-shelf")
	d.typed("plug-shelf")
	d.press("enter")
	d.see("plug-shelf is off")
	if got := lab.ordered(); !slices.Equal(got, []string{"outlet plug-shelf on=false force=true"}) {
		t.Errorf("ordered %q", got)
	}
}

func TestPowerOffListsGuests(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("o")
	d.see("Power nuc off?", "2 guests are shut down first: dns and media")
	d.press("y")
	d.see("Power nuc off, revision 9")
	if got := lab.State().Hypervisors["nuc"].PowerWanted; got != model.PowerWantedOff {
		t.Errorf("wanted %q", got)
	}
}

func TestApprove(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("end", "y")
	d.see("Approve run 40 on tower?", "games root disk is made anew: what is on it is lost", "Type tower")
	d.typed("tower")
	d.press("enter")
	d.see("run 40 approved")
	if got := lab.ordered(); !slices.Equal(got, []string{"approve 40"}) {
		t.Errorf("ordered %q", got)
	}
}

func TestCancelAndApply(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("end", "up", "c")
	d.see("Cancel run 41?", "done 2 of 4 steps")
	d.press("y")
	d.see("run 41 is being cancelled")
	d.press("up", "up", "a")
	d.see("apply of nuc started")
	if got := lab.ordered(); !slices.Equal(got, []string{"cancel 41", "apply nuc"}) {
		t.Errorf("ordered %q", got)
	}
}

func TestLogFollowsUntilScrolled(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("6")
	d.see("succeeded")
	d.press("enter")
	d.see("Creation complete", "following")
	for i := range 100 {
		lab.record(41, model.Record{Level: model.LevelInfo, Message: fmt.Sprintf("line %d of the log", i)})
	}
	d.see("line 99 of the log")
	d.press("pgup")
	d.see("scrolled")
	d.gone("line 99 of the log")
	before := d.screen()
	lab.record(41, model.Record{Level: model.LevelError, Message: "one more \x1b[31mred\x1b[0m"})
	d.see("14 lines below") // it knows, and stays where it was
	if strings.Contains(before, "line 99") || strings.Contains(d.screen(), "one more") {
		t.Error("it moved while it was scrolled")
	}
	d.press("f")
	d.see("one more ␛[31mred", "following")
	lab.record(41, model.Record{
		Resource: &model.Resource{Address: "libvirt_domain.vm_000000000001", Label: "web domain", Action: "create", Status: model.ResourceDone, Seconds: 12},
		State:    model.RunSucceeded,
	})
	d.see("succeeded", "3/4")
}

func TestNothingGetsThrough(t *testing.T) {
	lab := newLab()
	hostile := "\x1b]0;owned\x07\x9b31m\u202eevil\n\t\x00"
	lab.mu.Lock()
	hv := lab.status.Hypervisors["nuc"]
	hv.Error = hostile
	lab.status.Hypervisors["nuc"] = hv
	s := lab.state.Clone()
	vm := s.VMs["db"]
	vm.Role, vm.IP = hostile, hostile
	s.VMs["db"] = vm
	lab.state = s
	lab.revisions[7].Via, lab.revisions[7].Who = hostile, hostile
	lab.mu.Unlock()
	lab.record(41, model.Record{Level: model.LevelInfo, Message: hostile})
	for _, keys := range []string{"", "enter", "2", "2 down down i", "2 down down enter", "6 enter", "7", "7 enter", "?", ":"} {
		d := drive(t, lab, 120, 40)
		for _, k := range strings.Fields(keys) {
			d.press(k)
			d.settle()
		}
		for _, bad := range []string{"\x1b]", "\x07", "\u009b", "\u202e", "\x00", "\t"} {
			if strings.Contains(d.a.View().Content, bad) {
				t.Errorf("after %q the screen holds %q", keys, bad)
			}
		}
		if !utf8.ValidString(d.a.View().Content) {
			t.Errorf("after %q the screen is no UTF-8", keys)
		}
	}
}

// TestAnySize draws every screen in every size from nothing up, with what lies
// over it.
func TestAnySize(t *testing.T) {
	for _, keys := range []string{"end enter", "2", "2 enter", "2 d", "3", "4 o", "6 enter", "7", "7 enter", "?", ":"} {
		d := drive(t, newLab(), 80, 24)
		for _, k := range strings.Fields(keys) {
			d.press(k)
			d.settle()
		}
		for w := 0; w < 130; w += 7 {
			for h := 0; h < 45; h += 3 {
				d.handle(tea.WindowSizeMsg{Width: w, Height: h})
				for i, l := range d.a.frame() {
					if w > 0 && l.size() != w {
						t.Fatalf("%q at %d×%d: line %d is %d wide: %v", keys, w, h, i, l.size(), l)
					}
				}
			}
		}
	}
}

func TestEverythingGoesAway(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 40)
	d.press("end", "enter", "right")
	d.settle()
	lab.mu.Lock()
	lab.state, lab.status = model.NewState(), model.Status{}
	lab.mu.Unlock()
	lab.hub.Publish(model.Ref{Kind: model.KindHypervisor, Name: "tower"})
	d.see("tower is gone")
	d.press("p", "o", "l", "esc")
	d.see("No hypervisor yet")
	for _, k := range []string{"2", "3", "4", "5", "6", "7", "1"} {
		d.press(k, "enter", "d", "e", "esc")
		d.settle()
		d.screen()
		d.press("esc")
	}
}

func TestLive(t *testing.T) {
	lab := newLab()
	one, two := drive(t, lab, 100, 30), drive(t, lab, 80, 24)
	one.press("2", "n")
	two.press("2")
	one.typed("shared")
	one.press("ctrl+s")
	one.see("revision 9")
	two.see("shared", "r9")
}

func TestContextEndsWatch(t *testing.T) {
	lab := newLab()
	ctx, cancel := context.WithCancel(t.Context())
	a := New(lab, Options{Context: ctx, Width: 80, Height: 24}).(*app)
	cmd := watch(a.ctx, a.lab, a.watcher, a.cache, time.Time{})
	cancel()
	if msg := cmd(); msg != nil {
		t.Errorf("the watch answered %v", msg)
	}
}

// BenchmarkKey1000 is what a key costs, with 1,000 VMs: the update and the
// drawing of all that is seen.
func BenchmarkKey1000(b *testing.B) {
	lab := newLab()
	s := lab.state.Clone()
	for i := range 1000 {
		vm := model.NewVM(fmt.Sprintf("vm-%04d", i))
		vm.Hypervisor, vm.Image, vm.Profiles, vm.Role = "thinkpad", "debian-13", []string{"evening"}, "web"
		s.VMs[vm.Name] = vm
	}
	lab.state = s
	a := New(lab, Options{Context: b.Context(), Width: 120, Height: 40, Now: func() time.Time { return noon }}).(*app)
	a.Update(key("2"))
	down := key("down")
	b.ReportAllocs()
	for b.Loop() {
		a.Update(down)
		_ = a.View()
	}
}

// TestSimpleRunes checks the shortcut of width against the library.
func TestSimpleRunes(t *testing.T) {
	for r := rune(0); r < 0x3000; r++ {
		if simple(r) && (harmful(r) || ansi.StringWidth(string(r)) != 1) {
			t.Errorf("%U is not simple: it is %d wide", r, ansi.StringWidth(string(r)))
		}
	}
	for _, s := range []string{signOn, signOff, signHalf, signUnknown, signDone, signFailed, signWarn, signRun, signNone, signChosen} {
		if width(s) != 1 {
			t.Errorf("%q is %d wide", s, width(s))
		}
	}
}

func TestOpen(t *testing.T) {
	for at, want := range map[string]string{"vm web": "VMs › web", "hypervisor nuc": "Hypervisors › nuc", "history": "History", "outlets": "plug-nas", "vm nosuch": "there is no vm nosuch"} {
		a := New(newLab(), Options{Context: t.Context(), Width: 80, Height: 24, Open: strings.Fields(at)}).(*app)
		d := &driver{t: t, a: a, msgs: make(chan tea.Msg, 1000)}
		d.run(a.Init())
		d.see(want)
	}
}

func TestHoldLogAndPalette(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("h")
	d.see("Hold nuc, revision 9")
	if !lab.State().Hypervisors["nuc"].Hold {
		t.Error("it is not held")
	}
	d.press("l")
	d.see("Run 39", "no space left on device", "nuc held")
	d.press("r")
	d.gone("STEPS")
	d.press("esc", ":")
	d.typed("devenv")
	d.press("enter")
	d.see("VMs › devenv", "inactive", "nuc held")
	d.press("?")
	d.see("Keys: devenv", "start or stop the guest")
	d.press("down", "pgdown", "esc")
	d.gone("Keys:")
}

func TestForeignDomainIsSaid(t *testing.T) {
	lab := newLab()
	lab.mu.Lock()
	hv := lab.status.Hypervisors["nuc"]
	hv.Phase = model.PhaseInSync
	hv.Guests = append(slices.Clone(hv.Guests), model.Guest{Name: "backup_on_nuc", State: model.GuestRunning, Conflict: lab.state.VMs["backup"].ID})
	lab.status.Hypervisors["nuc"] = hv
	lab.mu.Unlock()
	d := drive(t, lab, 100, 30)
	d.see("has a domain backup_on_nuc, not ours, in the way of backup: O on its screen adopts it")
	d.press("2", "i")
	d.see("! conflict", "NOT OURS, AND IN THE WAY", "domain backup_on_nuc: running")
}

// TestLongLog reads a log in pages and lets the oldest lines go.
func TestLongLog(t *testing.T) {
	lab := newLab()
	recs := make([]model.Record, logMost+3*logPage)
	for i := range recs {
		recs[i] = model.Record{Level: model.LevelInfo, Message: fmt.Sprintf("line %d", i)}
	}
	lab.record(41, recs...)
	d := drive(t, lab, 80, 24)
	d.press("6")
	d.see("succeeded")
	d.press("enter")
	d.see(fmt.Sprintf("line %d", len(recs)-1))
	log := &d.a.top().(*runScreen).log
	if n := len(log.lines); n > logMost+logMost/10 {
		t.Errorf("%d lines are kept", n)
	}
	d.press("g", "g")
	d.gone("Hypervisors ›")
	d.see("scrolled")
	d.handle(tea.WindowSizeMsg{Width: 60, Height: 20})
	d.press("pgdown", "ctrl+u", "down", "up", "end")
	d.see(fmt.Sprintf("line %d", len(recs)-1), "following")
}

// TestErrorsAreReadWhole checks that an error longer than its box is scrolled,
// and that a long message keeps the offer to undo in sight.
func TestErrorsAreReadWhole(t *testing.T) {
	lab := newLab()
	lab.refuse = errors.New(strings.Repeat("the store is full and nothing can be written; ", 12) + "remove something")
	d := drive(t, lab, 40, 12)
	d.press("2", "home", "x")
	d.see("That did not work", "more")
	for range 40 {
		d.press("down")
	}
	d.see("something", "any other key closes this")
	d.press("enter")
	d.gone("That did not work")
	d.press("x")
	d.see("Protect backup", "; u undoes it")
}
