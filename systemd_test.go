package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// machine is this one once more, under a systemd of its own, as root of
// namespaces: see testdata/systemd/boot.
type machine struct {
	t    *testing.T
	pid  string // of its systemd
	port string // of the server that is installed
}

// bootMachine starts one, which ends with the test.
func bootMachine(t *testing.T) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may start a systemd in namespaces")
	}
	for _, tool := range []string{"/usr/lib/systemd/systemd", "unshare", "nsenter", "ip", "ssh", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	boot := exec.Command("testdata/systemd/boot", t.TempDir())
	var said bytes.Buffer
	boot.Stdout, boot.Stderr = &said, &said
	if err := boot.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- boot.Wait() }()
	t.Cleanup(func() {
		_ = boot.Process.Kill()
		<-over
		removeCgroups(t, boot.Process.Pid)
	})
	m := &machine{t: t, port: "2222"}
	deadline := time.After(time.Minute)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case err := <-over:
			over <- err
			t.Skipf("this machine lets none start in namespaces: %v\n%s", err, said.String())
		case <-deadline:
			t.Fatalf("systemd does not come up\n%s", said.String())
		case <-tick.C:
		}
		id := strconv.Itoa(boot.Process.Pid)
		children, _ := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
		if m.pid = strings.TrimSpace(string(children)); m.pid == "" {
			continue
		}
		if name, _ := os.ReadFile(filepath.Join("/proc", m.pid, "comm")); string(name) != "systemd\n" {
			continue
		}
		if state, _ := m.do("systemctl", "is-system-running"); state == "running\n" || state == "degraded\n" {
			return m
		}
	}
}

// removeCgroups removes those that a machine has left, once they are empty.
func removeCgroups(t *testing.T, boot int) {
	all, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/homelab-test.%d", boot))
	more, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/unified/homelab-test.%d", boot))
	for _, top := range append(all, more...) {
		deadline := time.Now().Add(20 * time.Second)
		for os.Remove(top) != nil && time.Now().Before(deadline) {
			_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					_ = os.Remove(path) // refused while something is in it
				}
				return nil
			})
		}
		if _, err := os.Stat(top); err == nil {
			t.Errorf("%s is left over", top)
		}
	}
}

// do runs a program on the machine and returns what it says on both streams.
func (m *machine) do(args ...string) (string, error) {
	cmd := exec.Command("nsenter", append([]string{"--target", m.pid, "--all", "env", "HOME=/root"}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) must(args ...string) string {
	m.t.Helper()
	out, err := m.do(args...)
	if err != nil {
		journal, _ := m.do("journalctl", "--no-pager", "-n", "40", "-u", "homelab-*")
		m.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, journal)
	}
	return out
}

// ssh runs a command of the server that is installed.
func (m *machine) ssh(args ...string) (string, error) {
	return m.do(append([]string{"ssh", "-F", "none", "-p", m.port, "-i", "/root/key", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR", "localhost"}, args...)...)
}

// shows waits until a command's output matches.
func (m *machine) shows(pattern string, args ...string) {
	m.t.Helper()
	re, deadline := regexp.MustCompile(pattern), time.Now().Add(30*time.Second)
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		out, err := m.ssh(args...)
		if err == nil && re.MatchString(out) {
			return
		}
		if time.Now().After(deadline) {
			journal, _ := m.do("journalctl", "--no-pager", "-n", "40", "-u", "homelab-*")
			m.t.Fatalf("%s never shows %s: %v\n%s\n%s", strings.Join(args, " "), pattern, err, out, journal)
		}
	}
}

// TestInstalledUnderSystemd installs server and agent on a machine whose systemd
// starts them: with the rights that their units leave them, the agent joins, the
// server comes back when it is killed, and uninstall takes both away.
func TestInstalledUnderSystemd(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "homelab")
	m := bootMachine(t)
	releaseBinary(t, bin, "0.5.0")
	put := exec.Command("nsenter", "--target", m.pid, "--all", "sh", "-c", "cat >/root/homelab && chmod 755 /root/homelab")
	put.Stdin, _ = os.Open(bin)
	if out, err := put.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.must("sh", "-ec", "rm -rf /root/.ssh; mkdir -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -C ann@laptop -f /root/key; cp /root/key.pub /root/.ssh/id_ed25519.pub")
	m.must("sh", "-ec", "mkdir -p /var/lib/homelab/server; echo damaged >/var/lib/homelab/server/homelab.db")
	if out, err := m.do("/root/homelab", "install", "server"); err == nil || !strings.Contains(out, "systemctl restart homelab-server.service: ") {
		t.Errorf("a server that does not come up: %v\n%s", err, out)
	}
	m.must("rm", "/var/lib/homelab/server/homelab.db")
	if out := m.must("/root/homelab", "install", "server"); !strings.Contains(out, "the server runs; connect with: ssh -p 2222 ") {
		t.Errorf("install says\n%s", out)
	}
	m.shows(`(?m)^ann +admin +1`, "user", "list")
	server := m.mainPID("homelab-server")
	status := m.must("cat", "/proc/"+server+"/status")
	for _, line := range []string{`Uid:\t[1-9]\d*\t`, `CapEff:\t0+\n`, `CapBnd:\t0+\n`, `NoNewPrivs:\t1\n`, `Seccomp:\t2\n`} {
		if !regexp.MustCompile(line).MatchString(status) {
			t.Errorf("the server's rights: no %s in\n%s", line, status)
		}
	}
	m.must("kill", "-9", server)
	m.shows(`(?m)^ann +admin +1`, "user", "list")

	m.shows("is added", "hypervisor", "add", "box", "--platform", "sandbox")
	out, err := m.ssh("agent", "invite", "--json", "box")
	var invite struct {
		Token string `json:"token"`
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &invite)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out := m.must("/root/homelab", "install", "agent", "--join", invite.Token); !strings.Contains(out, "joined as box") {
		t.Errorf("install says\n%s", out)
	}
	m.shows(`(?m)^box +online`, "agent", "list")
	m.must("systemctl", "restart", "homelab-agent")
	m.shows(`(?m)^\d+ .*agent box .*began to serve box +2$`, "history", "--audit")

	m.port = "2223"
	if out := m.must("/root/homelab", "install", "server", "--port", m.port); !strings.Contains(out, "look for it on port 2222 still") {
		t.Errorf("install says\n%s", out)
	}
	if out := m.must("/root/homelab", "install", "agent", "--server", "localhost:"+m.port); !strings.Contains(out, "box looks for the server at localhost:2223 from now on") {
		t.Errorf("install says\n%s", out)
	}
	m.shows(`(?m)^box +online`, "agent", "list")

	out = m.must("/root/homelab", "uninstall")
	for _, unit := range []string{"homelab-server", "homelab-agent"} {
		if state, err := m.do("systemctl", "is-active", unit); err == nil || !strings.Contains(out, "removed /etc/systemd/system/"+unit) {
			t.Errorf("%s is %s after\n%s", unit, state, out)
		}
	}
	m.must("test", "-s", "/var/lib/homelab/server/homelab.db")
	if _, err := m.do("test", "-e", "/usr/local/bin/homelab"); err == nil {
		t.Error("the program is left")
	}
}

// mainPID is the process of a unit.
func (m *machine) mainPID(unit string) string {
	m.t.Helper()
	return strings.TrimSpace(m.must("systemctl", "show", "--property=MainPID", "--value", unit))
}
