package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindTerraform(t *testing.T) {
	say := func(string) {}
	bin, data := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	put := func(dir, name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// None, and it cannot be fetched either: the error says what to install.
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if path, err := FindTerraform(cancelled, data, say); err == nil || !strings.Contains(err.Error(), "install terraform") {
		t.Errorf("%q %v", path, err)
	}
	if entries, _ := os.ReadDir(data); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
	// One that was fetched before, tofu, terraform: the later is preferred.
	for _, at := range [][2]string{{data, "terraform"}, {bin, "tofu"}, {bin, "terraform"}} {
		want := put(at[0], at[1])
		if path, err := FindTerraform(t.Context(), data, say); err != nil || path != want {
			t.Errorf("found %q (%v), want %q", path, err, want)
		}
	}
}

func TestWhyADownloadFailedIsSaidPlainly(t *testing.T) {
	lookup := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no such host")}
	err := fmt.Errorf("GET https://x giving up after 5 attempt(s): %w", &url.Error{Op: "Get", URL: "https://x", Err: lookup})
	if got := plainly(err).Error(); got != "dial tcp: no such host" {
		t.Error(got)
	}
}
