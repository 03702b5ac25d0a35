package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"homelab/model"
	"homelab/model/store"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "homelab.db"))
}

func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *store.Store, edits ...model.Edit) model.Revision {
	t.Helper()
	rev, err := s.Commit("ann", "test", model.Edits(edits...))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// lab adds a hypervisor, an image and n VMs named vm-0, vm-1 …
func lab(n int) model.Edit {
	return func(s *model.State) error {
		s.Hypervisors["thinkpad"] = model.NewHypervisor("thinkpad")
		s.Images["debian"] = model.Image{Name: "debian", Path: "/img/debian.qcow2"}
		for i := range n {
			vm := model.NewVM(fmt.Sprintf("vm-%d", i))
			vm.ID = fmt.Sprintf("%012x", i+1)
			vm.Hypervisor, vm.Image = "thinkpad", "debian"
			vm.IP = fmt.Sprintf("10.0.%d.%d/16", i/200, 2+i%200)
			s.VMs[vm.Name] = vm
		}
		return nil
	}
}

func setMemory(name string, base uint64, mib int) model.Edit {
	return model.Change(name, base, func(vm *model.VM) error { vm.MemoryMiB = mib; return nil })
}

func TestReopenKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	commit(t, s, lab(3))
	commit(t, s, setMemory("vm-1", 0, 2048))
	run, err := s.NewRun(model.Run{Hypervisor: "thinkpad", Kind: model.RunApply, Digest: "d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, s, "thinkpad", "sp", rec(1, run.ID, "hello"), model.Record{
		Seq: 2, Run: run.ID, State: model.RunApplying,
		Resource: &model.Resource{Address: "libvirt_domain.vm_000000000001", Status: model.ResourceRunning},
	})
	if err := s.SetDisks("thinkpad", []model.Disk{{VM: "000000000001", Disk: "root"}}); err != nil {
		t.Fatal(err)
	}
	state, runs, disks := s.State(), s.ActiveRuns(), s.AllDisks()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if d := cmp.Diff(state, s.State(), unexported); d != "" {
		t.Error("state changed:", d)
	}
	if d := cmp.Diff(runs, s.ActiveRuns()); d != "" {
		t.Error("runs changed:", d)
	}
	if d := cmp.Diff(disks, s.AllDisks()); d != "" {
		t.Error("disks changed:", d)
	}
	if spool, acked := s.Spool("thinkpad"); spool != "sp" || acked != 2 {
		t.Errorf("spool is %s %d", spool, acked)
	}
	if state.Revision != 2 || s.State().VMs["vm-1"].Version != 2 || s.State().VMs["vm-0"].Version != 1 {
		t.Errorf("versions are wrong: %d, %d, %d", state.Revision, s.State().VMs["vm-1"].Version, s.State().VMs["vm-0"].Version)
	}
}

func TestCommitOfNothingMakesNoRevision(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	rev := commit(t, s, model.Change("vm-0", 0, func(vm *model.VM) error { return nil }))
	if rev.Number != 0 || s.State().Revision != 1 {
		t.Errorf("revision %d was made", rev.Number)
	}
}

