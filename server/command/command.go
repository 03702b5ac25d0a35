// Package command is the command line of `ssh homelab.lan …`: noun, then verb.
//
// It promises that one call of [Run] is one command for one user: the tree of
// commands is made anew for it, it reads and writes only what [IO] holds, it
// draws no dashboard, and it returns 0 (done), 1 (failed), 2 (what was typed is
// wrong, be it a flag or the field that refuses a value, or a confirmation that
// nobody was there to give) or 130 (interrupted), never 255, which is ssh's own.
// What a person must agree to is asked on a terminal and needs --yes without
// one. Everything that reads has --json.
//
// Permissions are checked behind [Lab], not here.
package command

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

// IO is where a command reads and writes, and what is known of the other side.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	PTY      bool // a person sits at a terminal: ask, colour, cut lines
	// Terminal is that terminal, raw, for a console; nil without one.
	Terminal *model.Terminal
	Width    int    // columns of that terminal; 0 is unknown
	Address  string // HOST:PORT that the client connected to
	// Screens are those of the dashboard; opening one is not done here, see
	// [Opens].
	Screens Screens
	// Begin is told what a command is about before it does anything: its words,
	// such as "vm add", and its arguments without its flags. It is not called
	// for what is typed wrongly; it may be nil.
	Begin func(command string, args []string)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// session is one command of one user.
type session struct {
	lab Lab
	io  IO
	via string // the command as typed, without secrets
	key keys   // what the person types, on a terminal
	// plain has what is written in lines of words, without colours or columns.
	plain bool
	// unknown is a command that help was asked of and that there is not.
	unknown error
	// untyped is set where fields are taken from elsewhere than the command
	// line: a file, or an older revision.
	untyped bool
	// picture is what a list is drawn from, whatever happens meanwhile.
	picture *picture
}

// Run runs one command and returns its exit status.
func Run(ctx context.Context, lab Lab, args []string, stdio IO) int {
	if stdio.Now == nil {
		stdio.Now = time.Now
	}
	if args == nil {
		args = []string{} // cobra reads the process's own arguments otherwise
	}
	s := &session{lab: lab, io: stdio, via: typed(args)}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if stdio.PTY && !isConsole(args) {
		s.key = readKeys(stdio.In, func() { stop(errInterrupted) })
	}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdio.In)
	root.SetOut(stdio.Out)
	root.SetErr(stdio.Err)
	if stdio.Begin != nil && !isCompletion(args) {
		root.PersistentPreRun = func(cmd *cobra.Command, args []string) { stdio.Begin(pathOf(cmd), args) }
	}

	var err error
	if isCompletion(args) {
		err = s.complete(ctx, root, args)
	} else {
		err = cmp.Or(root.ExecuteContext(ctx), s.unknown)
	}
	if err != nil && errors.Is(context.Cause(ctx), ErrServerStopped) {
		return s.report(ErrServerStopped)
	}
	if ctx.Err() != nil && err != nil {
		return exitInterrupted
	}
	return s.report(err)
}

// ErrServerStopped is the cause of a context that ends because the server does:
// that is told, and is a failure.
var ErrServerStopped = errors.New("the server has stopped")

// errInterrupted is the cause of a context that the person's Ctrl-C ended.
var errInterrupted = errors.New("interrupted")

func (s *session) now() time.Time { return s.io.Now() }

func (s *session) state() *model.State { return s.lab.State() }
