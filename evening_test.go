package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pictures is where TestEvening puts pictures of what it sees.
var pictures = flag.String("pictures", "", "folder that pictures of the evening's screens are written into, such as docs")

// openDemo starts the demo (a real server, real agents with a real terraform)
// and connects to it with the system's own ssh client.
func openDemo(t *testing.T, w, h int) *terminal {
	t.Helper()
	for _, tool := range []string{"ssh", "terraform"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	l := &lab{t: t, dir: t.TempDir()}
	l.start("demo", "demo", "--headless", "--listen", "127.0.0.1:0")
	var config string
	l.eventually("the demo answers", time.Minute, func() error {
		said, err := os.ReadFile(filepath.Join(l.dir, "demo.log"))
		if err != nil {
			return err
		}
		var found bool
		if _, config, found = strings.Cut(string(said), "ssh -F "); !found {
			return errors.New("it has not said how to connect")
		}
		config, _, _ = strings.Cut(config, " demo")
		return exec.Command("ssh", "-F", config, "demo", "help").Run()
	})
	return openTerminal(t, w, h, "ssh", "-F", config, "-t", "demo")
}

// TestEvening is an evening's work in the dashboard: two VMs are added, the run
// that makes them is watched, the profile is switched, a machine is powered on,
// and the switch is undone.
func TestEvening(t *testing.T) {
	x := openDemo(t, 120, 40)
	x.see("homelab", "1 Home", "thinkpad", "MACHINES UP")
	x.row("thinkpad", "in sync")
	x.row("desktop", "in sync")
	x.row("rack", "off")

	t.Log("two VMs are added")
	x.press("2")
	for _, name := range []string{"wiki", "chat"} {
		x.press("n")
		x.see("SAVING WILL")
		x.press(name)
		x.see("is created")
		x.press("ctrl+s")
		x.gone("SAVING WILL")
		x.row(name)
	}
	x.row("wiki", "● running")
	x.row("chat", "● running")
	x.picture("vms")

	t.Log("the run is watched, and what its plan was")
	x.press("6")
	x.see("CHANGES")
	x.press("home", "enter")
	x.see("✓ succeeded", "chat", "LOG")
	x.picture("run")
	x.press("v")
	x.see("is made", "chat")
	x.picture("plan")

	t.Log("the profile is switched")
	x.press("3")
	x.see("MEMBERS OF")
	x.press("end", "v")
	x.see("ONLY IN weekend", "games")
	x.picture("profiles")
	x.press("a")
	x.see("Switch to profile weekend?", "games")
	x.press("y")
	x.see("profile weekend")
	x.press("2")
	x.row("games", "● running")
	x.row("ci", "inactive")

	t.Log("a machine is powered on")
	x.press("1")
	x.see("MACHINES UP")
	x.press("/", "rack")
	x.gone("thinkpad")
	x.press("enter", "o")
	x.row("rack", "● on", "online", "in sync")
	x.press("esc")
	x.row("thinkpad", "in sync")
	x.see("3 of 3")

	t.Log("the switch of the profile is undone")
	x.press("7", "/", "weekend")
	x.see("profile weekend is active")
	x.press("enter", "home", "u")
	x.see("Undo revision", "ci")
	x.press("y")
	x.gone("leave it as it is")
	x.press("1")
	x.see("MACHINES UP", "12 of 12", "profile default")
	x.within(2*time.Minute, "all of them, and the detail of one, in sync", func(s string) bool { return strings.Count(s, "✓ in sync") == 4 })
	x.see("All is well")
	x.picture("dashboard")

	t.Log("and looked at from a sofa")
	x.press("W")
	x.see("Plots of the lab", "MEMORY", "now")
	x.picture("watts")
	x.press("esc") // by itself: before another key it would be alt
	x.see("MACHINES UP")
	x.press("enter", "right", "right")
	x.see("main.tf", "terraform_data")
	x.picture("config")
	x.resize(40, 12)
	x.press("1")
	x.row("GUESTS", "STATE")
	x.picture("phone")
	x.press("q")
	x.closed()
}
