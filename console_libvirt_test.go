package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tmux is a terminal in which a person's ssh runs.
type tmux struct {
	b      *bench
	socket string
}

// terminal opens `ssh -t` with a command, "" for the dashboard, in a terminal.
func (b *bench) terminal(name, command string, columns, rows int) tmux {
	b.t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		b.t.Skip("tmux is not installed")
	}
	x := tmux{b, filepath.Join(b.dir, name)}
	args := append([]string{"new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), "ssh", "-t"}, b.sshArgs()...)
	if command != "" {
		args = append(args, command)
	}
	x.do(args...)
	x.do("set-option", "status", "off") // it takes a row
	x.do("set-option", "remain-on-exit", "on")
	b.t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x tmux) do(args ...string) string {
	x.b.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", x.socket}, args...)...).CombinedOutput()
	if err != nil {
		x.b.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

func (x tmux) keys(keys ...string) { x.b.t.Helper(); x.do(append([]string{"send-keys"}, keys...)...) }

// typed types a text as it is.
func (x tmux) typed(text string) { x.b.t.Helper(); x.do("send-keys", "-l", text) }

// shows waits until the screen shows all of what is wanted.
func (x tmux) shows(within time.Duration, wanted ...string) {
	x.b.t.Helper()
	x.b.eventually(fmt.Sprintf("the terminal shows %q", wanted), within, func() error {
		text := x.do("capture-pane", "-p")
		for _, w := range wanted {
			if !strings.Contains(text, w) {
				return errors.New(text)
			}
		}
		return nil
	})
}

// TestLibvirtConsole types at a real guest's serial port: a shell, a full-screen
// program, the size of the window; two people, one keyboard; the dashboard; and
// the guest's end.
func TestLibvirtConsole(t *testing.T) {
	b := newBenchOf(t, "conbench", "conguest")
	b.must("hypervisor", "add", "conbench", "--network", "macvtap:enp0s20f0u4")
	b.must("pool", "edit", "conbench", "default", "--path", b.pool)
	b.must("image", "add", "conguest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	b.must("vm", "add", "web", "--hypervisor", "conbench", "--image", "conguest", "--memory", "160MiB")
	b.join("conbench", "")
	b.inSync("conbench", 3*time.Minute)

	const soon = 30 * time.Second
	ada := b.terminal("ada", "console web", 100, 30)
	ada.shows(soon, "this is the console of web on conbench")
	ada.shows(90*time.Second, "guest up: name=web-on-conbench")
	ada.typed("echo six times seven is $((6*7))")
	ada.keys("Enter")
	ada.shows(soon, "six times seven is 42")

	// The guest is told the size of the window.
	ada.keys("C-]", "s")
	ada.typed("stty size")
	ada.keys("Enter")
	ada.shows(soon, "30 100")
	ada.do("resize-window", "-x", "90", "-y", "28")
	ada.keys("C-]", "s")
	ada.typed("stty size")
	ada.keys("Enter")
	ada.shows(soon, "28 90")

	// Ctrl-C is for what runs in the guest.
	ada.typed("echo it sle''eps; sleep 600")
	ada.keys("Enter")
	ada.shows(soon, "it sleeps")
	ada.keys("C-c")
	ada.typed("echo it ended with $?")
	ada.keys("Enter")
	ada.shows(soon, "it ended with 130")

	// A full-screen program.
	ada.typed("TERM=xterm vi /tmp/text")
	ada.keys("Enter")
	ada.shows(soon, "~\n~\n~")
	ada.typed(":q!")
	ada.keys("Enter")
	ada.typed("echo out of v''i")
	ada.keys("Enter")
	ada.shows(soon, "out of vi")

	// A second person watches and takes over.
	grace := b.terminal("grace", "console web", 100, 30)
	grace.shows(soon, "has the keyboard", "guest up")
	grace.keys("C-]", "w")
	grace.shows(soon, "you have the keyboard")
	grace.typed("echo from gr''ace")
	grace.keys("Enter")
	ada.shows(soon, "has taken the keyboard", "from grace")
	grace.keys("C-]", "q")
	grace.shows(soon, "is closed: you have left")
	ada.keys("C-]", "w")

	// The dashboard comes back.
	dash := b.terminal("dash", "", 100, 30)
	dash.shows(soon, "conbench")
	dash.keys("2")
	dash.shows(soon, "running")
	dash.keys("V")
	dash.shows(soon, "has the keyboard", "guest up")
	dash.keys("C-]", "q")
	dash.shows(soon, "HYPERVISOR", "running")
	dash.keys("3")
	dash.shows(soon, "Profiles")
	dash.keys("q")

	// It ends with the guest.
	b.must("vm", "stop", "web", "--yes")
	ada.shows(90*time.Second, "is closed: the guest is stop") // stopping, or stopped
	b.eventually("the console of a guest that is off is refused", soon, func() error {
		_, err := b.ssh(nil, "console", "web")
		if err == nil || !strings.Contains(err.Error(), "stopped: start it first") {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
}
