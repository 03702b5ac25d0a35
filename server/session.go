package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"
	"charm.land/ssh"
	"github.com/charmbracelet/colorprofile"

	"homelab/model"
	"homelab/tui"
	"homelab/tui/display"
)

// runDashboard runs the dashboard on a session with a pty until the person
// quits, the client is gone, or the server stops. It begins with the home
// screen, or the one that is named. The session has a context of
// its own: the connection's outlives it.
func (s *Server) runDashboard(sess ssh.Session, lab *lab, win *window, open []string, log *slog.Logger) {
	if win.term == "dumb" {
		fmt.Fprint(sess.Stderr(), dumb)
		_ = sess.Exit(exitUsage)
		return
	}
	ctx, cancel := context.WithCancel(sess.Context())
	defer cancel()
	width, height := win.get()
	scr := display.New(rawOf(sess), width, height)
	keys := newKeyboard(sess, win, scr)
	p := s.program(ctx, sess, lab, win, keys, scr, open)
	// Quitting waits for the program's loop, which a client that reads nothing
	// may hold up: nobody else waits with it. A console that has the terminal
	// holds it up too, and ends.
	quit := func() { keys.hangUp(); go p.Quit() }
	keys.ended = quit
	defer keys.hangUp()
	go keys.run() // ends with the session
	stopped := s.live.onStop(quit)

	log.Info("dashboard opened")
	lab.doing = "dashboard"
	lab.note(model.AuditDid, "dashboard opened")
	defer s.sessionsChange()
	defer s.live.doing(visitorOf(sess.Context()), lab.doing)()
	s.sessionsChange()
	var helpers sync.WaitGroup
	helpers.Go(func() { forwardWindow(ctx, p, win, quit) })
	helpers.Go(func() { keepAlive(ctx, sess, s.keepalive, quit) })
	helpers.Go(scr.Run)
	_, err := p.Run()
	scr.Close() // while the client is still asked whether it is there
	cancel()
	code := 0
	if err != nil && !errors.Is(err, context.Canceled) {
		code = 1
		log.Error("dashboard failed", "error", err)
		fmt.Fprint(sess.Stderr(), "error: the dashboard failed; the server's log says why\n")
	}
	if s.live.isStopping() {
		code = 1
		fmt.Fprint(sess.Stderr(), "the server has stopped\n")
	}
	_ = sess.Exit(code)
	stopped()
	helpers.Wait()
	log.Info("dashboard closed")
}

// sessionsChange tells those who watch that somebody is here or gone who stays
// for a while; commands are too many to be told.
func (s *Server) sessionsChange() {
	s.store.Hub().Publish(model.Ref{Kind: model.KindSessions, Name: string(model.KindSessions)})
}

// dumb is what a terminal is told that can draw nothing.
const dumb = `The dashboard needs a terminal that can move its cursor, and TERM is dumb. These say the same in lines:
  status:  hypervisor list --plain · vm list --plain · power status --plain
  runs:    run list --plain · logs NAME -f
  changes: watch · history --plain
  more:    help
`

// program is the dashboard's program for one session's terminal.
func (s *Server) program(ctx context.Context, sess ssh.Session, lab *lab, win *window, keys *keyboard, scr *display.Display, open []string) *tea.Program {
	env := environ(sess, win)
	profile := colours(env)
	width, height := win.get()
	root := s.dashboard(lab, tui.Options{Context: ctx, Width: width, Height: height, NoColor: profile <= colorprofile.ASCII, FewColors: profile < colorprofile.ANSI256, Notice: s.opts.Notice, Open: open, Terminal: keys, Address: lab.address, Client: s.opts.Client, Prefer: preferences(env)})
	return tea.NewProgram(scr.Model(root), append(display.Options(),
		tea.WithContext(ctx),
		tea.WithInput(keys),
		tea.WithOutput(io.Discard), // the screen draws
		tea.WithEnvironment(env),
		tea.WithColorProfile(profile),
		tea.WithWindowSize(width, height),
		tea.WithoutSignalHandler(),
		tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
			if _, ok := msg.(tea.SuspendMsg); ok {
				return tea.ResumeMsg{} // there is no shell below
			}
			return msg
		}),
	)...)
}

// environ is the client's environment, its terminal included.
func environ(sess ssh.Session, win *window) []string {
	return append(sess.Environ(), "TERM="+win.term)
}

// monochrome matches the terminals that have no colours.
var monochrome = regexp.MustCompile(`^vt\d|-m(ono)?$`)

// colours are those that a client's terminal has and wants: NO_COLOR of any
// value means none.
func colours(env []string) colorprofile.Profile {
	profile := colorprofile.Env(env)
	for _, v := range env {
		if term, ok := strings.CutPrefix(v, "TERM="); ok && monochrome.MatchString(term) {
			profile = min(profile, colorprofile.ASCII)
		}
		if value, ok := strings.CutPrefix(v, "NO_COLOR="); ok && value != "" {
			profile = min(profile, colorprofile.ASCII)
		}
	}
	return profile
}

// preferences are those that a client asks for by HOMELAB in its environment;
// one whose locale is known to be no UTF-8 gets ASCII signs.
func preferences(env []string) string {
	set := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		set[name] = value
	}
	words := set["HOMELAB"]
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts
		locale := strings.ToLower(set[name])
		if locale == "" {
			continue
		}
		if !strings.Contains(locale, "utf-8") && !strings.Contains(locale, "utf8") {
			words += " ascii"
		}
		break
	}
	return words
}

// forwardWindow tells the program each new size; of several the last is enough.
func forwardWindow(ctx context.Context, p *tea.Program, win *window, quit func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-win.gone:
			quit()
			return
		case <-win.changed:
			width, height := win.get()
			p.Send(tea.WindowSizeMsg{Width: width, Height: height})
		}
	}
}
