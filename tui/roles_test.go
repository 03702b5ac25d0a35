package tui

import (
	"strings"
	"testing"

	"homelab/model"
)

// seenAs is the lab as a user of another role sees it.
type seenAs struct {
	*fakeLab
	role model.Role
}

func (l seenAs) User() model.User { return model.User{Name: "bob", Role: l.role} }

// TestRolesAreOfferedTheirKeys checks that nobody is offered what is refused
// anyway, that the key says why, and that enter looks where it may not edit.
func TestRolesAreOfferedTheirKeys(t *testing.T) {
	viewer := drive(t, seenAs{newLab(), model.RoleViewer}, 120, 30)
	viewer.see("bob, viewer", "changes nothing", "enter open", "l log")
	for _, words := range []string{"e edit", "n new", "o power", "h hold", "a apply"} {
		viewer.gone(words)
	}
	viewer.press("n")
	viewer.see("bob is viewer here, and this needs admin")
	viewer.press("u")
	viewer.see("this needs operator")
	viewer.press("2", "end", "enter")
	viewer.see("VMs › web", "protected")
	viewer.press("s")
	viewer.see("this needs operator")
	viewer.press("?")
	viewer.gone("start or stop the guest")

	operator := drive(t, seenAs{newLab(), model.RoleOperator}, 120, 30)
	operator.see("bob, operator", "o power", "h hold")
	operator.gone("n new")
	operator.press("h")
	operator.see("Hold nuc, revision 9; u undoes it")
	operator.press("7")
	operator.see("hypervisor nuc held", "u undo")
	operator.press("down", "down")
	operator.gone("u undo") // what was edited, only an admin undoes
	operator.press("u")
	operator.see("this needs admin")
}

func TestHeldIsReleased(t *testing.T) {
	d := drive(t, newLab(), 80, 24)
	d.see("h hold")
	d.press("h")
	d.see("h release")
	d.gone("h hold")
	d.press("h")
	d.see("Release nuc, revision 10", "h hold")
}

// TestMachineThatIsOffWantsNothing checks that a machine which is off and has
// never been joined is no cause for attention.
func TestMachineThatIsOffWantsNothing(t *testing.T) {
	off := hvRow{Hypervisor: model.Hypervisor{Name: "rack"}, st: model.HypervisorStatus{Phase: model.PhaseNew, Power: model.PowerOff}}
	if n, ok := noteOf(&off); ok {
		t.Errorf("it says %q", n.text)
	}
	if got := phaseLine(&off, noon, 40).String(); got != "○ off, no agent yet" {
		t.Errorf("%q", got)
	}
	off.st.Power = model.PowerUnknown
	n, ok := noteOf(&off)
	if l := n.line(noon, 79); !ok || l.String() != "! rack has no agent yet: J on it shows the line that it joins with" {
		t.Errorf("%q", l)
	}
}

// TestStopWithoutGuest checks that stopping what has no guest is asked about:
// nothing else would show that something was done.
func TestStopWithoutGuest(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "/")
	d.typed("name:devenv")
	d.press("enter", "s")
	d.see("Stop devenv?", "it is not in the active profile evening", "which will then be stopped")
	d.press("y")
	d.see("Stop devenv, revision 9", " r9")
	if lab.State().VMs["devenv"].Running {
		t.Error("it is wanted running still")
	}
	d.press("s")
	d.see("Start devenv?", "which will then be running")
	d.press("n")
}

func TestUndoWantsTheRevision(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("7")
	d.see("VM backup added")
	lab.mu.Lock()
	s := lab.state.Clone()
	web := s.VMs["web"]
	web.Protected = false
	s.VMs["web"], lab.state = web, s
	lab.mu.Unlock()
	d.press("down", "down", "u") // the import: its undo loses disks
	d.see("Undo revision 6?", "Type 6 to undo it")
}

func TestNotice(t *testing.T) {
	const notice = "connect once more: ssh -p 2222 localhost"
	a := New(newLab(), Options{Context: t.Context(), Width: 80, Height: 24, Notice: notice}).(*app)
	d := &driver{t: t, a: a}
	if !strings.Contains(d.screen(), notice) {
		t.Errorf("it is not on the first screen:\n%s", d.screen())
	}
	d.press("2")
	if strings.Contains(d.screen(), notice) {
		t.Error("it is on other screens")
	}
	d.press("?")
	if !strings.Contains(d.screen(), notice) {
		t.Error("it is not in the help")
	}
}

// TestNotesTakeTheRoomTheyNeed checks that one note leaves no hole, and that
// the list stays where it is while one is looking.
func TestNotesTakeTheRoomTheyNeed(t *testing.T) {
	lab := newLab()
	in := func(phase model.Phase) {
		lab.mu.Lock()
		st := lab.status
		lab.status.Hypervisors = map[string]model.HypervisorStatus{}
		for name, hv := range st.Hypervisors {
			hv.Phase = model.PhaseInSync
			if name == "nuc" || name == "tower" {
				hv.Phase = phase
			}
			lab.status.Hypervisors[name] = hv
		}
		lab.status.Outlets = nil
		lab.mu.Unlock()
		lab.hub.Publish(model.Ref{Kind: model.KindHypervisor, Name: "nuc"})
	}
	in(model.PhaseInSync)
	d := drive(t, lab, 80, 24)
	table := func(row int) func() bool {
		return func() bool { return strings.Contains(strings.Split(d.screen(), "\n")[row], "GUESTS") }
	}
	d.until("the table below one line", table(4))
	in(model.PhaseHeld)
	d.until("the table below two lines", table(5))
	in(model.PhaseInSync)
	d.see("All is well")
	d.until("the table where it was", table(5))
	d.press("2", "1")
	d.until("the table below one line", table(4))
}

// TestNewerRunIsSaid checks that the log of a run says when its machine has a
// newer one, and that a key goes there.
func TestNewerRunIsSaid(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 80, 24)
	d.press("l")
	d.see("Run 39", "no space left")
	d.gone("is newer")
	lab.mu.Lock()
	run := model.Run{ID: 42, Hypervisor: "nuc", Kind: model.RunApply, State: model.RunPlanning, Started: noon}
	st := lab.status
	lab.status.Hypervisors, lab.status.Runs = map[string]model.HypervisorStatus{}, map[uint64]model.Run{42: run}
	for name, hv := range st.Hypervisors {
		if name == "nuc" {
			hv.Run, hv.Phase = 42, model.PhasePlanning
		}
		lab.status.Hypervisors[name] = hv
	}
	lab.runs[42] = run
	lab.mu.Unlock()
	lab.hub.Publish(model.Ref{Kind: model.KindHypervisor, Name: "nuc"})
	d.see("run 42 is newer: l shows it", "l run 42")
	d.press("l")
	d.see("Run 42", "planning")
	d.gone("is newer")
	d.press("esc")
	d.gone("›") // straight back to where l was pressed
}

// TestPhone does with single keys, on the smallest screen, what is done to VMs
// and machines.
func TestPhone(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 40, 12)
	d.see("enter open", "o power")
	d.press("o")
	d.see("Power nuc off?", "y power it off")
	d.press("n", "2", "down", "down")
	d.see("▌ db", "s stop")
	d.press("s")
	d.see("Stop db?", "y stop it")
	d.press("y")
	d.see("revision 9")
	d.press("z", "y")
	d.see("Disable db, revision 10")
	d.press("d")
	d.see("Remove db?", "db to remove it")
	d.press("esc", "i")
	d.see("VMs › db", "esc back")
	d.press("esc", "4", "end", "o")
	d.see("plug-shelf")
}
