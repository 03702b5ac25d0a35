package server

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/server/decide"
)

// settingTry is how a setting is tried: the words that set it, words that are
// refused, and what it changes while the server runs, or why nothing is to be
// seen of it.
type settingTry struct {
	set, bad string
	says     string // in the error of bad
	effect   func(l *testLab) string
	reason   string
}

// configOf is what guests of box are made of.
func configOf(l *testLab) string {
	tar, err := l.admin().Config("box")
	if err != nil {
		l.t.Fatal(err)
	}
	return string(tar)
}

// shown is what people see of the settings.
func shown(l *testLab) string {
	out, _, _ := l.run("settings show")
	return out
}

func noticed(l *testLab) string {
	patience, perHour := toldLimits(l.srv.store.State())
	return fmt.Sprint(patience, perHour, l.srv.channels().command)
}

// settingTries are all settings. A new one that is not here fails the test.
func settingTries(certified func(l *testLab) string, ca, fingerprint string) map[string]settingTry {
	return map[string]settingTry{
		"guest_user":              {set: "settings set --guest-user ann", bad: "settings set --guest-user 'a b'", says: "guest_user", effect: configOf},
		"ssh_keys":                {set: "settings set --ssh-key '" + spareKey + "'", bad: "settings set --ssh-key nonsense", says: "ssh_keys", effect: configOf},
		"gateway":                 {set: "settings set --gateway 10.1.0.254", bad: "settings set --gateway 10.1", says: "gateway", effect: configOf},
		"dns":                     {set: "settings set --dns 10.1.0.53", bad: "settings set --dns here", says: "dns", effect: configOf},
		"search":                  {set: "settings set --search example.lan", bad: "settings set --search -", says: "search", effect: configOf},
		"salt_master":             {set: "settings set --salt-master pi", bad: "settings set --salt-master none", says: "salt_master", effect: configOf},
		"timezone":                {set: "settings set --timezone Europe/Amsterdam", bad: "settings set --timezone Mars/Base", says: "timezone", effect: configOf},
		"locale":                  {set: "settings set --locale nl_NL.UTF-8", bad: "settings set --locale 'x y'", says: "locale", effect: configOf},
		"packages":                {set: "settings set --package htop", bad: "settings set --package 'a b'", says: "packages", effect: configOf},
		"hosts":                   {set: "settings set --hosts", bad: "settings set --hosts=maybe", says: "hosts", effect: configOf},
		"guest_grace_seconds":     {set: "settings set --guest-grace-seconds 77", bad: "settings set --guest-grace-seconds 1", says: "guest_grace_seconds", effect: func(l *testLab) string { return decide.GuestGrace(l.srv.store.State()).String() }},
		"power_grace_seconds":     {set: "settings set --power-grace-seconds 77", bad: "settings set --power-grace-seconds -5", says: "power_grace_seconds", effect: func(l *testLab) string { return decide.PowerGrace(l.srv.store.State()).String() }},
		"restore_power":           {set: "settings set --restore-power", bad: "settings set --restore-power=maybe", says: "restore-power", reason: "it is about the server's next start"},
		"price_kwh":               {set: "settings set --price-kwh 0.31", bad: "settings set --price-kwh -1", says: "price_kwh", effect: shown},
		"currency":                {set: "settings set --currency NOK", bad: "settings set --currency '" + strings.Repeat("x", 50) + "'", says: "currency", effect: shown},
		"notify_command":          {set: "settings notify set --command '/bin/true x'", bad: "settings notify set --command \"'\"", says: "quote", effect: noticed},
		"notify_per_hour":         {set: "settings notify set --per-hour 3", bad: "settings notify set --per-hour 5000", says: "notify_per_hour", effect: noticed},
		"notify_patience_seconds": {set: "settings notify set --patience 7", bad: "settings notify set --patience -1", says: "notify_patience_seconds", effect: noticed},
		"user_ca":                 {set: "settings set --user-ca '" + ca + "'", bad: "settings set --user-ca nonsense", says: "user_ca", effect: certified},
		"revoked":                 {set: "settings set --revoked " + fingerprint, bad: "settings set --revoked nonsense", says: "revoked", effect: certified},
	}
}

// settingNames are the settings by their names in JSON, in their order.
func settingNames() []string {
	var names []string
	of := reflect.TypeFor[model.Settings]()
	for i := range of.NumField() {
		if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Every setting takes effect while the server runs, is shown, and is refused
// with its name where it is wrong, which changes nothing.
func TestEverySettingIsLive(t *testing.T) {
	l := startLab(t)
	l.user("vera", model.RoleViewer)
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Image, vm.IP = "box", "img", "10.1.0.40/24"
	l.commit(
		model.Add(model.NewHypervisor("box")), model.Add(model.Image{Name: "img", Path: "/srv/img.qcow2"}),
		model.Add(model.SaltMaster{Name: "pi", Address: "10.1.0.2"}), model.Add(vm),
	)
	ca, key := authority{t, newKeyPair(t)}, newKeyPair(t)
	cert := ca.certify(key, nil, "vera")
	tries := settingTries(func(l *testLab) string { return fmt.Sprint(l.gets(cert)) }, ca.line(), gossh.FingerprintSHA256(key.PublicKey()))
	for _, name := range settingNames() {
		try, ok := tries[name]
		if !ok {
			t.Errorf("say in this test how the setting %s is tried, and what it changes without a restart", name)
			continue
		}
		revision := l.srv.store.State().Revision
		if _, errs, status := l.run(try.bad); status != 1 && status != 2 || !strings.Contains(errs, try.says) || l.srv.store.State().Revision != revision {
			t.Errorf("%s: status %d, %q", try.bad, status, errs)
		}
		if try.effect == nil && try.reason == "" {
			t.Errorf("%s: neither what it changes nor a reason", name)
		}
		before := ""
		if try.effect != nil {
			before = try.effect(l)
		}
		if _, errs, status := l.run(try.set); status != 0 || l.srv.store.State().Revision != revision+1 {
			t.Errorf("%s: status %d, %q", try.set, status, errs)
		}
		if try.effect != nil && try.effect(l) == before {
			t.Errorf("%s changes nothing without a restart: %.300q", try.set, before)
		}
	}
	for name := range tries {
		if !slices.Contains(settingNames(), name) {
			t.Errorf("there is no setting %s any more", name)
		}
	}
}
