package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// saltedLab is the lab with what Salt says of some of its VMs and of a
// machine.
func saltedLab() *fakeLab {
	l := newLab()
	web, db := l.state.VMs["devenv"], l.state.VMs["db"]
	failed := &model.SaltResult{Job: "20261122073844211824", At: noon.Add(-time.Hour), Steps: []model.SaltStep{
		{ID: "motd", Name: "/etc/motd", Function: "file.managed", SLS: "core", OK: true, Changes: []string{"diff"}, Comment: "File /etc/motd updated", Seconds: 0.25},
		{ID: "ssh", Name: "ssh", Function: "service.running", SLS: "core", OK: true, Comment: "The service ssh is already running", Seconds: 0.5},
		{ID: "nginx", Name: "nginx", Function: "pkg.installed", SLS: "web", Comment: "Package nginx\x1b[2J was not found:\nno such package in any of the repositories that this machine knows", Seconds: 12},
	}}
	l.status.Minions = map[string]model.SaltStatus{
		web.ID: {Master: "pi-vms", Minion: "devenv-on-tower", State: model.SaltFailed, Since: failed.At, Result: failed},
		db.ID:  {Master: "pi-vms", Minion: "db-on-tower", State: model.SaltConfiguring, Since: noon, Done: 3, Total: 12},
	}
	l.status.SaltMasters = map[string]model.SaltMasterStatus{"pi-vms": {Error: "sudo: a password is required"}}
	tower := l.status.Hypervisors["tower"]
	tower.Salt = &model.SaltStatus{Master: "pi-metal", Minion: "tower", State: model.SaltUp}
	l.status.Hypervisors["tower"] = tower
	return l
}

func TestSaltScreen(t *testing.T) {
	lab := saltedLab()
	d := drive(t, lab, 100, 30)
	d.press("2")
	d.see("failed: nginx", "configuring, 3 of 12")
	d.press("/")
	d.typed("name:devenv")
	d.press("enter", "t")
	d.see("Salt devenv", "devenv-on-tower of pi-vms", "1 h ago, 3 states, 1 changed, 1 failed in 12.8 s", "✗ nginx", "12.0 s", "no such package")
	d.press("T")
	d.see("devenv is configured")
	if got := lab.ordered(); !slices.Contains(got, "salt apply [devenv]") {
		t.Errorf("ordered: %v", got)
	}
	d.press("esc")
	d.see("failed: nginx")
	d.press("i")
	d.see("salt", "failed: nginx", "by pi-vms since 11:00")
}

// TestSaltOfAMachine opens it from a hypervisor.
func TestSaltOfAMachine(t *testing.T) {
	lab := saltedLab()
	d := drive(t, lab, 100, 30)
	d.press("/")
	d.typed("tower")
	d.press("enter", "enter")
	d.see("salt      up")
	d.press("esc", "t")
	d.see("Salt tower", "No state.apply was seen yet")
}

// TestSaltAnywhere draws what Salt says at every size, however long it is.
func TestSaltAnywhere(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			lab := saltedLab()
			d := drive(t, lab, size[0], size[1])
			for _, keys := range []string{"2", "2 / d e v e n v enter t", "pgdown pgdown end home"} {
				for _, k := range strings.Fields(keys) {
					d.press(k)
					d.settle()
				}
				lines := strings.Split(strings.TrimSuffix(d.screen(), "\n"), "\n")
				for i, l := range lines {
					if n := width(l); n > size[0] {
						t.Errorf("%s: line %d is %d wide: %q", keys, i, n, l)
					}
				}
				if strings.Contains(d.screen(), "\x1b[2J") {
					t.Error("what Salt says is obeyed")
				}
			}
		})
	}
}

// mastered gives the lab two Salt masters, of which one does not answer.
func mastered(l *fakeLab) *fakeLab {
	l.state = l.state.Clone()
	l.state.SaltMasters = map[string]model.SaltMaster{
		"pi-metal": {Name: "pi-metal", Address: "192.168.1.240", Serves: model.ServesHypervisors, Reach: []string{"ssh", "pi2", "sudo", "-n"}},
		"pi-vms":   {Name: "pi-vms", Address: "192.168.1.239", Serves: model.ServesVMs, Reach: []string{"sudo", "-n"}},
	}
	l.state.Settings.SaltMaster = "pi-vms"
	l.status.SaltMasters["pi-metal"] = model.SaltMasterStatus{Reached: true, Pending: []string{"nuc"}}
	return l
}

func TestMasterForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("g", "c")
	d.see("No Salt master yet", "n adds one")
	d.press("n")
	d.typed("pi")
	d.press("tab")
	d.typed("192.168.1.239")
	d.press("tab", "tab")
	d.typed("ssh pi2 'sudo")
	d.press("ctrl+s")
	d.see("not saved: reached by unterminated quote")
	d.press("ctrl+u")
	d.typed("ssh pi2 sudo -n")
	d.press("ctrl+s")
	d.see("Add Salt master pi, revision 9", "▌ pi", "ssh pi2 sudo -n")
	if m := lab.State().SaltMasters["pi"]; m.Address != "192.168.1.239" || !slices.Equal(m.Reach, []string{"ssh", "pi2", "sudo", "-n"}) || !m.ServesVMs() {
		t.Errorf("added %+v", m)
	}
	d.press("e")
	d.see("edit Salt master pi", "ssh pi2 sudo -n")
	d.press("esc", "d")
	d.see("Remove Salt master pi?")
	d.press("y")
	d.see("No Salt master yet")
}

// TestTellingPeople sets where messages go, which is secret, and takes it back.
func TestTellingPeople(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 40)
	d.press("9")
	d.see("nothing: e sets where messages go")
	set := func(text string) {
		d.press("e")
		for d.a.top().(*form).fields[d.a.top().(*form).at].key != model.SecretNtfy {
			d.press("tab")
		}
		d.typed(text)
	}
	set("ntfy.sh/x")
	d.press("ctrl+s")
	d.see("not saved: ntfy must be a URL", "•••••")
	d.gone("ntfy.sh/x")
	d.press("ctrl+u")
	d.typed("https://ntfy.sh/lab")
	d.press("ctrl+s")
	d.see("what is secret is kept", "by             ntfy")
	set("none")
	d.see("; none takes it away")
	d.press("ctrl+s")
	d.see("nothing: e sets where messages go")
	want := []string{"settings notify_ntfy=https://ntfy.sh/lab", "settings notify_ntfy="}
	if got := lab.ordered(); !slices.Equal(got, want) {
		t.Errorf("asked %q", got)
	}
}
