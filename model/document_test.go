package model

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func documented(t *testing.T, s *State) map[string]json.RawMessage {
	t.Helper()
	sections, err := Document(s)
	if err != nil {
		t.Fatal(err)
	}
	doc := map[string]json.RawMessage{}
	for _, sec := range sections {
		text, err := json.Marshal(sec.Objects)
		if sec.Kind == KindSettings {
			text = sec.Objects[0]
		}
		if err != nil {
			t.Fatal(err)
		}
		doc[sec.Key] = text
	}
	return doc
}

// merged is a state after a document was merged into it.
func merged(t *testing.T, s *State, doc map[string]json.RawMessage, prune bool) *State {
	t.Helper()
	from, err := ReadDocument(doc, s)
	if err != nil {
		t.Fatal(err)
	}
	after := s.Clone()
	if err := Merge(from, prune)(after); err != nil {
		t.Fatal(err)
	}
	return after
}

func fullLab() *State {
	s := NewState()
	s.Settings.DNS, s.Settings.PriceKWh, s.Settings.RestorePower = []string{"1.1.1.1"}, 0.31, true
	s.Settings.UserCA, s.Settings.Revoked = []string{"ssh-ed25519 AAAA"}, []string{"serial:7"}
	s.Profiles["night"] = Profile{Name: "night"}
	s.Images["debian"] = Image{Name: "debian", Path: "/srv/debian.qcow2"}
	s.Outlets["plug"] = Outlet{Name: "plug", Driver: DriverShelly, Secrets: []string{"password"}, Shelly: ShellyOutlet{Address: "10.0.0.30"}}
	s.SaltMasters["pi"] = SaltMaster{Name: "pi", Address: "10.0.0.2", Serves: ServesVMs, Reach: []string{"ssh", "pi"}}
	h := NewHypervisor("nuc")
	h.PowerWanted, h.Hold, h.Outlets = PowerWantedOn, true, []string{"plug"}
	s.Hypervisors["nuc"] = h
	vm := NewVM("web")
	vm.Hypervisor, vm.Image, vm.Enabled, vm.Running, vm.NICs, vm.Profiles, vm.Rebuild = "nuc", "debian", false, false, 0, nil, 3
	s.VMs["web"] = vm
	s.Shares["media"] = Share{Name: "media", Server: "nas", Export: "/srv", Mount: "/mnt/media"}
	s.Roles["db"] = GuestRole{Name: "db", Packages: []string{"postgresql"}, UserData: "a: 1\n"}
	s.Users["ann"] = User{Name: "ann", Role: RoleAdmin}
	s.Agents["nuc"] = Agent{Hypervisor: "nuc"}
	return s
}

var sameState = cmp.Options{cmpopts.IgnoreUnexported(State{}), cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(Meta{})}

// TestDocumentRoundTrip: into the lab that it is of a document changes nothing,
// and into an empty one it brings all but access and orders of the moment.
func TestDocumentRoundTrip(t *testing.T) {
	s := fullLab()
	doc := documented(t, s)
	for _, prune := range []bool{false, true} {
		changes, err := Diff(s, merged(t, s, doc, prune))
		if err != nil || len(changes) > 0 {
			t.Errorf("prune %v: %v, %v", prune, changes, err)
		}
	}
	want := fullLab()
	want.VMs = s.VMs // whose IDs are random
	want.Users, want.Agents, want.Settings.UserCA, want.Settings.Revoked = nil, nil, nil, nil
	h := want.Hypervisors["nuc"]
	h.PowerWanted, h.Hold = PowerWantedNone, false
	want.Hypervisors["nuc"] = h
	if d := cmp.Diff(want, merged(t, NewState(), doc, true), sameState); d != "" {
		t.Error(d)
	}
	if keys := Names(doc); !slices.Equal(keys, []string{"hypervisors", "images", "outlets", "profiles", "roles", "salt_masters", "settings", "shares", "vms"}) {
		t.Errorf("sections %v", keys)
	}
}

// TestMergeLeavesWhatIsOfTheMoment: who may connect, power, holds and rebuilds
// are not changed along with others.
func TestMergeLeavesWhatIsOfTheMoment(t *testing.T) {
	s := fullLab()
	from := s.Clone()
	from.Users, from.Agents = map[string]User{"eve": {Name: "eve", Role: RoleAdmin}}, map[string]Agent{}
	from.Settings.UserCA, from.Settings.Revoked = []string{"eve's"}, nil
	h := from.Hypervisors["nuc"]
	h.PowerWanted, h.Hold = PowerWantedOff, false
	from.Hypervisors = map[string]Hypervisor{"nuc": h}
	vm := from.VMs["web"]
	vm.Rebuild, vm.Name = 1, "renamed"
	from.VMs = map[string]VM{"renamed": vm}
	after := s.Clone()
	if err := Merge(from, true)(after); err != nil {
		t.Fatal(err)
	}
	want := s.Clone()
	vm.Rebuild = 3
	want.VMs = map[string]VM{"renamed": vm}
	if d := cmp.Diff(want, after, sameState); d != "" {
		t.Error(d)
	}
	if old, ok := after.Origin(Ref{KindVM, "renamed"}); !ok || old.Name != "web" {
		t.Errorf("the VM is another one: %v", old)
	}
	// An agent's hypervisor stays.
	from.Hypervisors = map[string]Hypervisor{}
	if err := Merge(from, true)(after); err != nil || len(after.Hypervisors) != 1 {
		t.Errorf("%v, %v", after.Hypervisors, err)
	}
}
