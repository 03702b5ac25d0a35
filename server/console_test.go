package server

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// guestConsole is the agent's side of a console that is played.
type guestConsole struct {
	gossh.Channel
	heard *text
}

// consoles answers the server's requests for consoles.
func (a *testAgent) consoles() <-chan guestConsole {
	opened := make(chan guestConsole, 10)
	opens := a.client.HandleChannelOpen(wire.ChannelConsole)
	go func() { // ends with the connection
		for open := range opens {
			var what wire.ConsoleOpen
			if err := gossh.Unmarshal(open.ExtraData(), &what); err != nil || what.VM == "" {
				_ = open.Reject(gossh.ConnectionFailed, "malformed")
				continue
			}
			ch, reqs, err := open.Accept()
			if err != nil {
				return
			}
			go gossh.DiscardRequests(reqs)
			g := guestConsole{ch, &text{}}
			go func() { _, _ = io.Copy(g.heard, ch); g.heard.end() }()
			opened <- g
		}
	}()
	return opened
}

// text is what was written, for any goroutine.
type text struct {
	mu   sync.Mutex
	b    bytes.Buffer
	over bool
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *text) has(s string) func() bool {
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return strings.Contains(t.b.String(), s)
	}
}

func (t *text) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// person sits at a console by ssh -t.
type person struct {
	t    *testing.T
	in   io.Writer
	sees *text
	exit chan error
}

func (l *testLab) sit(t *testing.T, key gossh.Signer, command string) *person {
	t.Helper()
	s, err := l.dial(key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, sees: &text{}, exit: make(chan error, 1)}
	if p.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.Stdout, s.Stderr = p.sees, p.sees
	if err := s.Start(command); err != nil {
		t.Fatal(err)
	}
	go func() { p.exit <- s.Wait() }()
	return p
}

func (p *person) types(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) read(what string) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("a person reads %q", what), p.sees.has(what))
}

func (p *person) leaves(status int) {
	p.t.Helper()
	if got := exitStatus(p.t, <-p.exit); got != status {
		p.t.Errorf("exit status %d, want %d; it saw %q", got, status, p.sees.b.String())
	}
}

// consoleLab has a VM "web" on a hypervisor whose agent is played, and users.
func consoleLab(t *testing.T) (l *testLab, agent *testAgent, consoles <-chan guestConsole, keys map[model.Role]gossh.Signer) {
	l = startLab(t)
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Image, vm.Profiles = "pad", "debian", []string{model.DefaultProfile}
	l.commit(model.Add(sandbox("pad")), model.Add(model.Image{Name: "debian", Path: "/debian.qcow2"}), model.Add(vm))
	keys = map[model.Role]gossh.Signer{}
	for _, role := range []model.Role{model.RoleViewer, model.RoleOperator} {
		keys[role] = newKeyPair(t)
		l.commit(model.Add(model.User{Name: string(role), Role: role, Keys: []model.Key{newKey(keys[role].PublicKey(), "k")}}))
	}
	agent = l.agent(l.join("pad"), wire.Hello{})
	consoles = agent.consoles()
	agent.expect(wire.KindWelcome)
	return l, agent, consoles, keys
}

func TestConsole(t *testing.T) {
	l, _, consoles, keys := consoleLab(t)
	ada := l.sit(t, l.key, "console web")
	guest := <-consoles
	ada.read("this is the console of web on pad")

	// Bytes pass as they are: a bare line feed stays one, and Ctrl-C is the guest's.
	fmt.Fprint(guest, "one\x1b[2Jtwo\nthree\r\nfour")
	ada.read("one\x1b[2Jtwo\nthree\r\nfour")
	ada.types("ls\r\x03")
	eventually(t, "the guest hears what is typed", guest.heard.has("ls\r\x03"))
	ada.types("\x1ds")
	eventually(t, "the guest hears the window's size", guest.heard.has("stty rows 24 cols 80\r"))

	// A second person watches on the same channel, is shown what was said, and takes over.
	grace := l.sit(t, keys[model.RoleOperator], "console web")
	grace.read(l.admin().User().Name + " has the keyboard")
	grace.read("three\r\nfour")
	ada.read("operator has joined")
	grace.types("lost")
	grace.read("Ctrl-] then w takes it")
	grace.types("\x1dw")
	grace.read("you have the keyboard")
	ada.read("operator has taken the keyboard")
	grace.types("mine")
	eventually(t, "the guest hears who took over", guest.heard.has("mine"))
	if guest.heard.has("lost")() {
		t.Error("the guest heard somebody without the keyboard")
	}

	// Who has it leaves; the last to leave closes the channel.
	grace.types("\x1dq")
	grace.leaves(0)
	ada.read("operator has left: nobody has the keyboard")
	ada.types("\x1dw")
	ada.read("you have the keyboard")
	ada.types("\x1d.")
	ada.leaves(0)
	eventually(t, "the channel is closed", guest.heard.ended)
}

