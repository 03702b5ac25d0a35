package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"homelab/model"
	"homelab/model/store"
)

var ignoreMeta = cmpopts.IgnoreTypes(model.Meta{})

// unexported leaves out what a state remembers of the edit that made it.
var unexported = cmpopts.IgnoreUnexported(model.State{})

func TestUndoAndUndoOfUndo(t *testing.T) {
	s := open(t)
	commit(t, s, lab(3))
	before := s.State()
	rev := commit(t, s,
		setMemory("vm-0", 0, 4096),
		model.Remove[model.VM]("vm-1"),
		model.Change("vm-2", 0, func(vm *model.VM) error { vm.Name = "renamed"; return nil }),
		model.Change("default", 0, func(p *model.Profile) error { p.Name = "home"; return nil }),
	)
	changed := s.State()
	undone, err := s.Undo("bob", "undo 2", rev.Number)
	if err != nil {
		t.Fatal(err)
	}
	if undone.Undoes != rev.Number || undone.Who != "bob" {
		t.Errorf("got %+v", undone)
	}
	if d := cmp.Diff(before.VMs, s.State().VMs, ignoreMeta); d != "" {
		t.Error(d)
	}
	if _, err := s.Undo("bob", "undo 3", undone.Number); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(changed.VMs, s.State().VMs, ignoreMeta); d != "" {
		t.Error(d)
	}
	if got := s.State().ActiveProfile(); got != "home" {
		t.Errorf("active is %q", got)
	}
}

func TestUndoRefusesNamingLaterChanges(t *testing.T) {
	s := open(t)
	commit(t, s, lab(2))
	rev := commit(t, s, setMemory("vm-0", 0, 2048))
	commit(t, s, setMemory("vm-1", 0, 2048)) // something else
	if _, err := s.Commit("bob", "", setMemory("vm-0", 0, 4096)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Undo("ann", "", rev.Number)
	var undo *store.UndoError
	if !errors.As(err, &undo) || len(undo.Later) != 1 || undo.Later[0].Revision != 4 ||
		!strings.Contains(err.Error(), `revision 4 by bob (VM "vm-0")`) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Undo("ann", "", 3); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

func TestUndoNeverChangesAccess(t *testing.T) {
	s := open(t)
	line := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUmTPN8jhHvY1Vq0yKjSgKnGgVuVPtf6bxPj2dPaDkT"
	public, fingerprint, _, err := model.ParseKey(line)
	if err != nil {
		t.Fatal(err)
	}
	rev := commit(t, s, model.Add(model.User{Name: "ann", Role: model.RoleAdmin, Keys: []model.Key{{Name: "k", PublicKey: public, Fingerprint: fingerprint}}}))
	if _, err := s.Undo("ann", "", rev.Number); err == nil || !strings.Contains(err.Error(), "who has access") {
		t.Errorf("got %v", err)
	}
	commit(t, s, lab(0))
	invite := commit(t, s, model.Add(model.Invite{Hypervisor: "thinkpad", Fingerprint: "SHA256:x"}))
	if _, err := s.Undo("ann", "", invite.Number); err == nil {
		t.Error("an invite was undone")
	}
	// A hypervisor takes its invite along, and comes back without it.
	gone := commit(t, s, model.Remove[model.Hypervisor]("thinkpad"))
	if _, err := s.Undo("ann", "", gone.Number); err != nil {
		t.Fatal(err)
	}
	if st := s.State(); len(st.Hypervisors) != 1 || len(st.Invites) != 0 {
		t.Errorf("%d hypervisors, %d invites", len(st.Hypervisors), len(st.Invites))
	}
}

func TestUndoDoesNotRebuildOnceMore(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	rebuilt := commit(t, s, model.Change("vm-0", 0, func(vm *model.VM) error { vm.Rebuild++; return nil }))
	if _, err := s.Undo("ann", "", rebuilt.Number); err == nil {
		t.Error("a rebuild was undone")
	}
	both := commit(t, s, model.Change("vm-0", 0, func(vm *model.VM) error { vm.Rebuild++; vm.Role = "db"; return nil }))
	edit, err := s.UndoEdit(both.Number)
	if err != nil {
		t.Fatal(err)
	}
	impacts, err := s.Preview(edit)
	if err != nil || model.DamageOf(impacts).Confirm() != model.ConfirmNone {
		t.Errorf("got %v, %v", impacts, err)
	}
}

func TestUndoOfNoRevision(t *testing.T) {
	if _, err := open(t).Undo("ann", "", 12); err == nil || !strings.Contains(err.Error(), "no revision 12") {
		t.Errorf("got %v", err)
	}
}
