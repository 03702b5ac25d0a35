package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/server/command"
	"homelab/tui"
)

// terminal is a client's terminal: what the dashboard sent to it.
type terminal struct {
	s  *gossh.Session
	in io.WriteCloser

	mu   sync.Mutex
	text bytes.Buffer
	errs bytes.Buffer
	done chan error
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.Write(p)
}

func (x *terminal) shows(text string) func() bool {
	return func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return strings.Contains(x.text.String(), text)
	}
}

// ended waits for the exit status.
func (x *terminal) ended(t *testing.T) int {
	t.Helper()
	select {
	case err := <-x.done:
		return exitStatus(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the session does not end")
		return -1
	}
}

// open opens a dashboard on a connection; a reader other than nil takes what
// is sent.
func open(t testing.TB, c *gossh.Client, width, height int) *terminal {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{s: s, done: make(chan error, 1)}
	if x.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.Stdout, s.Stderr = x, &x.errs
	if err := s.RequestPty("xterm-256color", height, width, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	go func() { x.done <- s.Wait() }()
	return x
}

// screen is a small dashboard: it says its size, quits with q and panics with p.
type screen struct{ w, h int }

func (m screen) Init() tea.Cmd { return nil }
func (m screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q":
			return m, tea.Quit
		case "p":
			panic("on purpose")
		}
	}
	return m, nil
}

func (m screen) View() tea.View {
	v := tea.NewView(fmt.Sprintf("<%dx%d>", m.w, m.h))
	v.AltScreen = true
	return v
}

func small(s *Server) {
	s.dashboard = func(*lab, tui.Options) tea.Model { return screen{} }
}

const leftAltScreen = "\x1b[?1049l"

func TestDashboardOpensAndQuits(t *testing.T) {
	l := startLab(t)
	x := open(t, l.dial(l.key), 100, 30)
	eventually(t, "the dashboard is drawn", x.shows("Profiles"))
	if _, err := io.WriteString(x.in, "q"); err != nil {
		t.Fatal(err)
	}
	if status := x.ended(t); status != 0 || !x.shows(leftAltScreen)() {
		t.Errorf("status %d", status)
	}
}

func TestPanicInTheDashboardEndsThatSessionOnly(t *testing.T) {
	l := startLab(t, small)
	c := l.dial(l.key)
	one, two := open(t, c, 80, 24), open(t, c, 80, 24)
	eventually(t, "both are drawn", func() bool { return one.shows("<")() && two.shows("<")() })
	if _, err := io.WriteString(one.in, "p"); err != nil {
		t.Fatal(err)
	}
	if status := one.ended(t); status != 1 || !one.shows(leftAltScreen)() {
		t.Errorf("status %d", status)
	}
	if _, err := io.WriteString(two.in, "q"); err != nil {
		t.Fatal(err)
	}
	if status := two.ended(t); status != 0 {
		t.Errorf("the other: status %d", status)
	}
}

func TestWindowIsClampedAndAHugePtyRefused(t *testing.T) {
	l := startLab(t, small)
	c := l.dial(l.key)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 1_000_000, 1_000_000, nil); err == nil {
		t.Error("a huge pty is granted")
	}
	s.Close()
	x := open(t, c, 80, 24)
	eventually(t, "it is drawn", x.shows("<80x24>"))
	for range 50 { // more than any buffer holds
		if err := x.s.WindowChange(1_000_000, 1_000_000); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it is clamped", x.shows(fmt.Sprintf("<%dx%d>", maxPTYColumns, maxPTYRows)))
	if _, err := io.WriteString(x.in, "q"); err != nil {
		t.Fatal(err)
	}
	if status := x.ended(t); status != 0 {
		t.Errorf("status %d", status)
	}
}

