package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// dashboard opens the lab's dashboard with the system's own ssh client.
func (l *lab) dashboard(t *testing.T, w, h int) *terminal {
	args := l.sshArgs()
	return openTerminal(t, w, h, "ssh", append(args[:len(args)-1:len(args)-1], "-t", args[len(args)-1])...)
}

// TestRoughNets: a client that stands still holds up nobody, and shows what is
// true when it goes on; one that dies leaves nothing; one that comes back finds
// everything.
func TestRoughNets(t *testing.T) {
	l := newLab(t)
	l.must("hypervisor", "add", "thinkpad", "--platform", "sandbox")
	stopped, other := l.dashboard(t, 100, 30), l.dashboard(t, 100, 30)
	stopped.see("thinkpad")
	other.see("thinkpad")

	if err := stopped.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nuc", "tower", "rack"} {
		l.must("hypervisor", "add", name, "--platform", "sandbox")
		other.row(name)
	}
	other.press("2")
	other.see("No VM here yet")
	other.press("1")
	other.row("rack")
	if strings.Contains(stopped.screen(), "tower") {
		t.Fatal("the stopped client goes on")
	}
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	stopped.row("rack")

	t.Log("one is killed")
	other.press("8")
	connected := func(n int) func(string) bool {
		return func(s string) bool { return strings.Count(s, "dashboard") == n }
	}
	other.press("right")
	other.within(time.Minute, "two dashboards", connected(2))
	if err := stopped.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	other.within(time.Minute, "one dashboard", connected(1))

	t.Log("and is back")
	again := l.dashboard(t, 60, 20)
	again.row("rack")
	again.press("Y")
	again.see("the name")
	again.press("enter")
	select {
	case text := <-again.clip:
		if text != "nuc" {
			t.Errorf("copied %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("nothing is copied; the screen is\n%s", again.screen())
	}
	again.press("q")
	again.closed()
}
