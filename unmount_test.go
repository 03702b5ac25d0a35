package main

import (
	"os/exec"
	"testing"
)

// unmountTmpfs takes away what an agent has mounted for a test.
func unmountTmpfs(t *testing.T, path string) {
	t.Helper()
	if out, err := exec.Command("umount", path).CombinedOutput(); err != nil {
		t.Logf("umount: %v: %s", err, out)
	}
}
