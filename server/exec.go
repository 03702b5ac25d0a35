package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"charm.land/ssh"
	"github.com/charmbracelet/colorprofile"

	"homelab/model"
	"homelab/server/command"
	"homelab/tui"
)

const exitUsage = 2

// runCommand runs one command on a session, with a pty or without, and exits
// with its status.
func (s *Server) runCommand(sess ssh.Session, lab *lab, args []string, win *window, log *slog.Logger) {
	if len(args) == 0 {
		fmt.Fprint(sess.Stderr(), "error: the command is empty: `help` lists what there is\n")
		_ = sess.Exit(exitUsage)
		return
	}
	ctx, end := context.WithCancelCause(sess.Context())
	cancel := func() { end(nil) }
	defer cancel()
	stopped := s.live.onStop(func() { end(command.ErrServerStopped) })
	var helpers sync.WaitGroup
	helpers.Go(func() { keepAlive(ctx, sess, s.keepalive, cancel) })

	lab.doing = firstLineOf(strings.Join(args[:min(len(args), 2)], " "))
	done := s.live.doing(visitorOf(sess.Context()), lab.doing)
	defer func() { done() }()
	start := time.Now()
	stdio := command.IO{In: sess, Out: sess, Err: sess.Stderr(), Address: lab.address, Screens: screens()}
	stdio.Begin = func(path string, args []string) {
		done()
		lab.doing = noted(path, args, lab.State())
		done = s.live.doing(visitorOf(sess.Context()), lab.doing)
	}
	if win != nil {
		helpers.Go(func() {
			select {
			case <-ctx.Done():
			case <-win.gone:
				cancel()
			}
		})
		stdio.PTY, stdio.Terminal = true, terminalOf(sess, win)
		stdio.Width, _ = win.get()
		// Only a terminal is sent colours, and only those that it has.
		profile := colours(environ(sess, win))
		if profile == colorprofile.ASCII {
			profile = colorprofile.NoTTY // who wants no colour wants nothing faint either
		}
		stdio.Out = &colorprofile.Writer{Forward: sess, Profile: profile}
		stdio.Err = &colorprofile.Writer{Forward: stdio.Err, Profile: profile}
	}
	code := s.command(ctx, lab, args, stdio)
	log.Info("command", "command", lab.doing, "status", code, "took", time.Since(start).Round(time.Microsecond))
	lab.note(model.AuditDid, withStatus(lab.doing, code))
	if code < 0 || code > 254 {
		code = 1 // 255 is ssh's own
	}
	_ = sess.Exit(code)
	cancel()
	stopped()
	helpers.Wait()
}

// mostNamed is how many things are named of a command that is noted.
const mostNamed = 4

// noted are the words that a command is noted by: its own, the first of what it
// is about, which add does not know yet, and what else it names of the lab.
// Others, and whatever a flag is given, may be secrets.
func noted(path string, args []string, st *model.State) string {
	words := []string{path}
	for i, arg := range args {
		if len(words) <= mostNamed && (i == 0 || isThing(st, arg)) {
			words = append(words, arg)
		}
	}
	return firstLineOf(strings.Join(words, " "))
}

func isThing(st *model.State, name string) bool {
	return slices.ContainsFunc([]model.Kind{
		model.KindVM, model.KindHypervisor, model.KindOutlet, model.KindImage, model.KindProfile,
		model.KindShare, model.KindRole, model.KindUser, model.KindSaltMaster,
	}, func(kind model.Kind) bool {
		_, there := st.Get(model.Ref{Kind: kind, Name: name})
		return there
	})
}

func withStatus(command string, code int) string {
	if code == 0 {
		return command
	}
	return fmt.Sprintf("%s, status %d", command, code)
}

// explain answers a client that wants neither a command nor a terminal.
func (s *Server) explain(sess ssh.Session, lab *lab) {
	s.command(sess.Context(), lab, []string{"help"}, command.IO{In: strings.NewReader(""), Out: sess.Stderr(), Err: io.Discard, Address: lab.address})
	_ = sess.Exit(exitUsage)
}

// screens are what the dashboard can open.
func screens() command.Screens {
	return command.Screens{Names: tui.Screens(), Things: tui.Things()}
}
