package salt

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nasty are words that a shell on the way would change.
var nasty = []string{
	"", " ", "a b", "$HOME", "`id`", "$(id)", "'", `"`, `\`, "a\nb", "*", "?", "[a]", "~", "#c", "!x",
	"a;b", "a&&b", "a|b", ">x", "{a,b}", "=ls", "ä", "-x", "--config-dir=/tmp", `'"'"'`,
}

// TestCallArrives sends arguments over no, one and two shells.
func TestCallArrives(t *testing.T) {
	f := newFake(t)
	f.key("minions", "web-on-pi", "")
	ssh := filepath.Join(f.bin, "ssh")
	for name, reach := range map[string][]string{
		"here":   f.env(),
		"ssh":    append(append(f.env(), "ssh", "-p", "22", "ssh"), f.env()...),
		"twice":  append(append(f.env(), ssh, "-oUser=x", "pi2", ssh, "-l", "root", "pi3"), f.env()...),
		"nobody": append(f.env(), "ssh", "pi2"),
	} {
		t.Run(name, func(t *testing.T) {
			f.Reach = reach
			f.Identity, f.KnownHosts = "/data/a key", "/data/known hosts"
			err := f.Call(t.Context(), []string{"web-on-pi"}, "test.echo", nasty, func(Return) {})
			if err == nil || !strings.Contains(err.Error(), "non-zero") {
				t.Errorf("the call ended with %v", err)
			}
			all := f.argv()
			want := append([]string{"salt", "--out=json", "--out-indent=-1", "-L", "--", "web-on-pi", "test.echo"}, nasty...)
			if diff := cmp.Diff(want, all[len(all)-1]); diff != "" {
				t.Errorf("the words changed on the way (-want +got):\n%s", diff)
			}
		})
	}
}

func TestArgv(t *testing.T) {
	m := Master{Identity: "/d/id", KnownHosts: "/d/known%hosts"}
	options := []string{
		"-T", "-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=15", "-oServerAliveCountMax=3",
		"-oIdentitiesOnly=yes", "-i", "/d/id", "-oUserKnownHostsFile=/d/known%%hosts", "-oStrictHostKeyChecking=accept-new",
	}
	tests := []struct{ reach, want []string }{
		{nil, []string{"salt", "a b"}},
		{[]string{"sudo", "-n"}, []string{"sudo", "-n", "salt", "a b"}},
		{[]string{"ssh", "-p", "2222", "pi2", "sudo", "-n"}, slices.Concat([]string{"ssh", "-p", "2222"}, options, []string{"pi2", "sudo", "-n", "salt", "'a b'"})},
		{[]string{"ssh", "ssh"}, slices.Concat([]string{"ssh"}, options, []string{"ssh", "salt", "'a b'"})},
		{[]string{"ssh"}, slices.Concat([]string{"ssh"}, options, []string{"salt", "'a b'"})},
	}
	for _, test := range tests {
		m.Reach = test.reach
		if diff := cmp.Diff(test.want, m.argv("salt", "a b")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.reach, diff)
		}
	}
}

// TestIllegal gives everything that takes an ID one that is none: no command
// may run.
func TestIllegal(t *testing.T) {
	f := newFake(t)
	public, finger := recordedKey(t)
	ids := []string{
		"", "*", "web*", "we?b", "[w]eb", "web,db", "-a", "--out=x", "../minions_pre/x", "a/b", "a b", "a\nb",
		".", "..", ".hidden", "web\x00", "wéb", "{a}", "a\\b", "E@web", "G@role:x", strings.Repeat("a", 254),
	}
	for _, id := range ids {
		_, fingerErr := f.Fingerprints(t.Context(), id)
		_, applyErr := f.StartApply(t.Context(), []string{"web", id})
		for what, err := range map[string]error{
			"check":        CheckID(id),
			"fingerprints": fingerErr,
			"accept":       f.Accept(t.Context(), id, finger),
			"delete":       f.Delete(t.Context(), id),
			"pre-seed":     f.PreSeed(t.Context(), id, public),
			"apply":        applyErr,
			"call":         f.Call(t.Context(), []string{"web", id}, "test.ping", nil, func(Return) {}),
		} {
			if err == nil {
				t.Errorf("%s takes %q", what, id)
			}
		}
	}
	for _, fun := range []string{"", "ping", "test.ping,cmd.run", "*", "-d", "test.ping;id", "a b.c", "test.", ".ping", "a.b.c"} {
		if f.Call(t.Context(), []string{"web"}, fun, nil, func(Return) {}) == nil {
			t.Errorf("function %q is taken", fun)
		}
	}
	for _, job := range []string{"", "*", "-x", "1", "20261122073844211824x", "a=b"} {
		if _, err := f.Lookup(t.Context(), job); err == nil {
			t.Errorf("job %q is taken", job)
		}
	}
	if f.Call(t.Context(), nil, "test.ping", nil, nil) == nil {
		t.Error("a call of nobody is taken")
	}
	if got := f.argv(); len(got) > 0 {
		t.Errorf("commands ran: %q", got)
	}
	for _, id := range []string{"web-on-thinkpad", "web_on_thinkpad", "a", "pi.lan", "X1", "_x"} {
		if err := CheckID(id); err != nil {
			t.Error(err)
		}
	}
}
