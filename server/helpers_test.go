package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"go.uber.org/goleak"

	"homelab/agent/wire"
	"homelab/model"
)

// testLab is a server on loopback with one admin, and clients for it.
type testLab struct {
	t    testing.TB
	srv  *Server
	data string
	key  gossh.Signer // the admin's
	stop func() error // ends Run and returns what it returned
}

func newKeyPair(t testing.TB) gossh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// startLab starts a server; prepare may change it before it runs.
func startLab(t testing.TB, prepare ...func(*Server)) *testLab {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if !t.Failed() {
			goleak.VerifyNone(t, ignore)
		}
	})
	l := &testLab{t: t, data: t.TempDir(), key: newKeyPair(t)}
	l.start(prepare...)
	return l
}

func (l *testLab) start(prepare ...func(*Server)) {
	l.t.Helper()
	file := filepath.Join(l.data, "admin.pub")
	if err := os.WriteFile(file, append(bytes.TrimSpace(gossh.MarshalAuthorizedKey(l.key.PublicKey())), " tester\n"...), 0o600); err != nil {
		l.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(l.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	if _, test := l.t.(*testing.T); !test {
		log = slog.New(slog.DiscardHandler)
	}
	l.srv, err = New(Options{Data: l.data, Listener: ln, AuthorizedKeys: []string{file}, Version: "test", Log: log})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, p := range prepare {
		p(l.srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.srv.Run(ctx) }()
	stopped := false
	l.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(15 * time.Second):
			return errors.New("the server does not stop")
		}
	}
	l.t.Cleanup(func() {
		if err := l.stop(); err != nil {
			l.t.Errorf("stop: %v", err)
		}
	})
}

// tryDial connects with a key.
func (l *testLab) tryDial(key gossh.Signer) (*gossh.Client, error) {
	return gossh.Dial("tcp", l.srv.Addr().String(), &gossh.ClientConfig{
		User: "anybody", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)},
		HostKeyCallback: gossh.FixedHostKey(l.srv.HostKey()), Timeout: 10 * time.Second,
	})
}

func (l *testLab) dial(key gossh.Signer) *gossh.Client {
	l.t.Helper()
	c, err := l.tryDial(key)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	return c
}

// run runs a command on a connection of its own.
func (l *testLab) run(command string) (stdout, stderr string, status int) {
	l.t.Helper()
	c := l.dial(l.key)
	defer c.Close()
	return runOn(l.t, c, command)
}

func runOn(t testing.TB, c *gossh.Client, command string) (stdout, stderr string, status int) {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out, errs strings.Builder
	s.Stdout, s.Stderr = &out, &errs
	if command == "" {
		if err = s.Shell(); err == nil {
			err = s.Wait()
		}
	} else {
		err = s.Run(command)
	}
	return out.String(), errs.String(), exitStatus(t, err)
}

func exitStatus(t testing.TB, err error) int {
	t.Helper()
	var exit *gossh.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitStatus()
	}
	t.Errorf("no exit status: %v", err)
	return -1
}

// commit does an edit, as if somebody had.
func (l *testLab) commit(edits ...model.Edit) {
	l.t.Helper()
	if _, err := l.srv.store.Commit("tester", "test", model.Edits(edits...)); err != nil {
		l.t.Fatal(err)
	}
}

// admin is the lab of the admin, in-process.
func (l *testLab) admin() *lab { return l.as(l.key) }

// as is the lab of whoever has a key.
func (l *testLab) as(key gossh.Signer) *lab {
	return l.srv.lab(credential{key: key.PublicKey(), addr: netip.MustParseAddr("127.0.0.1")}, l.srv.Addr().String())
}

// user adds a user with a new key.
func (l *testLab) user(name string, role model.Role) gossh.Signer {
	l.t.Helper()
	key := newKeyPair(l.t)
	l.commit(model.Add(model.User{Name: name, Role: role, Keys: []model.Key{newKey(key.PublicKey(), name)}}))
	return key
}

func sandbox(name string) model.Hypervisor {
	h := model.NewHypervisor(name)
	h.Platform = model.PlatformSandbox
	return h
}

// join binds a new key to a hypervisor, by a real invite.
func (l *testLab) join(hypervisor string) gossh.Signer {
	l.t.Helper()
	text, _, err := l.admin().Invite(l.t.Context(), "test", hypervisor, "")
	if err != nil {
		l.t.Fatal(err)
	}
	token, err := wire.ParseToken(text)
	if err != nil {
		l.t.Fatal(err)
	}
	login, err := gossh.NewSignerFromKey(token.Key())
	if err != nil {
		l.t.Fatal(err)
	}
	key := newKeyPair(l.t)
	c := l.dial(login)
	defer c.Close()
	out, status, err := subsystem(c, wire.SubsystemJoin, joinLine(key))
	if err != nil || status != 0 || !strings.Contains(out, `"hypervisor":"`+hypervisor+`"`) {
		l.t.Fatalf("join: %q, status %d, %v", out, status, err)
	}
	return key
}

