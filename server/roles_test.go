package server

import (
	"encoding/json"
	"strings"
	"testing"

	"homelab/model"
)

// TestUserDataIsForAdmins: what a role's user-data says may be secret, whoever
// asks for it in whatever way.
func TestUserDataIsForAdmins(t *testing.T) {
	const secret = "hunter2-of-the-role"
	l := startLab(t)
	operator := l.as(l.user("op", model.RoleOperator))
	l.commit(
		model.EditRole("web", 0, func(r *model.GuestRole) error {
			r.Packages, r.UserData = []string{"nginx"}, "runcmd: [[echo, "+secret+"]]\n"
			return nil
		}),
	)
	for _, c := range []struct {
		name string
		lab  *lab
		sees bool
	}{{"admin", l.admin(), true}, {"operator", operator, false}} {
		revisions, err := c.lab.History(0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for what, v := range map[string]any{"state": c.lab.State(), "history": revisions} {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), secret) != c.sees || !strings.Contains(string(text), "nginx") {
				t.Errorf("%s's %s: %s", c.name, what, text)
			}
		}
	}
	if got := operator.State().Roles["web"].UserData; got != model.Withheld {
		t.Errorf("an operator sees %q", got)
	}
	edit := model.EditRole("web", 0, func(r *model.GuestRole) error { r.UserData = ""; return nil })
	if _, err := operator.Commit(t.Context(), "", edit); err == nil || !strings.Contains(err.Error(), "needs admin") {
		t.Errorf("an operator edits a role: %v", err)
	}
}

// What an operator may not do is named as what it would be.
func TestWhatIsRefusedIsNamed(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	operator := l.dial(l.user("op", model.RoleOperator))
	for command, want := range map[string]string{
		"user add eve":                           "user eve would be added: op has the role operator and this needs admin",
		"hypervisor edit box --address 10.0.0.9": "hypervisor box would be changed: op has the role operator",
		"hypervisor remove box --yes":            "hypervisor box would be removed: op has the role operator",
	} {
		if _, errs, status := runOn(t, operator, command); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s", command, status, errs)
		}
	}
}
