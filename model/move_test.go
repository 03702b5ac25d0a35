package model

import (
	"strings"
	"testing"
	"time"
)

func TestNextMove(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	vm := VM{ID: "0123456789ab", Name: "web", Hypervisor: "pad", MovingTo: "desk", Running: true, Enabled: true}
	arrived := vm
	arrived.Hypervisor, arrived.MovingTo, arrived.MovedFrom = "desk", "", "pad"
	online := func(guests ...Guest) HypervisorStatus {
		return HypervisorStatus{Agent: AgentOnline, DesiredDigest: "a", AppliedDigest: "a", Guests: guests}
	}
	guest := func(s GuestState) Guest { return Guest{ID: vm.ID, State: s} }
	busy := online(guest(GuestStopped))
	busy.Run = 7
	behind := online(guest(GuestStopped))
	behind.DesiredDigest = "b"
	off := HypervisorStatus{Agent: AgentOffline}
	stopped := vm
	stopped.Running = false
	arrivedStopped := arrived
	arrivedStopped.Running = false
	returns := arrived
	returns.MovingTo = "pad"
	applying, waiting := online(), online(guest(GuestRunning))
	applying.Run, applying.Phase = 7, PhaseApplying
	waiting.Run, waiting.Phase = 7, PhaseWaiting
	unborn := online()
	unborn.Run, unborn.Phase = 7, PhaseWaiting
	failing := online()
	failing.DesiredDigest, failing.Phase = "b", PhaseRetrying
	lost, dead := off, off
	lost.AgentSince, dead.AgentSince = now.Add(time.Second-awayTime), now.Add(-awayTime)
	tests := []struct {
		name       string
		vm         VM
		seen       MoveSeen
		act, phase string
	}{
		{"the guest runs", vm, MoveSeen{From: online(guest(GuestRunning)), To: online()}, MoveNothing, MoveStopping},
		{"it goes down", vm, MoveSeen{From: online(guest(GuestStopping)), To: online()}, MoveNothing, MoveStopping},
		{"a run is under way at the source", vm, MoveSeen{From: busy, To: online()}, MoveNothing, MoveStopping},
		{"the source is behind", vm, MoveSeen{From: behind, To: online()}, MoveNothing, MoveStopping},
		{"the source is away", vm, MoveSeen{From: off, To: online()}, MoveNothing, MoveWaiting},
		{"the target is away", vm, MoveSeen{From: online(guest(GuestStopped)), To: off}, MoveNothing, MoveWaiting},
		{"all is ready", vm, MoveSeen{From: online(guest(GuestStopped)), To: online()}, MoveCopy, MoveCopying},
		{"it was stopped before", stopped, MoveSeen{From: online(guest(GuestStopped)), To: online()}, MoveCopy, MoveCopying},
		{"it crashed", vm, MoveSeen{From: online(guest(GuestCrashed)), To: online()}, MoveCopy, MoveCopying},
		{"its domain is gone", vm, MoveSeen{From: online(), To: online()}, MoveCopy, MoveCopying},
		{"copying", vm, MoveSeen{From: online(guest(GuestStopped)), To: online(), Copying: true}, MoveNothing, MoveCopying},
		{"copied", vm, MoveSeen{From: online(guest(GuestStopped)), To: online(), Copied: true}, MoveArrive, MoveArriving},
		{"copied, and the source went away", vm, MoveSeen{From: off, To: online(), Copied: true}, MoveArrive, MoveArriving},
		{"failed, too early", vm, MoveSeen{From: online(guest(GuestStopped)), To: online(), Failures: 1, RetryAt: now.Add(time.Second)}, MoveNothing, MoveWaiting},
		{"failed, again", vm, MoveSeen{From: online(guest(GuestStopped)), To: online(), Failures: 1, RetryAt: now}, MoveCopy, MoveCopying},
		{"failed for good", vm, MoveSeen{From: online(guest(GuestStopped)), To: online(), Failures: moveTries}, MoveGiveUp, MoveCancelled},
		{"arrived, no domain yet", arrived, MoveSeen{From: online(), To: online()}, MoveNothing, MoveArriving},
		{"arrived, not up", arrived, MoveSeen{From: online(), To: online(guest(GuestStopped))}, MoveNothing, MoveArriving},
		{"arrived, the run goes on", arrived, MoveSeen{From: online(), To: HypervisorStatus{Agent: AgentOnline, Run: 3, Guests: []Guest{guest(GuestRunning)}}}, MoveNothing, MoveArriving},
		{"arrived and away", arrived, MoveSeen{From: online(), To: off}, MoveNothing, MoveArriving},
		{"up", arrived, MoveSeen{From: off, To: online(guest(GuestRunning))}, MoveLetGo, MoveReleasing},
		{"taken back, it runs", returns, MoveSeen{From: online(guest(GuestRunning)), To: online(), Reported: true}, MoveNothing, MoveStopping},
		{"taken back, it goes down", returns, MoveSeen{From: online(guest(GuestStopping)), To: online(), Reported: true}, MoveNothing, MoveStopping},
		{"taken back, and that must be approved", returns, MoveSeen{From: waiting, To: online(), Reported: true}, MoveNothing, MoveStopping},
		{"taken back, it may be just being started", returns, MoveSeen{From: applying, To: online(), Reported: true}, MoveNothing, MoveStopping},
		{"taken back, it is off", returns, MoveSeen{From: online(guest(GuestStopped)), To: off, Reported: true}, MoveArrive, MoveArriving},
		{"taken back, it was never started", returns, MoveSeen{From: unborn, To: online(), Reported: true}, MoveArrive, MoveArriving},
		{"taken back, as it cannot be made there", returns, MoveSeen{From: failing, To: online(), Reported: true}, MoveArrive, MoveArriving},
		{"taken back, and nobody has said yet what runs there", returns, MoveSeen{From: online(), To: online()}, MoveNothing, MoveStopping},
		{"taken back, and the agent there was just lost", returns, MoveSeen{From: lost, To: online(), Reported: true}, MoveNothing, MoveStopping},
		{"taken back, and nobody can tell", returns, MoveSeen{From: dead, To: online()}, MoveArrive, MoveArriving},
		{"there, as it is wanted stopped", arrivedStopped, MoveSeen{From: off, To: online(guest(GuestStopped))}, MoveLetGo, MoveReleasing},
	}
	for _, tt := range tests {
		if act, phase, _ := NextMove(tt.vm, tt.seen, now); act != tt.act || phase != tt.phase {
			t.Errorf("%s: %q in phase %q, want %q in %q", tt.name, act, phase, tt.act, tt.phase)
		}
	}
}

