package agent

import (
	"os"
	"slices"
	"testing"
	"time"
)

const twoDomains = `{"version": 4, "resources": [
	{"mode": "managed", "type": "terraform_data", "name": "vm_0123456789ab", "instances": [{"attributes": {"id": "a"}}]},
	{"mode": "managed", "type": "terraform_data", "name": "vm_0123456789ab_root", "instances": [{"attributes": {"id": "b"}}]}
]}`

// Terraform empties its state while it applies: what is there stays known.
func TestStateOutlastsAnApply(t *testing.T) {
	f := folder(t.TempDir())
	tf := &terraform{f: f}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(f.path(stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(tf *terraform, when string) {
		t.Helper()
		st, err := tf.State()
		if err != nil || len(st.domains()) != 1 || len(st.disks()) != 1 {
			t.Errorf("%s: %v, %v, %v", when, st.domains(), st.disks(), err)
		}
	}
	write(twoDomains)
	check(tf, "at rest")
	if err := tf.Backup(time.Now()); err != nil {
		t.Fatal(err)
	}
	write("")
	check(tf, "emptied")
	write(twoDomains[:100])
	check(tf, "half written")
	write("")
	check(&terraform{f: f}, "emptied, to an agent that has just started")

	said := ""
	if err := (&terraform{f: f}).mend(func(s string) { said = s }); err != nil || said == "" {
		t.Fatal(said, err)
	}
	if got, _ := os.ReadFile(f.path(stateFile)); string(got) != twoDomains {
		t.Errorf("mended: %s", got)
	}
	if err := os.Remove(f.path(stateFile)); err != nil {
		t.Fatal(err)
	}
	if err := (&terraform{f: f}).mend(func(string) {}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(f.path(stateFile)); string(got) != twoDomains {
		t.Errorf("mended when it was gone: %s", got)
	}
	alone := folder(t.TempDir()) // without a copy
	if err := os.WriteFile(alone.path(stateFile), []byte(twoDomains[:100]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&terraform{f: alone}).mend(func(string) {}); err != nil {
		t.Fatal(err)
	}
	if st, err := (&terraform{f: alone}).State(); err != nil || len(st.vms()) != 0 {
		t.Errorf("a new one: %v, %v", st.vms(), err)
	}
	write(`{"version": 4, "resources": []}`)
	if st, err := tf.State(); err != nil || len(st.vms()) != 0 {
		t.Errorf("an empty lab: %v, %v", st.vms(), err)
	}
}

// A CLI config that is not there makes terraform warn among what we read.
func TestTerraformGetsNoConfigFileThatIsMissing(t *testing.T) {
	tf := &terraform{f: folder(t.TempDir())}
	there := tf.f.path("rc")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{there: true, there + "-not": false} {
		t.Setenv("TF_CLI_CONFIG_FILE", path)
		if got := slices.Contains(tf.env(nil), "TF_CLI_CONFIG_FILE="+path); got != want {
			t.Errorf("%s: passed on: %v, want %v", path, got, want)
		}
	}
}
