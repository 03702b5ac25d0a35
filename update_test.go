package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// release builds a binary of a version.
func releaseBinary(t *testing.T, file, version string, env ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X homelab/server/local.stamp=homelab-release:"+version+";", "-o", file, ".")
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// brokenBinary is a program of homelab's that ends as soon as it starts.
func brokenBinary(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module homelab\n\ngo 1.26.0\n",
		"main.go": "package main\n\nvar stamp string\n\nfunc main() { panic(\"broken release \" + stamp) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-ldflags", "-X main.stamp=homelab-release:0.6.0;", "-o", file, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// TestAgentUpdate has a server of 0.5.0 update an agent of 0.3.0 over the
// connection that it has, and take a broken release back.
func TestAgentUpdate(t *testing.T) {
	needTerraform(t)
	if testing.Short() {
		t.Skip("builds three binaries")
	}
	bins := t.TempDir()
	old, current, broken := filepath.Join(bins, "homelab"), filepath.Join(bins, "0.5.0"), filepath.Join(bins, "0.6.0")
	releaseBinary(t, old, "0.3.0")
	releaseBinary(t, current, "0.5.0")
	brokenBinary(t, broken)
	l := newLab(t)
	l.server.terminate()
	l.bin = current
	l.serve()
	l.must("hypervisor", "add", "h1", "--platform", "sandbox")
	l.bin = old
	agent := l.join("h1", "")
	l.inSync("h1", time.Minute)
	if out := l.must("agent", "list"); !strings.Contains(out, "0.3.0 (old)") {
		t.Errorf("the agent is old:\n%s", out)
	}
	if out := l.must("hypervisor", "show", "h1", "--json"); !strings.Contains(out, "agent 0.3.0, server 0.5.0: agent update h1") {
		t.Errorf("its hypervisor does not say so:\n%s", out)
	}
	if _, err := l.ssh(nil, "agent", "update", "h1"); err == nil || !strings.Contains(err.Error(), "there is no program for linux_"+runtime.GOARCH) {
		t.Errorf("without a binary: %v", err)
	}
	if _, err := l.ssh([]byte("#!/bin/sh\n"), "agent", "upload"); err == nil || !strings.Contains(err.Error(), "no program that Go has built") {
		t.Errorf("a script is taken: %v", err)
	}
	upload := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.ssh(data, "agent", "upload")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}

	// A release that does not come up.
	if out := upload(broken); !strings.Contains(out, "version 0.6.0 for linux_"+runtime.GOARCH) {
		t.Errorf("uploaded: %s", out)
	}
	if _, err := l.ssh(nil, "agent", "update", "h1"); err == nil || !strings.Contains(err.Error(), "is on version 0.3.0 as before: version 0.6.0 does not come up") {
		t.Errorf("a broken release: %v", err)
	}
	if now, err := os.ReadFile(old); err != nil || !bytes.Equal(before, now) {
		t.Errorf("the old program is another one: %v", err)
	}
	if left, _ := filepath.Glob(old + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	upload(current)
	if out := l.must("agent", "update", "--all"); !strings.Contains(out, "h1 has version 0.5.0 now") {
		t.Errorf("updated: %s", out)
	}
	select {
	case <-agent.done:
		t.Error("the agent's process ended, where it becomes the new program")
	default:
	}
	if kept, err := os.ReadFile(old + ".old"); err != nil || !bytes.Equal(before, kept) {
		t.Errorf("the old program is not kept: %v", err)
	}
	if out := l.must("agent", "list", "--json"); !strings.Contains(out, `"agent_version": "0.5.0"`) || strings.Contains(out, "agent_old") {
		t.Errorf("after the update:\n%s", out)
	}
	if out := l.must("agent", "update", "h1"); !strings.Contains(out, "0.5.0 already") {
		t.Errorf("again: %s", out)
	}
	l.must("vm", "add", "web", "--hypervisor", "h1", "--image", l.image())
	l.inSync("h1", time.Minute) // and it works
}

// image adds an image and returns its name.
func (l *lab) image() string {
	l.must("image", "add", "img", "--path", "/srv/img.qcow2")
	return "img"
}

// TestVersionSaysWhatItIs reads what a release says of itself.
func TestVersionSaysWhatItIs(t *testing.T) {
	out, err := homelab(t, "version")
	if want := fmt.Sprintf(" %s/%s %s, protocol ", runtime.GOOS, runtime.GOARCH, runtime.Version()); err != nil || !strings.HasPrefix(out, "homelab ") || !strings.Contains(out, want) {
		t.Errorf("%q, %v", out, err)
	}
}
