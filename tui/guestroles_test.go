package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// withRole gives the role of some VM something of its own.
func withRole(l *fakeLab) *fakeLab {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state.Clone()
	s.Roles["web"] = model.GuestRole{Name: "web", Packages: []string{"nginx", "certbot"}, UserData: "write_files:\n  - path: /etc/motd\n    content: hello\n"}
	l.state = s
	return l
}

// TestRoleIsGivenUserData pastes YAML into the form: its lines stay lines.
func TestRoleIsGivenUserData(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("g", "l")
	d.see("Roles", "web")
	d.press("n")
	d.typed("proxy")
	d.press("tab")
	d.typed("haproxy, nginx")
	d.press("tab")
	d.see("none: paste it here")
	d.handle(tea.PasteMsg{Content: "runcmd:\r\n  - [touch, /x]\r\n\r\n"})
	d.see("2 lines")
	d.press("ctrl+s")
	d.see("role proxy", "revision 9", "runcmd:", "- [touch, /x]")
	role := l.State().Roles["proxy"]
	if role.UserData != "runcmd:\n  - [touch, /x]\n" || len(role.Packages) != 2 {
		t.Fatalf("%+v", role)
	}

	d.press("e", "tab", "backspace")
	d.see("was 2 lines")
	d.press("ctrl+s")
	d.see("revision 10")
	if role := l.State().Roles["proxy"]; role.UserData != "" {
		t.Errorf("%+v", role)
	}
	d.press("d")
	d.see("Take away what role proxy has")
	d.press("y")
	d.see("revision 11")
	if _, ok := l.State().Roles["proxy"]; ok {
		t.Error("it is there still")
	}
	d.press("home", "d")
	d.see("it has nothing of its own")
}

// TestUserDataThatIsWrongIsBlamed keeps what was pasted.
func TestUserDataThatIsWrongIsBlamed(t *testing.T) {
	d := drive(t, withRole(newLab()), 100, 30)
	d.press("g", "l")
	for !strings.Contains(d.screen(), "▌ web") {
		d.press("down")
	}
	d.press("e", "tab")
	d.handle(tea.PasteMsg{Content: "motd: \x1b[2J\nb: c\n"})
	d.press("ctrl+s")
	d.see("must be text without control characters", "2 lines")
}

// TestARoleOfNothingIsRefused: it would not be there after it was added.
func TestARoleOfNothingIsRefused(t *testing.T) {
	l := newLab()
	d := drive(t, l, 80, 24)
	d.press("g", "l", "n")
	d.typed("cache")
	d.press("ctrl+s")
	d.see("not saved: packages or user-data must be given: else it is only a label")
	d.typed("redis")
	d.press("ctrl+s")
	d.see("Add role cache, revision 9")
}
