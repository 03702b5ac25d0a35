package main

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// TestSSHAudit has ssh-audit look at the server's algorithms: it may fail none
// and warn of none, but for those that an old ssh-audit does not know yet.
func TestSSHAudit(t *testing.T) {
	if _, err := exec.LookPath("ssh-audit"); err != nil {
		t.Skip("ssh-audit is not installed")
	}
	l := newLab(t)
	host, port, _ := net.SplitHostPort(l.listen)
	out, _ := exec.Command("ssh-audit", "-n", "-p", port, host).Output() // its status counts what it does not know, too
	if !strings.Contains(string(out), "(kex) curve25519-sha256") {
		t.Fatalf("ssh-audit saw nothing:\n%s", out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "unknown algorithm") {
			continue
		}
		if strings.Contains(line, "[fail]") || strings.Contains(line, "[warn]") {
			t.Error(line)
		}
	}
}