func joinLine(key gossh.Signer) string {
	return `{"public_key":"` + strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey()))) + "\"}\n"
}

// channel is a raw session channel: its subsystem, both streams and the exit
// status, none of which x/crypto's Session gives for subsystems.
type channel struct {
	gossh.Channel
	status chan int // of the exit, -1 if there was none
}

func openSubsystem(c *gossh.Client, name string) (*channel, error) {
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	one := &channel{ch, make(chan int, 1)}
	go func() {
		status := -1
		for req := range reqs {
			if req.Type == "exit-status" {
				var p struct{ Status uint32 }
				if gossh.Unmarshal(req.Payload, &p) == nil {
					status = int(p.Status)
				}
			}
			if req.WantReply {
				_ = req.Reply(false, nil)
			}
		}
		one.status <- status
	}()
	ok, err := ch.SendRequest("subsystem", true, gossh.Marshal(struct{ Name string }{name}))
	if err == nil && !ok {
		err = errors.New("there is no such subsystem")
	}
	if err != nil {
		ch.Close()
		return nil, err
	}
	return one, nil
}

// subsystem sends in to a subsystem and returns both streams, one after the
// other, and the exit status.
func subsystem(c *gossh.Client, name, in string) (out string, status int, err error) {
	ch, err := openSubsystem(c, name)
	if err != nil {
		return "", 0, err
	}
	defer ch.Close()
	if _, err := io.WriteString(ch, in); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	var errs bytes.Buffer
	read := make(chan struct{})
	go func() { _, _ = io.Copy(&errs, ch.Stderr()); close(read) }()
	text, err := io.ReadAll(ch)
	<-read
	return string(text) + errs.String(), <-ch.status, err
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		<-tick.C
	}
}

// testAgent plays an agent on the wire.
type testAgent struct {
	t      testing.TB
	client *gossh.Client
	ch     *channel
	out    *wire.Writer
	frames chan wire.Frame // all but pings; closed at the end
	seq    uint64
}

func (l *testLab) agent(key gossh.Signer, hello wire.Hello) *testAgent {
	l.t.Helper()
	if hello.Version == 0 {
		hello.Version = wire.Version
	}
	if hello.Spool == "" {
		hello.Spool = "spool"
	}
	a := &testAgent{t: l.t, client: l.dial(key), frames: make(chan wire.Frame, 1000)}
	var err error
	if a.ch, err = openSubsystem(a.client, wire.SubsystemAgent); err != nil {
		l.t.Fatal(err)
	}
	a.out = wire.NewWriter(a.ch)
	a.send(wire.Frame{Kind: wire.KindHello, Hello: &hello})
	go func() {
		defer close(a.frames)
		for r := wire.NewReader(a.ch); ; {
			f, err := r.Read()
			if err != nil {
				return
			}
			if f.Kind != wire.KindPing {
				a.frames <- f
			}
		}
	}()
	return a
}

func (a *testAgent) send(f wire.Frame) {
	a.t.Helper()
	if err := a.out.Write(f); err != nil {
		a.t.Fatalf("agent: %v", err)
	}
}

// expect returns the next frame of a kind, passing over others.
func (a *testAgent) expect(kind string) wire.Frame {
	a.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case f, ok := <-a.frames:
			if !ok {
				a.t.Fatalf("the connection ended before a frame %q came", kind)
			}
			if f.Kind == kind {
				return f
			}
		case <-timeout:
			a.t.Fatalf("no frame %q came", kind)
		}
	}
}

// over waits for the end of the connection and returns the last error frame.
func (a *testAgent) over() string {
	a.t.Helper()
	timeout, last := time.After(10*time.Second), ""
	for {
		select {
		case f, ok := <-a.frames:
			if !ok {
				return last
			}
			if f.Kind == wire.KindError {
				last = f.Error
			}
		case <-timeout:
			a.t.Fatal("the connection does not end")
		}
	}
}

// record sends records, numbered as they come.
func (a *testAgent) record(records ...model.Record) {
	a.t.Helper()
	for i := range records {
		a.seq++
		records[i].Seq, records[i].Time = a.seq, time.Now().UTC()
	}
	a.send(wire.Frame{Kind: wire.KindRecords, Records: records})
}

// finish plays a run that ends at once.
func (a *testAgent) finish(run uint64, state model.RunState, err string) {
	a.t.Helper()
	a.record(model.Record{Run: run, State: model.RunPlanning, Message: "planning"}, model.Record{Run: run, State: state, Error: err})
}
