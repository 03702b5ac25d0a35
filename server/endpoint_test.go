package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
	"homelab/server/command"
)

func TestStrangersGetNoSession(t *testing.T) {
	l := startLab(t)
	if c, err := l.tryDial(newKeyPair(t)); err == nil {
		c.Close()
		t.Fatal("an unknown key got in")
	} else if !strings.Contains(err.Error(), "unable to authenticate") {
		t.Error(err)
	}
	for name, auth := range map[string][]gossh.AuthMethod{
		"nothing":     nil,
		"a password":  {gossh.Password("admin")},
		"an old hash": {gossh.PublicKeys(oldSigner(t))},
	} {
		c, err := gossh.Dial("tcp", l.srv.Addr().String(), &gossh.ClientConfig{User: "root", Auth: auth, HostKeyCallback: gossh.InsecureIgnoreHostKey()})
		if err == nil {
			c.Close()
			t.Errorf("%s got in", name)
		}
	}
	eventually(t, "strangers are forgotten", func() bool {
		l.srv.strangers.mu.Lock()
		defer l.srv.strangers.mu.Unlock()
		return l.srv.strangers.total == 0
	})
}

// oldSigner signs with SHA-1.
func oldSigner(t *testing.T) gossh.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gossh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	old, err := gossh.NewSignerWithAlgorithms(s.(gossh.AlgorithmSigner), []string{gossh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	return old
}

// A client may offer keys that it cannot prove to have, before the one that it
// can: who it is must come from the latter.
func TestIdentityIsOfTheKeyThatWasProved(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed (Debian's openssh-client)")
	}
	l := startLab(t)
	dir := t.TempDir()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	own, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"admin.pub": gossh.MarshalAuthorizedKey(l.key.PublicKey()), // its private half is elsewhere
		"own":       pem.EncodeToMemory(block),
		"own.pub":   gossh.MarshalAuthorizedKey(own.PublicKey()),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.commit(model.Add(sandbox("box")), func(s *model.State) error {
		s.Agents["box"] = model.Agent{Hypervisor: "box", PublicKey: strings.TrimSpace(string(files["own.pub"])), Fingerprint: gossh.FingerprintSHA256(own.PublicKey())}
		return nil
	})
	host, port, _ := net.SplitHostPort(l.srv.Addr().String())
	out, err := exec.Command(ssh, "-v", "-F", "none", "-T", "-p", port, "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile="+filepath.Join(dir, "known"),
		"-i", filepath.Join(dir, "admin.pub"), "-i", filepath.Join(dir, "own"), host, "vm list").CombinedOutput()
	if !strings.Contains(string(out), "admin.pub") || !strings.Contains(string(out), "Server accepts key") {
		t.Fatalf("the admin's key was not offered first: %s", out)
	}
	if err == nil || !strings.Contains(string(out), "subsystems of an agent only") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnAgentsKeyReachesItsSubsystemsOnly(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	c := l.dial(l.join("box"))
	for _, cmd := range []string{"", "help", "vm list", "backup"} {
		if out, errs, status := runOn(t, c, cmd); status != 1 || out != "" || !strings.Contains(errs, "subsystems of an agent only") {
			t.Errorf("%q: status %d, %q, %q", cmd, status, out, errs)
		}
	}
	if out, status, err := subsystem(c, wire.SubsystemJoin, "{}\n"); status != 1 || !strings.Contains(out, "has joined already") {
		t.Errorf("join: %q %d %v", out, status, err)
	}
	if _, _, err := subsystem(c, "sftp", ""); err == nil {
		t.Error("there is an sftp subsystem")
	}
	if ln, err := c.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
		t.Error("it may forward ports")
	}
	if conn, err := c.Dial("tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "unsupported channel type") {
		t.Errorf("it may dial: %v %v", conn, err)
	}
	if out, status, err := subsystem(c, wire.SubsystemTerraform, ""); status != 0 || !strings.HasPrefix(out, wire.ManifestFile) {
		t.Errorf("terraform: status %d, %v, %.40q", status, err, out)
	}
}

func TestAUserIsToldWhatSubsystemsAreFor(t *testing.T) {
	l := startLab(t)
	c := l.dial(l.key)
	for name, want := range map[string]string{
		wire.SubsystemTerraform: "`config NAME`", wire.SubsystemAgent: "is for agents", wire.SubsystemJoin: "is for agents",
	} {
		if out, status, err := subsystem(c, name, ""); status != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: %q, status %d, %v", name, out, status, err)
		}
	}
}

