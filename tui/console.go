package tui

import (
	"context"
	"io"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

var keyConsole = bind("V", "", "type at the guest's serial console; Ctrl-] then q comes back", "V").by(model.RoleOperator)

// console lends the terminal to a guest's console; when the person leaves that,
// the dashboard is back where it was.
func console(a *app, vm *vmRow) tea.Cmd {
	t, name := a.opts.Terminal, vm.Name
	if t == nil {
		return a.say(inkWarn, signWarn, "this terminal cannot be lent: ssh -t homelab.lan console "+name)
	}
	run := &consoleRun{ctx: a.ctx, lab: a.lab, terminal: t, vm: name}
	exec := tea.Exec(run, func(err error) tea.Msg {
		return done(func(a *app) tea.Cmd {
			switch {
			case err != nil:
				return a.fail(err)
			case run.why != "":
				return a.say(inkDim, signNone, "the console of "+name+" is closed: "+run.why)
			}
			return nil
		})
	})
	return func() tea.Msg {
		run.lent = t.Lend() // the dashboard's own reader ends
		return exec()
	}
}

// consoleRun runs in the dashboard's place.
type consoleRun struct {
	ctx      context.Context
	lab      Lab
	terminal Terminal
	lent     model.Terminal
	vm       string
	why      string // it ended
}

// Run returns when the console has ended, with the terminal returned.
func (r *consoleRun) Run() (err error) {
	defer r.terminal.Return()
	r.why, err = r.lab.Console(r.ctx, r.vm, false, r.lent)
	return err
}

// What the program would hand over is not what it has lent.
func (*consoleRun) SetStdin(io.Reader)  {}
func (*consoleRun) SetStdout(io.Writer) {}
func (*consoleRun) SetStderr(io.Writer) {}
