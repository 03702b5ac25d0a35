package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// panics keeps what a server logs of a panic: they are caught, so that they end
// one session only, and a fuzzer would not see them.
type panics struct{ last atomic.Pointer[string] }

func (*panics) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler             { return p }
func (p *panics) WithGroup(string) slog.Handler                  { return p }

func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "panic") {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += "\n" + a.String(); return true })
	p.last.Store(&text)
	return nil
}

// fuzzLab is a server whose panics are seen.
func fuzzLab(f *testing.F) (*testLab, *panics) {
	p := &panics{}
	log := slog.New(p)
	before := slog.Default()
	slog.SetDefault(log) // the library's
	f.Cleanup(func() { slog.SetDefault(before) })
	return startLab(f, func(s *Server) { s.log = log }), p
}

func (p *panics) check(t *testing.T) {
	t.Helper()
	if text := p.last.Load(); text != nil {
		t.Fatal(*text)
	}
}

// FuzzHandshake says anything to the server instead of a handshake: it hangs up
// in the end, and nobody gets in.
func FuzzHandshake(f *testing.F) {
	l, p := fuzzLab(f)
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(append([]byte("SSH-2.0-x\r\n\x00\x00\x01\x0c\x0a\x14"), make([]byte, 300)...)) // the beginning of KEXINIT
	f.Add([]byte("SSH-2.0-x\r\n\xff\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		here, there := net.Pipe()
		over := make(chan struct{})
		go func() { l.srv.ssh.HandleConn(here); close(over) }()
		go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the pipe
		_, _ = there.Write(in)
		there.Close()
		<-over
		p.check(t)
		if conns := len(l.srv.live.list()); conns != 0 {
			t.Fatalf("%d got in", conns)
		}
	})
}

// FuzzCertificate offers certificates of the authority with anything in them,
// and those that were changed after they were signed.
func FuzzCertificate(f *testing.F) {
	l, p := fuzzLab(f)
	l.user("vera", model.RoleViewer)
	ca, key := authority{f, newKeyPair(f)}, newKeyPair(f)
	l.commit(func(s *model.State) error { s.Settings.UserCA = []string{ca.line()}; return nil })
	f.Add("vera", "id", "", "", "permit-pty", uint64(1), uint64(0), uint64(gossh.CertTimeInfinity), 0, byte(0))
	f.Add("root,vera", "id", "source-address", "10.0.0.0/8,127.0.0.1", "", uint64(1), uint64(0), uint64(1)<<40, 0, byte(0))
	f.Add("vera", "id", "source-address", "!x,", "no-touch-required", uint64(1), uint64(5), uint64(1)<<63, 200, byte(1))
	f.Add("", "\x1b[2J\n", "force-command", "rm", "", uint64(0), ^uint64(0), uint64(0), 30, byte(0x80))
	f.Fuzz(func(t *testing.T, principals, id, option, value, extension string, serial, after, before uint64, at int, flip byte) {
		cert := &gossh.Certificate{
			Key: key.PublicKey(), CertType: gossh.UserCert, Serial: serial, KeyId: id, ValidAfter: after, ValidBefore: before,
			ValidPrincipals: strings.Split(principals, ","), Permissions: gossh.Permissions{CriticalOptions: map[string]string{}, Extensions: map[string]string{extension: ""}},
		}
		if option != "" {
			cert.CriticalOptions[option] = value
		}
		if err := cert.SignCert(rand.Reader, ca.signer); err != nil {
			t.Fatal(err)
		}
		blob := cert.Marshal()
		changed := flip != 0 && at >= 0
		if changed {
			blob[at%len(blob)] ^= flip
		}
		parsed, err := gossh.ParsePublicKey(blob)
		if err != nil {
			return
		}
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
		who, err := l.srv.identities.admits(newCredential(parsed, from))
		p.check(t)
		now := uint64(time.Now().Unix())
		_, user := l.srv.store.State().Users[who.name]
		switch {
		case err != nil:
		case changed && !bytes.Equal(parsed.Marshal(), cert.Marshal()):
			t.Fatalf("a certificate that was changed is %s", who)
		case who.kind != isUser || !user:
			t.Fatalf("it is %+v, who is no user", who)
		case now < after || now >= before && before != gossh.CertTimeInfinity:
			t.Fatalf("one that is not valid now is %s", who)
		}
	})
}