func TestAnInviteWorksOnceAndForJoiningOnly(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	text, expires, err := l.admin().Invite(t.Context(), "test", "box", "lab.example:22")
	if err != nil {
		t.Fatal(err)
	}
	token, err := wire.ParseToken(text)
	if err != nil || token.Address != "lab.example:22" || token.Fingerprint != gossh.FingerprintSHA256(l.srv.HostKey()) {
		t.Fatalf("%+v %v", token, err)
	}
	if d := time.Until(expires); d < 59*time.Minute || d > time.Hour {
		t.Errorf("it expires in %v", d)
	}
	login, err := gossh.NewSignerFromKey(token.Key())
	if err != nil {
		t.Fatal(err)
	}
	one, two := l.dial(login), l.dial(login)
	if _, _, status := runOn(t, one, "vm list"); status != 1 {
		t.Errorf("a command: status %d", status)
	}
	for _, name := range []string{wire.SubsystemAgent, wire.SubsystemTerraform} {
		if out, status, _ := subsystem(one, name, ""); status != 1 || !strings.Contains(out, "may not use") {
			t.Errorf("%s: %q", name, out)
		}
	}
	for _, bad := range []string{"nonsense\n", "{}\n", joinLine(l.key)} {
		if out, status, _ := subsystem(one, wire.SubsystemJoin, bad); status != 1 || !strings.Contains(out, `"error"`) {
			t.Errorf("%q: %q, status %d", bad, out, status)
		}
	}
	// Two that hold the token: one of them wins.
	outs := make(chan string, 2)
	for _, c := range []*gossh.Client{one, two} {
		go func() {
			out, _, _ := subsystem(c, wire.SubsystemJoin, joinLine(newKeyPair(t)))
			outs <- out
		}()
	}
	joined := 0
	for range 2 {
		if strings.Contains(<-outs, `"hypervisor":"box"`) {
			joined++
		}
	}
	if joined != 1 {
		t.Errorf("%d joined", joined)
	}
	if c, err := l.tryDial(login); err == nil {
		c.Close()
		t.Error("the token lets in again")
	}
}

func TestAnExpiredInviteIsAStranger(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := newKeyPair(t)
	l.commit(func(s *model.State) error {
		s.Invites["box"] = model.Invite{Hypervisor: "box", Fingerprint: gossh.FingerprintSHA256(key.PublicKey()), Expires: time.Now().Add(-time.Second)}
		return nil
	})
	if c, err := l.tryDial(key); err == nil {
		c.Close()
		t.Error("it got in")
	}
}

func TestRemovedKeysAreOutAtOnce(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	agent := l.agent(l.join("box"), wire.Hello{})
	agent.expect(wire.KindWelcome)
	if err := l.admin().Revoke(t.Context(), "test", "box"); err != nil {
		t.Fatal(err)
	}
	agent.over()
	eventually(t, "the agent is unknown", func() bool { return l.srv.observed.hypervisor("box").Agent == model.AgentNever })
}

func TestCommands(t *testing.T) {
	l := startLab(t)
	if out, errs, status := l.run("vm list"); status != 0 {
		t.Errorf("status %d, %q %q", status, out, errs)
	}
	if out, errs, status := l.run("no-such-noun"); status != 2 || out != "" || errs == "" {
		t.Errorf("status %d, %q %q", status, out, errs)
	}
	if out, errs, status := l.run(""); status != 2 || out != "" || !strings.Contains(errs, "vm") {
		t.Errorf("without a command: status %d, %q %q", status, out, errs)
	}
	if _, errs, status := l.run("  "); status != 2 || !strings.Contains(errs, "empty") {
		t.Errorf("white space: status %d, %q", status, errs)
	}
}

func TestNoCommandExits255(t *testing.T) {
	for code, want := range map[int]int{0: 0, 1: 1, 130: 130, 255: 1, -1: 1, 300: 1} {
		l := startLab(t, func(s *Server) {
			s.command = func(context.Context, *lab, []string, command.IO) int { return code }
		})
		if _, _, status := l.run("x"); status != want {
			t.Errorf("%d becomes %d", code, status)
		}
	}
}

func TestAPanicEndsOneSessionOnly(t *testing.T) {
	l := startLab(t, func(s *Server) {
		s.command = func(_ context.Context, _ *lab, args []string, io command.IO) int {
			if args[0] == "panic" {
				panic("on purpose")
			}
			fmt.Fprint(io.Out, "fine")
			return 0
		}
	})
	c := l.dial(l.key)
	if _, errs, status := runOn(t, c, "panic"); status != 1 || !strings.Contains(errs, "its log says") {
		t.Errorf("status %d, %q", status, errs)
	}
	if out, _, status := runOn(t, c, "x"); status != 0 || out != "fine" {
		t.Errorf("the next: status %d, %q", status, out)
	}
}

func TestACommandEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	l := startLab(t, func(s *Server) {
		s.keepalive = 20 * time.Millisecond
		s.command = func(ctx context.Context, _ *lab, _ []string, io command.IO) int {
			fmt.Fprint(io.Out, "started")
			<-ctx.Done()
			ended <- ctx.Err()
			return 130
		}
	})
	// The session only is closed, on a connection that stays.
	c := l.dial(l.key)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("watch"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	<-ended
}

func TestOneConnectionHasNotTooManySessions(t *testing.T) {
	var release sync.WaitGroup
	release.Add(1)
	l := startLab(t, func(s *Server) {
		s.command = func(context.Context, *lab, []string, command.IO) int { release.Wait(); return 0 }
	})
	defer release.Done()
	c := l.dial(l.key)
	for n := 0; ; n++ {
		s, err := c.NewSession()
		if err != nil {
			if n != maxSessions || !strings.Contains(err.Error(), "at most") {
				t.Errorf("session %d: %v", n, err)
			}
			return
		}
		if n > maxSessions {
			t.Fatal("no limit")
		}
		if err := s.Start("x"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKnockingIsLimitedAndKeepsNobodyOut(t *testing.T) {
	l := startLab(t)
	var knocking []net.Conn
	defer func() {
		for _, c := range knocking {
			c.Close()
		}
	}()
	for range maxStrangersOfAddress + 10 {
		c, err := net.Dial("tcp", l.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		knocking = append(knocking, c)
	}
	eventually(t, "the limit is reached", func() bool {
		l.srv.strangers.mu.Lock()
		defer l.srv.strangers.mu.Unlock()
		return l.srv.strangers.total == maxStrangersOfAddress
	})
	for _, c := range knocking {
		c.Close()
	}
	eventually(t, "one gets in", func() bool {
		c, err := l.tryDial(l.key)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestManyConnections(t *testing.T) {
	l := startLab(t)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 3 {
				c, err := l.tryDial(l.key)
				if err != nil {
					if !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") { // over the limit of strangers
						t.Error(err)
					}
					continue
				}
				_, _, status := runOn(t, c, "profile list")
				c.Close()
				if status != 0 {
					t.Errorf("status %d", status)
				}
			}
		})
	}
	all.Wait()
}

func TestTheHostKeyIsMadeOnce(t *testing.T) {
	l := startLab(t)
	before := gossh.FingerprintSHA256(l.srv.HostKey())
	info, err := os.Stat(filepath.Join(l.data, hostKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.start()
	if after := gossh.FingerprintSHA256(l.srv.HostKey()); after != before {
		t.Errorf("%s became %s", before, after)
	}
	if _, _, status := l.run("vm list"); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestFirstStartWithoutAKey(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "authorized_keys")
	locked := `no-pty,command="/bin/true" ` + string(gossh.MarshalAuthorizedKey(newKeyPair(t).PublicKey()))
	if err := os.WriteFile(empty, []byte("# none\n"+locked+"nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{Data: filepath.Join(dir, "data"), AuthorizedKeys: []string{empty}})
	if err == nil || !strings.Contains(err.Error(), "ssh-keygen -t ed25519") {
		t.Errorf("error %v", err)
	}
	// The folder is usable afterwards.
	key := newKeyPair(t)
	if err := os.WriteFile(empty, append([]byte("nonsense\n"+locked), gossh.MarshalAuthorizedKey(key.PublicKey())...), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	s, err := New(Options{Data: filepath.Join(dir, "data"), AuthorizedKeys: []string{empty}, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer s.store.Close()
	if fp := gossh.FingerprintSHA256(key.PublicKey()); !strings.Contains(out.String(), fp) || strings.Count(out.String(), "SHA256:") < 1 {
		t.Errorf("it says %q", out.String())
	}
	for _, u := range s.store.State().Users {
		if len(u.Keys) != 1 || u.Role != model.RoleAdmin {
			t.Errorf("%+v", u)
		}
	}
}

func TestSSHAudit(t *testing.T) {
	audit, err := exec.LookPath("ssh-audit")
	if err != nil {
		t.Skip("ssh-audit is not installed (Debian's ssh-audit)")
	}
	l := startLab(t)
	host, port, _ := net.SplitHostPort(l.srv.Addr().String())
	out, err := exec.Command(audit, "--skip-rate-test", "-n", "-p", port, host).CombinedOutput()
	if strings.Contains(string(out), "skip-rate-test") {
		out, err = exec.Command(audit, "-n", "-p", port, host).CombinedOutput()
	}
	for line := range strings.Lines(string(out)) {
		bad := strings.Contains(line, "[fail]") || strings.Contains(line, "[warn]")
		// An older ssh-audit does not know the newest key exchange.
		if bad && !strings.Contains(line, "unknown algorithm") {
			t.Error(strings.TrimSpace(line))
		}
	}
	if !strings.Contains(string(out), "ssh-ed25519") {
		t.Errorf("ssh-audit: %v", err)
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
