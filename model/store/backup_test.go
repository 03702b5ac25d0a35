package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
	"homelab/model/store"
)

func TestDailyCopiesAreMadeOnceAndKeptForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	commit(t, s, lab(2))
	day := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)
	for i := range store.KeptBackups + 3 {
		made, err := s.BackupDaily(day.AddDate(0, 0, i))
		if err != nil || filepath.Base(made) != fmt.Sprintf("homelab-2026-11-%02d.db", i+1) {
			t.Fatalf("%q, %v", made, err)
		}
		if again, err := s.BackupDaily(day.AddDate(0, 0, i).Add(time.Hour)); again != "" || err != nil {
			t.Fatalf("a second one of the day: %q, %v", again, err)
		}
	}
	kept := store.Backups(path)
	if len(kept) != store.KeptBackups || filepath.Base(kept[0]) != "homelab-2026-11-17.db" || filepath.Base(kept[len(kept)-1]) != "homelab-2026-11-04.db" {
		t.Errorf("kept %v", kept)
	}
	if r, err := store.Check(kept[0]); err != nil || r.VMs != 2 || r.Revision != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRestoreWhole(t *testing.T) {
	dir := t.TempDir()
	path, key := filepath.Join(dir, "homelab.db"), filepath.Join(dir, "host_ed25519")
	if err := os.WriteFile(key, []byte("the key"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	s.Carry("host_*")
	commit(t, s, lab(2))
	before := s.State()
	var copied bytes.Buffer
	if err := s.Backup(&copied); err != nil {
		t.Fatal(err)
	}
	commit(t, s, model.Remove[model.VM]("vm-0"))
	restore := func(path string) (store.Report, string, error) {
		return store.Restore(path, bytes.NewReader(copied.Bytes()))
	}
	var locked *store.LockedError
	if _, _, err := restore(path); !errors.As(err, &locked) {
		t.Fatalf("restored under a server that runs: %v", err)
	}
	s.Close()
	r, aside, err := restore(path)
	if err != nil || r.VMs != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	s = openAt(t, path)
	if d := cmp.Diff(before, s.State(), unexported); d != "" {
		t.Error(d)
	}
	if r, err := store.Check(aside); err != nil || r.VMs != 1 {
		t.Errorf("the store before is kept as %s: %+v, %v", aside, r, err)
	}
	// On a new machine the host key comes back too, so that nobody is asked
	// whether it is the same server.
	other := filepath.Join(t.TempDir(), "data", "homelab.db")
	if _, aside, err = restore(other); err != nil || aside != "" {
		t.Fatalf("%q, %v", aside, err)
	}
	if got, err := os.ReadFile(filepath.Join(filepath.Dir(other), "host_ed25519")); string(got) != "the key" {
		t.Errorf("%q, %v", got, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatIsNoStoreIsNotRestored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	commit(t, s, lab(1))
	s.Close()
	for _, from := range []string{"", "hello", strings.Repeat("garbage ", 20_000)} {
		if _, _, err := store.Restore(path, strings.NewReader(from)); err == nil {
			t.Errorf("%.10q was restored", from)
		}
	}
	if r, err := store.Check(path); err != nil || r.VMs != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestDamageNamesTheCopyToRestore damages the file in each way that a bad disk
// does: opening it fails with what to do, or it is sound.
func TestDamageNamesTheCopyToRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	commit(t, s, lab(30))
	for i := range 5 {
		commit(t, s, setMemory("vm-1", 0, 2048+i))
	}
	for i := range 2 {
		if _, err := s.BackupDaily(time.Date(2026, 11, 24+i, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copies := store.Backups(path)
	if err := os.WriteFile(copies[0], sound[:len(sound)/2], 0o600); err != nil { // the newest is damaged too
		t.Fatal(err)
	}
	page := os.Getpagesize()
	damages := map[string][]byte{
		"empty": {}, "one byte": {0}, "half": sound[:len(sound)/2], "two pages": sound[:2*page], "text": bytes.Repeat([]byte("x"), len(sound)),
		"both metas": append(make([]byte, 2*page), sound[2*page:]...),
	}
	for name, data := range damages {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(path)
			want := "restore the newest sound copy with `homelab serve --data " + filepath.Dir(path) + " --restore " + copies[1] + "`"
			if err == nil || !strings.Contains(err.Error(), path+" is damaged") || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
	// A page of zeros anywhere is found by the check at the latest, and never
	// ends the program.
	found := 0
	for at := 2 * page; at < len(sound); at += page {
		bad := bytes.Clone(sound)
		clear(bad[at : at+page])
		if bytes.Equal(bad, sound) {
			continue
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Check(path)
		if err != nil {
			found++
		}
		s, openErr := store.Open(path)
		if openErr == nil {
			s.Close()
		} else if err == nil {
			t.Errorf("page %d: the check finds nothing, and opening fails: %v", at/page, openErr)
		}
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

// TestFullDisk fills a small file system: what finds no room is refused, and
// all else goes on.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("this user may not mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "homelab.db")
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, lab(3))
	accepted, refused := 0, 0
	for i := range 3000 {
		before := s.State()
		if _, err = s.Commit("ann", strings.Repeat("v", 900), setMemory("vm-1", 0, 1024+i)); err == nil {
			accepted = i
			continue
		}
		refused++
		var full *store.FullError
		if !errors.As(err, &full) || !strings.Contains(err.Error(), "full, so nothing was changed; make room") {
			t.Fatalf("got %v", err)
		}
		if s.State() != before {
			t.Fatal("a refused write is seen")
		}
		if refused > 20 {
			break
		}
	}
	if refused == 0 || accepted < 10 {
		t.Fatalf("%d were accepted, %d refused", accepted, refused)
	}
	if revs, err := s.Revisions(0, 5); err != nil || len(revs) != 5 {
		t.Errorf("reading does not go on: %v", err)
	}
	saved := filepath.Join(t.TempDir(), "saved.db")
	var copied bytes.Buffer
	if err := errors.Join(s.Backup(&copied), os.WriteFile(saved, copied.Bytes(), 0o600)); err != nil {
		t.Errorf("a backup when there is no room: %v", err)
	}
	if r, err := store.Check(saved); err != nil || r.VMs != 3 {
		t.Errorf("the backup: %+v, %v", r, err)
	}
	if _, err := s.BackupDaily(time.Now()); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("a daily copy that has no room: %v", err)
	}
	want := s.State().VMs["vm-1"].MemoryMiB
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := store.Check(path)
	if err != nil || want != 1024+accepted {
		t.Fatalf("%+v, %v; memory %d", r, err, want)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commit(t, s, setMemory("vm-1", 0, 512))
}