// Resizes before anything runs, or beside a command, stall nothing.
func TestResizesAreAlwaysDrained(t *testing.T) {
	l := startLab(t, small, func(s *Server) {
		s.command = func(ctx context.Context, _ *lab, _ []string, io command.IO) int {
			one := make([]byte, 1)
			_, _ = io.In.Read(one)
			return int(one[0])
		}
	})
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	resize := func() {
		for range 100 {
			if err := s.WindowChange(30, 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	resize()
	if err := s.Start("x"); err != nil {
		t.Fatal(err)
	}
	resize()
	if _, err := in.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if status := exitStatus(t, s.Wait()); status != 7 {
		t.Errorf("status %d", status)
	}
}

// A client of a shared connection that dies closes its channel only.
func TestAMultiplexedClientThatDiesLeavesNothing(t *testing.T) {
	l := startLab(t, small)
	c := l.dial(l.key)
	for name, die := range map[string]func(*terminal){
		"the channel is closed": func(x *terminal) { x.s.Close() },
		"the input ends":        func(x *terminal) { x.in.Close() },
	} {
		x := open(t, c, 80, 24)
		eventually(t, "it is drawn", x.shows("<"))
		die(x)
		eventually(t, name+": the session is gone", func() bool {
			l.srv.live.mu.Lock()
			defer l.srv.live.mu.Unlock()
			return len(l.srv.live.enders) == 0
		})
	}
	eventually(t, "their windows are forgotten", func() bool { return windows(l.srv) == 0 })
}

func windows(s *Server) int {
	n := 0
	s.windows.Range(func(any, any) bool { n++; return true })
	return n
}

// flood writes for ever: a client that does not read holds it up.
type flood struct{ n int }

func (m flood) Init() tea.Cmd { return func() tea.Msg { return m.n } }
func (m flood) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if n, ok := msg.(int); ok {
		m.n = n + 1
		return m, func() tea.Msg { return m.n }
	}
	return m, nil
}

func (m flood) View() tea.View {
	line := strings.Repeat(string(rune('a'+m.n%26)), 400)
	return tea.NewView(strings.Repeat(line+"\n", 200))
}

func TestAClientThatStopsReadingDelaysNobody(t *testing.T) {
	first := true
	l := startLab(t, func(s *Server) {
		s.dashboard = func(*lab, tui.Options) tea.Model {
			if first {
				first = false
				return flood{}
			}
			return screen{}
		}
	})
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stuck, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StdinPipe(); err != nil { // else its end is sent at once
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 200, 400, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stuck, make([]byte, 100_000)); err != nil { // and no more
		t.Fatal(err)
	}
	x := open(t, l.dial(l.key), 80, 24)
	eventually(t, "another is drawn", x.shows("<"))
	if _, _, status := l.run("vm list"); status != 0 {
		t.Errorf("a command: status %d", status)
	}
	if _, err := io.WriteString(x.in, "q"); err != nil {
		t.Fatal(err)
	}
	if status := x.ended(t); status != 0 {
		t.Errorf("status %d", status)
	}
	start := time.Now()
	if err := l.stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("stopping took %v", d)
	}
}

func TestStoppingLeavesTerminalsSane(t *testing.T) {
	l := startLab(t)
	x := open(t, l.dial(l.key), 80, 24)
	eventually(t, "it is drawn", x.shows("Profiles"))
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if status := x.ended(t); status != 1 || !x.shows(leftAltScreen)() || !strings.Contains(x.errs.String(), "the server has stopped") {
		t.Errorf("status %d, %q", status, x.errs.String())
	}
}

func TestAClientThatSaysNothingIsGone(t *testing.T) {
	l := startLab(t, small, func(s *Server) { s.keepalive = 30 * time.Millisecond })
	c := l.dial(l.key)
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	go func() { // no request is ever answered
		for range reqs {
		}
	}()
	pty := gossh.Marshal(struct {
		Term       string
		W, H, X, Y uint32
		Modes      string
	}{"xterm", 80, 24, 0, 0, "\x00"})
	if ok, err := ch.SendRequest("pty-req", true, pty); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if ok, err := ch.SendRequest("shell", true, nil); err != nil || !ok {
		t.Fatal(ok, err)
	}
	done := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, ch); done <- errors.Join(err, c.Wait()) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it is not cut")
	}
}

func TestCtrlCCancelsACommandOnATerminal(t *testing.T) {
	l := startLab(t)
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("watch"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte{0x03}); err != nil {
		t.Fatal(err)
	}
	if status := exitStatus(t, s.Wait()); status != 130 {
		t.Errorf("status %d", status)
	}
}

func TestColoursAreTheClients(t *testing.T) {
	for _, c := range []struct {
		want colorprofile.Profile
		env  []string
	}{
		{colorprofile.ANSI256, []string{"TERM=xterm-256color"}},
		{colorprofile.TrueColor, []string{"TERM=xterm-256color", "COLORTERM=truecolor"}},
		{colorprofile.ASCII, []string{"NO_COLOR=please", "TERM=xterm-256color"}},
		{colorprofile.ASCII, []string{"TERM=vt100"}},
		{colorprofile.ASCII, []string{"TERM=vt220"}},
		{colorprofile.ASCII, []string{"TERM=xterm-mono"}},
		{colorprofile.ANSI256, []string{"TERM=vte-256color"}},
		{colorprofile.NoTTY, []string{"TERM=dumb"}},
	} {
		if got := colours(c.env); got != c.want {
			t.Errorf("%v: %v, want %v", c.env, got, c.want)
		}
	}
}

func TestPreferencesAreTheClients(t *testing.T) {
	for _, c := range []struct {
		want string
		env  []string
	}{
		{"", nil},
		{"", []string{"LANG=de_DE.UTF-8"}},
		{"", []string{"LC_CTYPE=C.utf8", "LANG=C"}},
		{" ascii", []string{"LANG=de_DE@euro"}},
		{" ascii", []string{"LANG=en_GB.UTF-8", "LC_ALL=POSIX"}},
		{"tell nomouse", []string{"HOMELAB=tell nomouse"}},
		{"tell ascii", []string{"HOMELAB=tell", "LANG=C"}},
	} {
		if got := preferences(c.env); got != c.want {
			t.Errorf("%v: %q, want %q", c.env, got, c.want)
		}
	}
}

