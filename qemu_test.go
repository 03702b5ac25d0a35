package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// screen collects what a terminal is sent.
type screen struct {
	mu   sync.Mutex
	sent bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.Write(p)
}

func (s *screen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.sent.String(), text)
}

// TestArm64ServesADashboard runs the binary for a Pi in an emulator, and opens
// the dashboard of it.
func TestArm64ServesADashboard(t *testing.T) {
	emulator, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		if emulator, err = exec.LookPath("qemu-aarch64-static"); err != nil {
			t.Skip("qemu-aarch64 is not installed (Debian's qemu-user)")
		}
	}
	bin := filepath.Join(t.TempDir(), "homelab-arm64")
	releaseBinary(t, bin, "0.5.0", "GOARCH=arm64")
	out, err := exec.Command(emulator, bin, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "homelab 0.5.0 ") || !strings.Contains(string(out), "linux/arm64") {
		t.Fatalf("version: %v\n%s", err, out)
	}
	l := newLab(t)
	l.server.terminate()
	wrapper := filepath.Join(l.dir, "homelab-emulated")
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nexec "+emulator+" "+bin+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.bin = wrapper
	l.serve()
	l.must("hypervisor", "add", "thinkpad", "--platform", "sandbox")
	session, err := l.dial().NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	shown := &screen{}
	session.Stdout = shown
	if err := errors.Join(session.RequestPty("xterm-256color", 30, 100, ssh.TerminalModes{}), session.Shell()); err != nil {
		t.Fatal(err)
	}
	l.eventually("the dashboard shows the hypervisor", time.Minute, func() error {
		if !shown.has("thinkpad") {
			return errors.New("it does not")
		}
		return nil
	})
}
