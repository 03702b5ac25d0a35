package tui

import (
	"bytes"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/exp/teatest/v2"

	tea "charm.land/bubbletea/v2"
)

// TestProgram runs the dashboard as a program with a renderer.
func TestProgram(t *testing.T) {
	lab := newLab()
	m := New(lab, Options{Context: t.Context(), Width: 100, Height: 30, Now: func() time.Time { return noon }})
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(100, 30), teatest.WithProgramOptions(tea.WithColorProfile(colorprofile.ANSI256)))
	see := func(words string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return bytes.Contains(b, []byte(words)) }, teatest.WithDuration(10*time.Second))
	}
	see("thinkpad")
	tm.Send(key("2"))
	see("devenv")
	tm.Send(key("n"))
	see("SAVING WILL")
	tm.Type("quick")
	tm.Send(key("ctrl+s"))
	see("revision 9")
	tm.Send(key("q"))
	tm.WaitFinished(t, teatest.WithFinalTimeout(10*time.Second))
	if _, ok := lab.State().VMs["quick"]; !ok {
		t.Error("it was not saved")
	}
}
