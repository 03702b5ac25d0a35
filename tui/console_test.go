package tui

import (
	"bytes"
	"testing"

	"homelab/model"
)

// lentTerminal is a session's terminal that is played.
type lentTerminal struct {
	lent, returned int
	shown          bytes.Buffer
}

func (t *lentTerminal) Lend() model.Terminal { t.lent++; return model.Terminal{Out: &t.shown} }
func (t *lentTerminal) Return()              { t.returned++ }

// The console gets the terminal that was lent, and it is returned.
func TestConsoleRuns(t *testing.T) {
	term := &lentTerminal{}
	run := &consoleRun{ctx: t.Context(), lab: newLab(), terminal: term, lent: term.Lend(), vm: "web"}
	if err := run.Run(); err != nil || run.why != "the guest is stopped" || term.shown.String() != "console of web" || term.returned != 1 {
		t.Errorf("%v, %q, %q, returned %d times", err, run.why, term.shown.String(), term.returned)
	}
}

// Where the terminal cannot be lent, and for a viewer, the key says why.
func TestConsoleKey(t *testing.T) {
	d := drive(t, newLab(), 100, 30)
	for _, k := range []string{"2", "V"} {
		d.press(k)
		d.settle()
	}
	d.see("ssh -t homelab.lan console")
	if cmd := console(&app{opts: Options{Terminal: &lentTerminal{}}}, &vmRow{}); cmd == nil {
		t.Error("nothing is done with a terminal")
	} else if cmd() == nil {
		t.Error("the program is told nothing")
	}
}
