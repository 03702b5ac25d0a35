package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// lab is a home lab of real processes on loopback: one server, agents, and the
// system's own ssh client.
type lab struct {
	t      testing.TB
	dir    string
	listen string
	env    []string // more environment of server and agents
	bin    string   // the program to start; empty is the one under test
	server *process
}

// binary builds homelab once for all tests: with the race detector where the
// test has it, else without cgo, as it is meant to be shipped.
var binary = sync.OnceValues(func() (string, error) {
	var err error
	if binaryFolder, err = os.MkdirTemp("", "homelab-test-"); err != nil {
		return "", err
	}
	bin := filepath.Join(binaryFolder, "homelab")
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if raceEnabled {
		build = exec.Command("go", "build", "-race", "-o", bin, ".")
	}
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

var binaryFolder string // of the built binary; empty until a test needs it

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryFolder != "" {
		_ = os.RemoveAll(binaryFolder)
	}
	os.Exit(code)
}

// newLab starts a server with one admin.
func newLab(t testing.TB, env ...string) *lab {
	t.Helper()
	for _, tool := range []string{"ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian's openssh-client)", tool)
		}
	}
	l := &lab{t: t, dir: t.TempDir(), listen: freeAddress(t), env: env}
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tester", "-f", l.key()).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	l.serve()
	return l
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func (l *lab) key() string { return filepath.Join(l.dir, "id_ed25519") }

// serve starts the server and waits until it answers.
func (l *lab) serve() {
	l.t.Helper()
	l.server = l.start("server", "serve", "--listen", l.listen, "--data", filepath.Join(l.dir, "server"), "--authorized-keys", l.key()+".pub")
	l.eventually("the server answers", 20*time.Second, func() error {
		_, err := l.ssh(nil, "help")
		return err
	})
}

// join invites a hypervisor's agent and starts it; address is what the agent
// dials, "" the server's own.
func (l *lab) join(hypervisor, address string) *process {
	l.t.Helper()
	args := []string{"agent", "invite", "--json", hypervisor}
	if address != "" {
		args = append(args, "--address", address)
	}
	var invite struct {
		Token string `json:"token"`
	}
	l.decode(l.must(args...), &invite)
	return l.start(hypervisor, "agent", "--data", filepath.Join(l.dir, "agent-"+hypervisor), "--join", invite.Token)
}

// rejoin starts the agent of a hypervisor that has joined before.
func (l *lab) rejoin(hypervisor string) *process {
	l.t.Helper()
	return l.start(hypervisor, "agent", "--data", filepath.Join(l.dir, "agent-"+hypervisor))
}

// sshArgs are the client's options; nothing of the tester's own configuration
// counts.
func (l *lab) sshArgs() []string {
	host, port, _ := net.SplitHostPort(l.listen)
	return []string{
		"-F", "none", "-p", port, "-i", l.key(), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile=" + filepath.Join(l.dir, "known_hosts"), "-o", "StrictHostKeyChecking=accept-new",
		"-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", "tester@" + host,
	}
}

// ssh runs one command; its error carries standard error and the exit status.
func (l *lab) ssh(stdin []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// ssh joins the words with spaces for the other side to split again.
	cmd := exec.CommandContext(ctx, "ssh", append(append(l.sshArgs()[:len(l.sshArgs())-1], "-T", l.sshArgs()[len(l.sshArgs())-1]), args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("ssh … %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// must runs a command that has to succeed.
func (l *lab) must(args ...string) string {
	l.t.Helper()
	out, err := l.ssh(nil, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l *lab) decode(text string, v any) {
	l.t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		l.t.Fatalf("%v in %q", err, text)
	}
}

// eventually waits for a condition and fails with its last error.
func (l *lab) eventually(what string, within time.Duration, check func() error) {
	l.t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("waited %s until %s: %v%s", within, what, err, l.logs())
		}
		<-tick.C
	}
}

// logs are the ends of the processes' logs, for a failed test.
func (l *lab) logs() string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(l.dir, "*.log"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		fmt.Fprintf(&b, "\n--- %s\n%s", filepath.Base(file), text[max(0, len(text)-4000):])
	}
	return b.String()
}

// inSync waits until a hypervisor has applied what is desired.
func (l *lab) inSync(hypervisor string, within time.Duration) {
	l.t.Helper()
	l.eventually(hypervisor+" is in sync", within, func() error {
		out, err := l.ssh(nil, "hypervisor", "show", hypervisor, "--json")
		if err != nil {
			return err
		}
		var h struct {
			Status struct {
				Phase, Error                 string
				DesiredDigest, AppliedDigest string
			}
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(out, "_digest", "Digest")), &h); err != nil {
			return err
		}
		if h.Status.Phase != "in sync" {
			return fmt.Errorf("it is %s %s", h.Status.Phase, h.Status.Error)
		}
		if h.Status.DesiredDigest == "" || h.Status.DesiredDigest != h.Status.AppliedDigest {
			return errors.New("in sync with another config")
		}
		return nil
	})
}

// process is one homelab process in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts homelab; its output goes to a log named for what it is.
func (l *lab) start(name string, args ...string) *process {
	l.t.Helper()
	bin, err := binary()
	if err != nil {
		l.t.Fatal(err)
	}
	bin = cmp.Or(l.bin, bin)
	log, err := os.OpenFile(filepath.Join(l.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(append(os.Environ(), "HOME="+l.dir), l.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		log.Close()
		close(p.done)
	}()
	l.t.Cleanup(p.terminate)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// terminate asks first, as an init system does.
func (p *process) terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.kill()
	}
}