// moveLab is a lab with a protected VM on pad, and desk beside it.
func moveLab(t *testing.T) (*State, map[string][]Disk) {
	t.Helper()
	s := NewState()
	vm := NewVM("web")
	vm.ID, vm.Hypervisor, vm.Image, vm.Profiles, vm.Protected = "0123456789ab", "pad", "debian", []string{DefaultProfile}, true
	if err := Edits(Add(NewHypervisor("pad")), Add(NewHypervisor("desk")), Add(Image{Name: "debian", Path: "/d.qcow2"}), Add(vm))(s); err != nil {
		t.Fatal(err)
	}
	return s, map[string][]Disk{"pad": {{VM: vm.ID, Disk: DiskRoot}}}
}

// A move goes through its revisions without anything lost but the old copy, of
// a protected VM too.
func TestMoveLosesNothing(t *testing.T) {
	s, kept := moveLab(t)
	step := func(what string, edit Edit) []Impact {
		t.Helper()
		after := s.Clone()
		if err := edit(after); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := Check(s, after, kept); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		impacts := Preview(s, after, kept)
		s = after
		return impacts
	}
	begun := step("begin", MoveTo("web", "desk"))
	if len(begun) != 1 || begun[0].Action != ActionStop || len(begun[0].DisksLost) > 0 || !strings.Contains(begun[0].String(), "moves to desk with its disks") {
		t.Errorf("begin: %+v", begun)
	}
	if got := begun[0].String(); !strings.HasSuffix(got, "and is started there") {
		t.Error(got)
	}
	if p := Placements(s, "pad", kept["pad"]); len(p) != 1 || p[0].Running || !p[0].Domain {
		t.Errorf("while it is copied: %+v", p)
	}
	for what, edit := range map[string]Edit{
		"rename":    Change("web", 0, func(vm *VM) error { vm.Name = "www"; return nil }),
		"rebuild":   Change("web", 0, func(vm *VM) error { vm.Protected = false; vm.Rebuild++; return nil }),
		"elsewhere": Change("web", 0, func(vm *VM) error { vm.Protected = false; vm.Hypervisor = "desk"; return nil }),
	} {
		after := s.Clone()
		if err := edit(after); err != nil {
			t.Fatal(err)
		}
		if err := Check(s, after, kept); err == nil || !strings.Contains(err.Error(), "is being moved") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, i := range step("arrive", Arrive("web", "desk")) {
		if len(i.DisksLost) > 0 {
			t.Errorf("arriving loses a disk: %+v", i)
		}
	}
	if p := Placements(s, "pad", kept["pad"]); len(p) != 1 || !p[0].Copy || p[0].Domain || !p[0].Root {
		t.Errorf("the old copy: %+v", p)
	}
	if p := Placements(s, "desk", nil); len(p) != 1 || !p[0].Domain || !p[0].Running || !p[0].Protected {
		t.Errorf("the new place: %+v", p)
	}
	gone := step("let go", LetGo("web", "pad"))
	if len(gone) != 1 || gone[0].Hypervisor != "pad" || len(gone[0].DisksLost) != 1 || !strings.Contains(gone[0].Note, "old copy") {
		t.Errorf("let go: %+v", gone)
	}
}

// What has arrived and does not come up is taken back to the old copy, which was
// not touched; the copy at the new place is the one that goes then.
func TestTakeBack(t *testing.T) {
	s, kept := moveLab(t)
	kept["desk"] = []Disk{{VM: "0123456789ab", Disk: DiskRoot}}
	do := func(edit Edit) ([]Impact, error) {
		after := s.Clone()
		if err := edit(after); err != nil {
			return nil, err
		}
		if err := Check(s, after, kept); err != nil {
			return nil, err
		}
		impacts := Preview(s, after, kept)
		s = after
		return impacts, nil
	}
	if _, err := do(TakeBack("web")); err == nil || !strings.Contains(err.Error(), "no old copy elsewhere") {
		t.Errorf("of one that was not moved: %v", err)
	}
	_, err := do(MoveTo("web", "desk"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := do(TakeBack("web")); err == nil || !strings.Contains(err.Error(), "--cancel") {
		t.Errorf("of one that has not arrived: %v", err)
	}
	if _, err := do(Arrive("web", "desk")); err != nil {
		t.Fatal(err)
	}
	if _, err := do(Change("web", 0, func(vm *VM) error { vm.Hypervisor, vm.MovedFrom = "pad", ""; return nil })); err == nil || !strings.Contains(err.Error(), "--back") {
		t.Errorf("by an edit: %v", err)
	}
	impacts, err := do(TakeBack("web"))
	if err != nil || len(impacts) != 1 || impacts[0].Hypervisor != "desk" || impacts[0].Action != ActionStop ||
		!strings.HasSuffix(impacts[0].String(), "goes back to pad, to the disks that it left there, and is started there") {
		t.Fatalf("%v: %+v", err, impacts)
	}
	if p := Placements(s, "pad", kept["pad"]); len(p) != 1 || !p[0].Copy || p[0].Domain {
		t.Errorf("where it was, before it is off: %+v", p)
	}
	for want, edit := range map[string]Edit{"being taken back to pad already": TakeBack("web"), "was taken back meanwhile": LetGo("web", "pad")} {
		if _, err := do(edit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	left, err := do(CancelMove("web"))
	if err != nil || len(left) != 1 || left[0].Action != ActionStart {
		t.Errorf("it stays where it is: %v, %+v", err, left)
	}
	if _, err := do(TakeBack("web")); err != nil {
		t.Fatal(err)
	}
	impacts, err = do(Arrive("web", "pad"))
	if err != nil || len(impacts) != 2 || impacts[0].Action != ActionRemove || impacts[1].Action != ActionCreate || !strings.Contains(impacts[1].String(), "on the disks that were kept") {
		t.Fatalf("%v: %+v", err, impacts)
	}
	for _, i := range impacts {
		if len(i.DisksLost) > 0 {
			t.Errorf("it loses a disk at once: %s", i)
		}
	}
	if p := Placements(s, "pad", kept["pad"]); len(p) != 1 || p[0].Copy || !p[0].Domain || !p[0].Protected {
		t.Errorf("where it was: %+v", p)
	}
	if _, err := do(LetGo("web", "pad")); err == nil {
		t.Error("the old copy goes that is its disk again")
	}
	gone, err := do(LetGo("web", "desk"))
	if err != nil || len(gone) != 1 || gone[0].Hypervisor != "desk" || len(gone[0].DisksLost) != 1 {
		t.Errorf("let go: %v %+v", err, gone)
	}
}

func TestMoveRefused(t *testing.T) {
	s, kept := moveLab(t)
	small := NewHypervisor("box")
	small.Platform = PlatformSandbox
	if err := Edits(Add(small), Change("web", 0, func(vm *VM) error { vm.ExtraDiskGiB, vm.ExtraPool = 1, "fast"; return nil }),
		Change("pad", 0, func(h *Hypervisor) error { h.Pools = append(h.Pools, Pool{Name: "fast", Path: "/fast"}); return nil }))(s); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]Edit{
		"is on pad already":   MoveTo("web", "pad"),
		"no pool":             MoveTo("web", "desk"),
		"of another platform": MoveTo("web", "box"),
		"nowhere":             MoveTo("web", "nowhere"),
		"is not being moved":  CancelMove("web"),
		"has no domain, and only": Edits(Change("web", 0, func(vm *VM) error {
			vm.Enabled, vm.ExtraDiskGiB = false, 0
			vm.ExtraPool = ""
			vm.Protected = false
			return nil
		}), MoveTo("web", "desk")),
	} {
		after := s.Clone()
		err := edit(after)
		if err == nil {
			err = Check(s, after, kept)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}

func TestReaches(t *testing.T) {
	s, _ := moveLab(t)
	st := Status{Hypervisors: map[string]HypervisorStatus{"pad": {Guests: []Guest{{ID: "0123456789ab", Addresses: []string{"127.0.0.1", "fe80::1", "fd00::2", "10.0.0.9/24"}}}}}}
	if r := Reaches(s, st); len(r) != 1 || r[0] != (Reach{"web", "web-on-pad", "10.0.0.9"}) {
		t.Errorf("reported: %+v", r)
	}
	if r := Reaches(s, Status{}); r[0].Address != "" {
		t.Errorf("unknown: %+v", r)
	}
	vm := s.VMs["web"]
	vm.IP = "192.168.1.40/24"
	s.VMs["web"] = vm
	if r := Reaches(s, st); r[0].Address != "192.168.1.40" {
		t.Errorf("static: %+v", r)
	}
}

// One that is stopped is moved without more.
func TestMoveOfStopped(t *testing.T) {
	s, kept := moveLab(t)
	if err := Change("web", 0, func(vm *VM) error { vm.Running = false; return nil })(s); err != nil {
		t.Fatal(err)
	}
	after := s.Clone()
	if err := MoveTo("web", "desk")(after); err != nil {
		t.Fatal(err)
	}
	begun := Preview(s, after, kept)
	if len(begun) != 1 || begun[0].String() != "web moves to desk with its disks, and stays stopped" || DamageOf(begun).Confirm() != ConfirmNone {
		t.Errorf("%+v: %v", begun, begun)
	} else if got := begun[0].Would(); got != "web would move to desk with its disks, and stay stopped" {
		t.Error(got)
	}
}