func TestConsoleEnds(t *testing.T) {
	l, agent, consoles, keys := consoleLab(t)
	ada := l.sit(t, l.key, "console web")
	guest := <-consoles
	fmt.Fprint(guest, "\x1b[?1049h\x1b[?25l")
	ada.read("\x1b[?25l")
	fmt.Fprint(guest.Stderr(), "the guest is stopped")
	guest.Close()
	ada.read("is closed: the guest is stopped")
	ada.read("\x1b[?25h") // a program left the cursor hidden
	ada.leaves(0)

	ada = l.sit(t, l.key, "console web")
	<-consoles
	ada.read("this is the console")
	agent.client.Close()
	ada.read("the connection to the agent of pad was lost")
	ada.leaves(1)

	eventually(t, "the agent is gone", func() bool { return l.srv.agents.get("pad") == nil })
	if _, errs, status := l.run("console web"); status != 1 || !strings.Contains(errs, "the agent of pad is not connected") {
		t.Errorf("without an agent: %q, status %d", errs, status)
	}
	viewer := l.dial(keys[model.RoleViewer])
	if _, errs, status := runOn(t, viewer, "console web"); status != 1 || !strings.Contains(errs, "needs operator") {
		t.Errorf("a viewer: %q, status %d", errs, status)
	}
}

// A session that may not type any more ends, whatever the guest does.
func TestConsoleDemoted(t *testing.T) {
	l, _, consoles, keys := consoleLab(t)
	grace := l.sit(t, keys[model.RoleOperator], "console web")
	guest := <-consoles
	grace.read("this is the console")
	l.commit(model.Change("operator", 0, func(u *model.User) error { u.Role = model.RoleViewer; return nil }))
	grace.types("x")
	grace.read("needs operator")
	grace.leaves(1)
	eventually(t, "the channel is closed", guest.heard.ended)
	if guest.heard.has("x")() {
		t.Error("the guest heard a viewer")
	}
}

// The dashboard lends its terminal, loses no key, and is back where it was.
func TestConsoleOfDashboard(t *testing.T) {
	l, _, consoles, _ := consoleLab(t)
	x := open(t, l.dial(l.key), 100, 30)
	eventually(t, "the dashboard is there", x.shows("pad"))
	for range 3 {
		x.types(t, "2V")
		guest := <-consoles
		eventually(t, "the console is there", x.shows("this is the console of web"))
		x.types(t, "ls\r")
		eventually(t, "the guest hears the first key too", guest.heard.has("ls\r"))
		fmt.Fprint(guest, "from the guest\n")
		eventually(t, "the guest is heard", x.shows("from the guest\n"))
		x.forget()
		x.types(t, "\x1dq7") // in one packet
		eventually(t, "the dashboard hears its first key", x.shows("homelab · History"))
		eventually(t, "the channel is closed", guest.heard.ended)
		x.forget()
	}
	x.types(t, "2V")
	<-consoles
	eventually(t, "the console is there", x.shows("this is the console of web"))
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if code := x.ended(t); code != 1 {
		t.Errorf("exit status %d as the server stops", code)
	}
	eventually(t, "the terminal is as it was", x.shows("\x1b[?1049l"))
}

func (x *terminal) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(x.in, keys); err != nil {
		t.Fatal(err)
	}
}

// forget lets shows look at what comes from now on.
func (x *terminal) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.text.Reset()
}
