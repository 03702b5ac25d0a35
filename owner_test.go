package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRootServesAsTheOwner has root start the server on the data of another
// user, as whom it goes on: also when it recovers an admin or restores a copy.
// Otherwise the service could not open what root left there.
func TestRootServesAsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may become another user")
	}
	const nobody = 65534
	l := newLab(t)
	copied := filepath.Join(l.dir, "copy.db")
	if err := os.WriteFile(copied, []byte(l.must("backup")), 0o644); err != nil {
		t.Fatal(err)
	}
	l.server.terminate()
	data := filepath.Join(l.dir, "server")
	give := func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	}
	if err := errors.Join(filepath.WalkDir(data, give), os.Chmod(filepath.Dir(l.dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bin, "serve", "--data", data, "--recover-admin", l.key()+".pub").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l.server = l.start("server", "serve", "--listen", l.listen, "--data", data, "--restore", copied)
	l.eventually("the server answers", 20*time.Second, func() error { _, err := l.ssh(nil, "help"); return err })
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.server.cmd.Process.Pid))
	if err != nil || !strings.Contains(string(status), "\nUid:\t65534\t65534\t65534\t65534\n") || !strings.Contains(string(status), "\nGid:\t65534\t65534\t65534\t65534\n") {
		t.Errorf("it goes on as another: %v\n%s", err, status)
	}
	l.must("hypervisor", "add", "box", "--platform", "sandbox")
	_ = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := d.Info(); info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s is another's", path)
		}
		return nil
	})
}