func TestConflictSaysWho(t *testing.T) {
	s := open(t)
	base := commit(t, s, lab(1)).Number
	if _, err := s.Commit("bob", "vm edit", setMemory("vm-0", base, 2048)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit("ann", "vm edit", setMemory("vm-0", base, 4096))
	var conflict *model.ConflictError
	if !errors.As(err, &conflict) || conflict.Who != "bob" || conflict.Version != 2 {
		t.Fatalf("got %v", err)
	}
	if s.State().VMs["vm-0"].MemoryMiB != 2048 {
		t.Error("the losing edit was written")
	}
}

func TestTwoWritersAtOnce(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 25 {
				if _, err := s.Commit("x", "", model.Change("vm-0", 0, func(vm *model.VM) error { vm.MemoryMiB++; return nil })); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := s.State(); got.VMs["vm-0"].MemoryMiB != 1074 || got.Revision != 51 {
		t.Errorf("memory %d, revision %d", got.VMs["vm-0"].MemoryMiB, got.Revision)
	}
	revs, err := s.Revisions(0, 100)
	if err != nil || len(revs) != 51 || revs[0].Number != 51 || revs[50].Number != 1 {
		t.Errorf("%d revisions, %v", len(revs), err)
	}
}

func TestRefusedEditChangesNothing(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	watch := s.Hub().Watch()
	defer watch.Close()
	before := s.State()
	_, err := s.Commit("ann", "", model.Remove[model.Image]("debian"))
	var referenced *model.ReferencedError
	if !errors.As(err, &referenced) || !strings.Contains(err.Error(), `image "debian" is still used by VM "vm-0"`) {
		t.Errorf("got %v", err)
	}
	if s.State() != before || len(watch.Take()) != 0 {
		t.Error("something changed")
	}
}

func TestHubNamesWhatChanged(t *testing.T) {
	s := open(t)
	commit(t, s, lab(2))
	watch := s.Hub().Watch()
	defer watch.Close()
	commit(t, s, setMemory("vm-1", 0, 99))
	want := map[model.Ref]struct{}{{Kind: model.KindVM, Name: "vm-1"}: {}}
	if d := cmp.Diff(want, watch.Take()); d != "" {
		t.Error(d)
	}
}

func TestRevisions(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	for i := range 5 {
		commit(t, s, setMemory("vm-0", 0, 100+i))
	}
	numbers := func(before uint64, limit int) (n []uint64) {
		revs, err := s.Revisions(before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range revs {
			n = append(n, r.Number)
		}
		return n
	}
	for _, c := range []struct {
		before uint64
		limit  int
		want   []uint64
	}{{0, 2, []uint64{6, 5}}, {5, 2, []uint64{4, 3}}, {2, 9, []uint64{1}}, {1, 9, nil}, {100, 1, []uint64{6}}} {
		if d := cmp.Diff(c.want, numbers(c.before, c.limit)); d != "" {
			t.Errorf("before %d: %s", c.before, d)
		}
	}
	if rev, err := s.Revision(3); err != nil || !bytes.Contains(rev.Changes[0].After, []byte(`"version":3`)) {
		t.Errorf("revision 3 is %s, %v", rev.Changes[0].After, err)
	}
	if _, err := s.Revision(77); err == nil {
		t.Error("revision 77 exists")
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	openAt(t, path).Close()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint64(nil, 99))
	}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err = store.Open(path)
	var newer *store.NewerError
	if !errors.As(err, &newer) || newer.Schema != 99 {
		t.Errorf("got %v", err)
	}
	// It was let go of, and not changed.
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 1})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestForeignFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 9000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func TestSecondOpenerIsToldWhoHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "homelab.db")
	s := openAt(t, path)
	_, err := store.Open(path)
	var locked *store.LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Fatalf("got %v", err)
	}
	s.Close()
	openAt(t, path)
}

func TestBackupOpens(t *testing.T) {
	s := open(t)
	commit(t, s, lab(2))
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.State(), openAt(t, path).State(), unexported); d != "" {
		t.Error(d)
	}
}

func TestPreviewCommitsNothing(t *testing.T) {
	s := open(t)
	commit(t, s, lab(2))
	impacts, err := s.Preview(setMemory("vm-1", 0, 4096))
	if err != nil || len(impacts) != 1 || impacts[0].Action != model.ActionRestart {
		t.Errorf("got %v, %v", impacts, err)
	}
	if s.State().Revision != 1 {
		t.Error("it was committed")
	}
	if _, err := s.Preview(setMemory("vm-1", 0, -1)); len(model.FieldErrors(err)) != 1 {
		t.Errorf("got %v", err)
	}
}
