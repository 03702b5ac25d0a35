package local

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestUnits holds the units to their goldens, and to what systemd thinks of them.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		exposure   float64 // at most, as systemd-analyze security rates it
	}{
		{"server-2222", serverService("/usr/local/bin/homelab", ":2222"), 1.5},
		{"server-22", serverService("/usr/local/bin/homelab", "192.168.1.5:22"), 2},
		{"agent", agentService("/usr/local/bin/homelab"), 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden := filepath.Join("testdata", c.name+".service")
			if *update {
				if err := put(golden, []byte(c.unit), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), c.unit); d != "" {
				t.Errorf("-update if that is meant:\n%s", d)
			}
			analyze(t, c.unit, c.exposure)
		})
	}
}

func analyze(t *testing.T, unit string, exposure float64) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (Debian's systemd)")
	}
	self, err := os.Executable() // verify wants the program to be there
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "homelab-test.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, installedBinary, self)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("homelab-test")) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", file).CombinedOutput()
	overall := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || overall == nil {
		t.Fatalf("security: %v\n%s", err, out)
	}
	if got, _ := strconv.ParseFloat(string(overall[1]), 64); got > exposure {
		t.Errorf("the exposure is %.1f, more than %.1f\n%s", got, exposure, out)
	} else {
		t.Logf("exposure %.1f", got)
	}
}
