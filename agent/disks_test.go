package agent

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"homelab/agent/wire"
	"homelab/model"
)

// TestDiskIsCopied copies an overlay and its base between two folders as two
// agents do, with what an earlier try has left, and what is in the way.
func TestDiskIsCopied(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-img is not installed (Debian's qemu-utils)")
	}
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "pool")
	img := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("qemu-img", args...).CombinedOutput(); err != nil {
			t.Fatalf("qemu-img: %v\n%s", err, out)
		}
	}
	base, root := filepath.Join(from, "debian-1.raw"), filepath.Join(from, "web_on_pad")
	if err := os.WriteFile(base, append(bytes.Repeat([]byte("base"), 1<<18), make([]byte, 1<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	img("create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, root)
	arrived, err := openVolumes(folder(t.TempDir()), arrivedFile)
	if err != nil {
		t.Fatal(err)
	}
	v := &virt{arrived: arrived}
	off := func() error { return nil }
	copied := func(disk string) error {
		sendW, takeR, takeW, sendR := pipes()
		what := wire.DiskOpen{VM: "0123456789ab", Disk: disk, Pool: defaultPool}
		sent := make(chan error, 1)
		go func() {
			s := what
			s.Folder, s.File = from, "web_on_pad"
			err := sendDisk(t.Context(), sendW, bufio.NewReader(sendR), s, off)
			sendW.CloseWithError(io.EOF)
			go func() { _, _ = io.Copy(io.Discard, sendR) }() // the result is the server's
			sent <- err
		}()
		s := what
		s.Folder, s.File = to, "web_on_desk"
		err := v.takeDisk(t.Context(), takeW, bufio.NewReader(takeR), s)
		takeW.CloseWithError(io.EOF)
		takeR.CloseWithError(io.ErrClosedPipe)
		return errors.Join(<-sent, err)
	}
	if err := copied(wire.DiskBase); err != nil {
		t.Fatal(err)
	}
	// What an earlier try has left is not sent again; where it is wrong all is.
	temp := filepath.Join(to, ".incoming-web_on_desk")
	if err := os.WriteFile(temp, []byte("not the beginning"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copied(model.DiskRoot); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a wrong beginning: %v", err)
	}
	whole, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(temp, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copied(model.DiskRoot); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(to, "web_on_desk")
	if backing, err := backingFile(there); err != nil || backing != filepath.Join(to, "debian-1.raw") {
		t.Errorf("it stands on %q: %v", backing, err)
	}
	img("compare", "-q", root, there)
	if _, err := os.Stat(temp); err == nil || !arrived.Has(volume{defaultPool, "web_on_desk"}) {
		t.Error("it is not known as ours, or its first name is left")
	}
	if err := copied(wire.DiskBase); err != nil {
		t.Errorf("the base again: %v", err)
	}
	if err := copied(model.DiskRoot); err != nil {
		t.Errorf("again, after an earlier copy of ours: %v", err)
	}
	if err := arrived.Drop([]volume{{defaultPool, "web_on_desk"}}); err != nil {
		t.Fatal(err)
	}
	if err := copied(model.DiskRoot); err == nil || !strings.Contains(err.Error(), "left alone") {
		t.Errorf("over a foreign file: %v", err)
	}
	if err := os.WriteFile(filepath.Join(to, "debian-1.raw"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copied(wire.DiskBase); err == nil || !strings.Contains(err.Error(), "differs") {
		t.Errorf("another image of that name: %v", err)
	}
	off = func() error { return errors.New("web is running") }
	if err := copied(model.DiskRoot); err == nil || !strings.Contains(err.Error(), "web is running") {
		t.Errorf("a guest that is on: %v", err)
	}
}

func pipes() (aw *io.PipeWriter, ar *io.PipeReader, bw *io.PipeWriter, br *io.PipeReader) {
	ar, aw = io.Pipe()
	br, bw = io.Pipe()
	return aw, ar, bw, br
}