// FuzzJoin says anything as a request to join.
func FuzzJoin(f *testing.F) {
	key := newKeyPair(f)
	f.Add([]byte(joinLine(key)))
	f.Add([]byte("{\"public_key\":\"ssh-ed25519 AAAA x\"}\n"))
	f.Add([]byte("{\"public_key\":\"restrict ssh-rsa AAAA\\nssh-ed25519\"}\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		key, err := joinRequest(bytes.NewReader(line))
		if err != nil {
			return
		}
		again, _, _, _, err := gossh.ParseAuthorizedKey(gossh.MarshalAuthorizedKey(key))
		if err != nil || key.Type() != gossh.KeyAlgoED25519 || !bytes.Equal(again.Marshal(), key.Marshal()) {
			t.Fatalf("%q was taken: %v", line, err)
		}
	})
}

// FuzzSessionRequests asks for anything on a session: two requests, with any
// payload, by a viewer and by an agent.
func FuzzSessionRequests(f *testing.F) {
	l, p := fuzzLab(f)
	l.commit(model.Add(sandbox("box")))
	keys := map[bool]gossh.Signer{false: l.user("vera", model.RoleViewer), true: l.join("box")}
	clients := map[bool]*gossh.Client{false: l.dial(keys[false]), true: l.dial(keys[true])}
	pty := gossh.Marshal(struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}{"xterm", 80, 24, 0, 0, "\x00"})
	window := gossh.Marshal(struct{ Columns, Rows, Width, Height uint32 }{0, 1 << 31, 0, 0})
	text := func(s string) []byte { return gossh.Marshal(struct{ Text string }{s}) }
	f.Add("pty-req", pty, "window-change", window, false)
	f.Add("pty-req", pty, "shell", []byte(nil), true)
	f.Add("env", gossh.Marshal(struct{ Name, Value string }{"LANG", "\xff"}), "exec", text("vm list --json"), false)
	f.Add("exec", text("help '"), "signal", text("INT"), false)
	f.Add("subsystem", text(wire.SubsystemTerraform), "break", []byte{0, 0, 0}, true)
	f.Add("subsystem", text("\x00"), wire.ProveHostKeysRequest, text("x"), true)
	f.Fuzz(func(t *testing.T, first string, a []byte, second string, b []byte, asAgent bool) {
		var ch gossh.Channel
		eventually(t, "a session of before is over", func() bool {
			open, reqs, err := clients[asAgent].OpenChannel("session", nil)
			var full *gossh.OpenChannelError
			switch {
			case err == nil:
				ch = open
				go gossh.DiscardRequests(reqs)
			case !errors.As(err, &full): // an agent's connection ends with its subsystem
				clients[asAgent], err = l.tryDial(keys[asAgent])
				if err != nil {
					t.Fatal(err)
				}
			}
			return ch != nil
		})
		c := clients[asAgent]
		go func() { _, _ = io.Copy(io.Discard, ch) }()
		go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
		for _, r := range []struct {
			kind    string
			payload []byte
		}{{first, a}, {second, b}} {
			_, _ = ch.SendRequest(r.kind, r.kind != "signal", r.payload) // which has no answer: RFC 4254, 6.9
			_, _, _ = c.SendRequest(r.kind, true, r.payload)
		}
		ch.Close()
		p.check(t)
	})
}

// FuzzAgentChannel has an agent say anything behind its hello.
func FuzzAgentChannel(f *testing.F) {
	l, p := fuzzLab(f)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	if _, err := l.srv.store.NewRun(model.Run{Hypervisor: "box", Kind: model.RunApply, Digest: "d"}, nil); err != nil {
		f.Fatal(err)
	}
	// No other is begun by each that connects: that would be all it waits for.
	l.commit(model.Change("box", 0, func(h *model.Hypervisor) error { h.Hold = true; return nil }))
	for _, frame := range []wire.Frame{
		{Kind: wire.KindRecords, Records: []model.Record{{Seq: 1, Run: 1, Message: "x", State: model.RunSucceeded}, {Seq: 2, Run: ^uint64(0)}}},
		{Kind: wire.KindInventory, Inventory: &wire.Inventory{}},
		{Kind: wire.KindLoad, Load: &model.Load{}},
		{Kind: wire.KindResult, Order: 7, Error: "\x1b[2J"},
		{Kind: wire.KindHello, Hello: &wire.Hello{}},
		{Kind: "x"},
	} {
		var b bytes.Buffer
		if err := wire.NewWriter(&b).Write(frame); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		c, err := l.tryDial(key)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ch, err := openSubsystem(c, wire.SubsystemAgent)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, ch.Stderr()) }()
		if err := wire.NewWriter(ch).Write(wire.Frame{Kind: wire.KindHello, Hello: &wire.Hello{Version: wire.Version, Spool: "spool"}}); err != nil {
			t.Fatal(err)
		}
		_, _ = ch.Write(said)
		_ = ch.CloseWrite()
		_, _ = io.Copy(io.Discard, ch)
		ch.Close()
		p.check(t)
	})
}
