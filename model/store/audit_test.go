package store

import (
	"path/filepath"
	"strconv"
	"testing"

	"homelab/model"
)

func openAudit(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "homelab.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAuditIsReadNewestFirstAndCountsOn(t *testing.T) {
	s := openAudit(t)
	in := &model.Audited{Kind: model.AuditConnected, Who: "ann", Count: 1}
	out := &model.Audited{Kind: model.AuditRefused, Who: "stranger", Count: 1}
	did := &model.Audited{Kind: model.AuditDid, Who: "ann", What: "vm list", Count: 1}
	if err := s.WriteAudit([]*model.Audited{in, out, did}); err != nil {
		t.Fatal(err)
	}
	out.Count = 7
	if err := s.WriteAudit([]*model.Audited{out}); err != nil {
		t.Fatal(err)
	}
	all, err := s.Audit(0, 10)
	if err != nil || len(all) != 3 || all[0].Count != 7 || all[1].What != "vm list" || all[2].Kind != model.AuditConnected {
		t.Fatalf("%v %+v", err, all)
	}
	older, err := s.Audit(all[1].Number, 10)
	if err != nil || len(older) != 1 || older[0].Number != all[2].Number {
		t.Errorf("%v %+v", err, older)
	}
	if one, _ := s.Audit(0, 1); len(one) != 1 || one[0].Count != 7 {
		t.Errorf("%+v", one)
	}
}

// Strangers are kept apart: a million of them push out no person.
func TestAuditIsBounded(t *testing.T) {
	s := openAudit(t)
	entries := []*model.Audited{{Kind: model.AuditDid, Who: "ann", What: "first"}}
	for n := range keptStrangers + 100 {
		entries = append(entries, &model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: strconv.Itoa(n)})
	}
	if err := s.WriteAudit(entries); err != nil {
		t.Fatal(err)
	}
	all, err := s.Audit(0, 10*keptStrangers)
	if err != nil || len(all) != keptStrangers+1 {
		t.Fatalf("%v, %d entries", err, len(all))
	}
	if last := all[len(all)-1]; last.What != "first" {
		t.Errorf("the oldest is %+v", last)
	}
	if oldest := all[len(all)-2]; oldest.Address != "100" {
		t.Errorf("the oldest stranger is %+v", oldest)
	}
	gone := *entries[1]
	gone.Count = 9
	if err := s.WriteAudit([]*model.Audited{&gone}); err != nil {
		t.Fatal(err)
	}
	if all, _ := s.Audit(0, 10*keptStrangers); len(all) != keptStrangers+1 {
		t.Errorf("one that has left the ring came back: %d", len(all))
	}
}