func TestStoppingIsToldToCommands(t *testing.T) {
	l := startLab(t)
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	s.Stderr = &errs
	if err := s.Start("watch --now"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if status := exitStatus(t, s.Wait()); status != 1 || errs.String() != "error: the server has stopped\n" {
		t.Errorf("status %d, %q", status, errs.String())
	}
}

func TestCommandsAreSplitStrictly(t *testing.T) {
	l := startLab(t)
	for command, want := range map[string]string{
		`profile add 'x`:   "unterminated quote",
		`profile add "x`:   "unterminated quote",
		`profile add x\`:   "backslash",
		`   `:              "the command is empty",
		`profile add 'x"y`: "unterminated quote",
	} {
		if out, errs, status := l.run(command); status != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%q: status %d, %q, %q", command, status, out, errs)
		}
	}
	if _, errs, status := l.run(`profile add "we"'ek'\end`); status != 0 || l.srv.store.State().Profiles["weekend"].Name == "" {
		t.Errorf("status %d, %q", status, errs)
	}
	if n := len(l.srv.store.State().Profiles); n != 2 {
		t.Errorf("%d profiles", n)
	}
}

func TestOpenShowsAScreen(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(model.Profile{Name: "weekend"}))
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := &terminal{s: s, done: make(chan error, 1)}
	if x.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.Stdout, s.Stderr = x, &x.errs
	if err := s.RequestPty("xterm-256color", 30, 100, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("open profiles"); err != nil {
		t.Fatal(err)
	}
	go func() { x.done <- s.Wait() }()
	eventually(t, "that screen is drawn", x.shows("weekend"))
	if _, err := io.WriteString(x.in, "q"); err != nil {
		t.Fatal(err)
	}
	if status := x.ended(t); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestDumbTerminalsAreToldWhatToUse: a terminal that can draw nothing gets no
// escape sequence, but the commands.
func TestDumbTerminalsAreToldWhatToUse(t *testing.T) {
	l := startLab(t)
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out, errs bytes.Buffer
	s.Stdout, s.Stderr = &out, &errs
	if err := s.RequestPty("dumb", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	if status := exitStatus(t, s.Wait()); status != 2 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(errs.String(), "vm list --plain") || strings.Contains(out.String()+errs.String(), "\x1b") {
		t.Errorf("%q, %q", out.String(), errs.String())
	}
}

// TestEditorsSeeEachOther: two people with the form of the same VM are told of
// each other, until one leaves.
func TestEditorsSeeEachOther(t *testing.T) {
	l := startLab(t)
	grace := l.as(l.user("grace", model.RoleAdmin))
	ada, ref := l.admin(), model.Ref{Kind: model.KindVM, Name: "web"}
	w := ada.Watch()
	defer w.Close()
	mine := ada.Editing(ref)
	defer mine()
	theirs := grace.Editing(ref)
	if got := ada.Editors(ref); len(got) != 1 || got[0] != "grace" {
		t.Errorf("%q", got)
	}
	if _, told := w.Take()[model.Ref{Kind: model.KindEditing, Name: "vm web"}]; !told {
		t.Error("nobody is told")
	}
	theirs()
	theirs()
	if got := ada.Editors(ref); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestSessionsComeAndGo: what dashboards took is given back.
func TestSessionsComeAndGo(t *testing.T) {
	l := startLab(t)
	one := func() {
		c, err := l.tryDial(l.key)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		x := open(t, c, 120, 40)
		eventually(t, "it is drawn", x.shows("help"))
	}
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(all)
	}
	one()
	settled := func(what string, now func() int, most int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s are back at %d", what, most), func() bool { return now() <= most })
	}
	settled("sessions", func() int { return strings.Count(stacks(), "runDashboard") }, 0)
	goroutines, files := runtime.NumGoroutine(), descriptors()
	n := 50
	if os.Getenv("HOMELAB_SESSIONS") != "" {
		n = 500
	}
	for range n {
		one()
	}
	few := n / 10 // what the server itself may have begun meanwhile; a leak is one for each session
	settled("goroutines", runtime.NumGoroutine, goroutines+few)
	settled("descriptors", descriptors, files+few)
}

func stacks() string {
	buf := make([]byte, 8<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// Of the environment no more is taken than anybody has.
func TestEnvironmentIsLimited(t *testing.T) {
	l := startLab(t)
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	taken := 0
	for n := range 100 {
		if s.Setenv(fmt.Sprint("V", n), strings.Repeat("x", 1<<10)) == nil {
			taken++
		}
	}
	if taken < 50 || taken > maxEnviron>>10 {
		t.Errorf("%d of 100 variables of 1 KiB are taken", taken)
	}
	if out, err := s.Output("user list"); err != nil || len(out) == 0 {
		t.Errorf("the session is of no use then: %v", err)
	}
}
