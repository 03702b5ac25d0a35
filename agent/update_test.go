package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
)

// TestTrialOfAnUpdate: a new program that does not come up and connect leaves
// the old one where it is.
func TestTrialOfAnUpdate(t *testing.T) {
	for _, c := range []struct{ name, program, want string }{
		{"it crashes", "echo starting >&2; echo no such thing >&2; exit 3", "does not come up: exit status 3; it said: no such thing"},
		{"it hangs", "sleep 600", "did not come up and connect within"},
		{"it is no program", "", "does not come up"},
		{"it is not run as this one", `[ "$*" = "agent --data /x" ] && [ "$` + TrialEnv + `" = 1 ] || exit 9; exit 8`, "exit status 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			opts := Options{Executable: filepath.Join(dir, "homelab"), Args: []string{"agent", "--data", "/x"}, Log: slog.New(slog.DiscardHandler)}
			u := &update{wire.Update{Version: "9"}, opts.Executable + ".new"}
			text := "#!/bin/sh\n" + c.program + "\n"
			if c.program == "" {
				text = "\x7fELF"
			}
			for file, content := range map[string]string{opts.Executable: "old", u.file: text} {
				if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			patience := trialTime
			if c.name == "it hangs" {
				patience = 300 * time.Millisecond
			}
			if err := u.try(t.Context(), opts, patience); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if old, err := os.ReadFile(opts.Executable); string(old) != "old" {
				t.Errorf("the old program: %q, %v", old, err)
			}
		})
	}
}

// TestRunsAndUpdatesExclude: no update begins while a run is under way.
func TestRunsAndUpdatesExclude(t *testing.T) {
	r := newRunner(&agent{})
	r.cur = &job{Run: wire.Run{ID: 1}}
	if r.Reserve("updating") {
		t.Error("an update begins in the middle of a run")
	}
	r.cur = nil
	if !r.Reserve("updating") || r.Reserve("updating") {
		t.Error("not exactly one update is let in")
	}
	r.Open()
	if !r.Reserve("updating") {
		t.Error("none is let in after one that failed")
	}
}
