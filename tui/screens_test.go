package tui

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// publicKey is the public half of a key that nobody has.
func publicKey(of string) string {
	seed := sha256.Sum256([]byte(of))
	blob := "\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + string(seed[:])
	return "ssh-ed25519 " + base64.StdEncoding.EncodeToString([]byte(blob))
}

// peopled is the lab with people, an agent and an invite.
func peopled(t *testing.T) *fakeLab {
	l := newLab()
	_, err := l.commit("ada", "user add", 0, func(s *model.State) error {
		ada := model.User{Name: "ada", Role: model.RoleAdmin}
		if err := giveKey(&ada, publicKey("ada")+" ada@laptop", noon); err != nil {
			return err
		}
		s.Users["ada"], s.Users["grace"] = ada, model.User{Name: "grace", Role: model.RoleOperator}
		_, nuc, _, _ := model.ParseKey(publicKey("nuc"))
		_, pi5, _, _ := model.ParseKey(publicKey("pi5"))
		s.Agents["nuc"] = model.Agent{Hypervisor: "nuc", PublicKey: publicKey("nuc"), Fingerprint: nuc, Joined: noon.Add(-time.Hour)}
		s.Invites["pi5"] = model.Invite{Hypervisor: "pi5", Fingerprint: pi5, Expires: noon.Add(time.Hour)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAShareIsAdded(t *testing.T) {
	l := newLab()
	d := drive(t, l, 80, 24)
	d.press("g", "s")
	d.press("n")
	for _, s := range []string{"tapes", "192.168.1.33", "srv/tapes"} {
		d.typed(s)
		d.press("tab")
	}
	d.press("ctrl+s")
	d.see("export")
	d.settle()
	if _, ok := l.State().Shares["tapes"]; ok {
		t.Error("a share whose export is no absolute path was taken")
	}
	d.press("ctrl+u")
	d.typed("/srv/tapes")
	d.press("ctrl+s")
	d.settle()
	d.see("192.168.1.33:/srv/tapes")
}

func TestAccessIsGivenAndTaken(t *testing.T) {
	l := peopled(t)
	d := drive(t, l, 120, 40)
	d.press("g", "a")
	d.see("ada@laptop", "nuc           agent", "invited", "operator")

	d.press("n")
	d.typed("linus")
	d.press("tab", "right", "tab")
	d.typed("ssh-ed25519 AAAA")
	d.press("ctrl+s")
	d.see("is no public key")
	if _, ok := l.State().Users["linus"]; ok {
		t.Error("a user was made with a key that is none")
	}
	d.press("ctrl+u")
	d.typed(`from="10.0.0.0/8" ` + publicKey("linus") + " linus@desk")
	d.press("ctrl+s")
	d.settle()
	d.see("  linus@desk  ", "FINGERPRINT", `from="10.0.0.0/8" SHA256:`)
	if u := l.State().Users["linus"]; u.Role != model.RoleOperator || len(u.Keys) != 1 {
		t.Errorf("linus is %+v", u)
	}

	d.press("end", "n")
	d.see("n invite", "Invite the agent of")
	d.press("esc", "home", "down", "n")
	d.see("add a key of ada")
	d.press("esc", "end", "d")
	d.see("Revoke invite pi5?")
	d.press("y")
	d.settle()
	if orders := l.ordered(); len(orders) != 1 || orders[0] != "revoke pi5" {
		t.Errorf("ordered: %v", orders)
	}

	d.press("i")
	d.see("Invite the agent of")
	d.press("enter")
	d.see("homelab agent --join homelab-join-", "it is not shown again")
}

func TestSettingsAreEdited(t *testing.T) {
	l := newLab()
	d := drive(t, l, 80, 24)
	d.press("g", "e")
	d.see("nobody can log in to a guest", "price per kWh", "unknown")
	d.press("e")
	for range 10 {
		d.press("tab")
	}
	d.typed("much")
	d.press("ctrl+s")
	d.see("must be a number such as 0.31")
	d.press("ctrl+u")
	d.typed("0.31")
	d.press("tab")
	d.typed("EUR")
	d.press("ctrl+s")
	d.see("0.31 EUR")
	if set := l.State().Settings; set.PriceKWh != 0.31 || set.GuestUser != "homelab" {
		t.Errorf("the settings are %+v", set)
	}
	revs, _ := l.History(0, 1)
	if words := changedWords(revs[0]); !strings.Contains(words, "price of a kWh 0.31") || strings.Contains(words, "dns") {
		t.Errorf("the history says %q", words)
	}
}
