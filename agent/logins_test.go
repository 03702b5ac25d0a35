package agent

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLogins(t *testing.T) {
	old := sessionFolder
	t.Cleanup(func() { sessionFolder = old })
	sessionFolder = filepath.Join(t.TempDir(), "sessions")
	if n := logins(); n != 0 {
		t.Errorf("without logind %d are logged in", n)
	}
	if err := os.Mkdir(sessionFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"2":  "# This is private data. Do not parse.\nUID=1000\nUSER=ann\nACTIVE=1\nSTATE=active\nCLASS=user\nTYPE=tty\n",
		"5":  "UID=1000\nUSER=ann\nSTATE=closing\nCLASS=user\n",
		"c1": "UID=107\nUSER=gdm\nSTATE=online\nCLASS=greeter\n",
		"3":  "UID=1000\nUSER=ann\nSTATE=active\nCLASS=manager\n",
	} {
		if err := os.WriteFile(filepath.Join(sessionFolder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n := logins(); n != 1 {
		t.Errorf("%d are logged in, not 1", n)
	}
}
