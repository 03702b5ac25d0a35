package salt

import (
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

// file is a file in what Setup prints: from its comment to the next empty line.
func file(t *testing.T, text, path string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, "\n# "+path)
	if !ok {
		t.Fatalf("there is no %s in:\n%s", path, text)
	}
	_, after, _ = strings.Cut(after, "\n")
	content, _, _ := strings.Cut(after, "\n\n")
	return content
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return v
}

func TestSetup(t *testing.T) {
	m := SetupMaster{
		Master:  Master{Name: "pi2", Reach: []string{"ssh", "-p", "2222", "salt@pi2.lan", "sudo", "-n"}, Identity: "/data/id"},
		Serves:  model.ServesHypervisors,
		Address: "192.168.1.240",
	}
	text := Setup(m, SetupOptions{User: "homelab", PublicKey: "ssh-ed25519 AAAA homelab", Roles: []string{"web", "db"}, Minions: []string{"*", "thinkpad"}})

	master := parse(t, file(t, text, "/etc/salt/master.d/homelab.conf"))
	for key, want := range map[string]any{"auto_accept": false, "open_mode": false, "presence_events": true, "state_events": true, "loop_interval": uint64(60)} {
		if !cmp.Equal(master[key], want) {
			t.Errorf("the master has %s: %v", key, master[key])
		}
	}
	sls := strings.ReplaceAll(file(t, text, "/srv/reactor/homelab-start.sls"), "{{ data['id'] | json }}", `"thinkpad"`)
	want := map[string]any{"homelab_apply_the_whole_state": map[string]any{"local.state.apply": []any{
		map[string]any{"tgt": "thinkpad"},
		map[string]any{"tgt_type": "list"},
		map[string]any{"args": []any{map[string]any{"queue": true}}},
	}}}
	if diff := cmp.Diff(want, parse(t, sls)); diff != "" {
		t.Errorf("the reactor (-want +got):\n%s", diff)
	}
	want = map[string]any{"base": map[string]any{
		"*":        []any{"core"},
		"role:web": []any{map[string]any{"match": "grain"}, "web"},
		"role:db":  []any{map[string]any{"match": "grain"}, "db"},
	}}
	if diff := cmp.Diff(want, parse(t, file(t, text, "/srv/salt/top.sls"))); diff != "" {
		t.Errorf("top.sls (-want +got):\n%s", diff)
	}
	minion := parse(t, file(t, text, "/etc/salt/minion.d/homelab.conf"))
	if minion["master"] != "192.168.1.240" || minion["id"] != "thinkpad" {
		t.Errorf("the minion has %v", minion)
	}
	for _, part := range []string{"~salt/.ssh/authorized_keys:\n\nssh-ed25519 AAAA homelab\n", "on pi2.lan.\n", "salt accept thinkpad\n", "-i /data/id salt@pi2.lan sudo -n salt-key -L --out=json\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// TestSetupSudoers allows what is run and nothing else. That sudo reads the
// lines so was tried with 1.9.13.
func TestSetupSudoers(t *testing.T) {
	m := Master{Name: "pi", Reach: []string{"sudo", "-n"}, PKI: "/srv/pki"}
	text := Setup(SetupMaster{Master: m, Address: "pi.lan"}, SetupOptions{User: "homelab"})
	lines := strings.Split(file(t, text, "/etc/sudoers.d/homelab-salt"), "\n")
	if len(lines) != 4 {
		t.Fatalf("sudoers:\n%s", strings.Join(lines, "\n"))
	}
	const script = "homelab ALL=(root) NOPASSWD: /bin/sh -c "
	escaped := regexp.MustCompile(`\\([\\,:=])`)
	if got, ok := strings.CutPrefix(lines[3], script); !ok || escaped.ReplaceAllString(got, "$1") != eventScript {
		t.Errorf("sudoers allow\n%s\nfor\n%s", lines[3], eventScript)
	}
	_, pattern, _ := strings.Cut(lines[2], "/usr/bin/tee ")
	tee := regexp.MustCompile(pattern)
	for path, want := range map[string]bool{
		"/srv/pki/minions/web-on-pi": true, "/srv/pki/minions/../x": false, "/srv/pki/minions/": false, "/srv/pki/minions/a/b": false, "-a /srv/pki/minions/a": false,
	} {
		if tee.MatchString(path) != want {
			t.Errorf("tee %s is allowed: %v", path, !want)
		}
	}
	if !strings.Contains(text, "on this machine, as homelab.") || strings.Contains(text, "minion.d") {
		t.Errorf("for VMs, here:\n%s", text)
	}
	text = Setup(SetupMaster{Master: Master{Name: "pi"}}, SetupOptions{})
	if strings.Contains(text, "sudoers") || !strings.Contains(text, "homelab must be root") || !strings.Contains(text, "# 'role:web':") {
		t.Errorf("without sudo:\n%s", text)
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		reach      []string
		host, user string
	}{
		{[]string{"ssh", "pi2"}, "pi2", ""},
		{[]string{"ssh", "-l", "root", "-p", "2", "pi2", "sudo", "-n"}, "pi2", "root"},
		{[]string{"sudo", "-n", "ssh", "a@pi1", "ssh", "b@pi2"}, "pi2", "b"},
		{[]string{"ssh"}, "", ""},
		{nil, "", ""},
	}
	for _, test := range tests {
		if host, user := (Master{Reach: test.reach}).host(); host != test.host || user != test.user {
			t.Errorf("%v leads to %q as %q", test.reach, host, user)
		}
	}
}
