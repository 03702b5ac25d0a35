package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"homelab/agent/wire"
	"homelab/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	idA = "0123456789ab"
	idB = "ba9876543210"
	idC = "cccccccccccc"
)

func run(id uint64, digest string) wire.Frame {
	return wire.Frame{Kind: wire.KindRun, Run: &wire.Run{ID: id, Kind: model.RunApply, Digest: digest}}
}

func TestJoinApplyAndChange(t *testing.T) {
	s := newFakeServer(t)
	data := filepath.Join(t.TempDir(), "data")
	a := start(t, Options{Data: data, Token: s.token().String(), Version: "test"})

	digest := s.offer(sandboxConfig(t, "one", idA, idB))
	s.send(run(1, digest))
	got := s.state(1, model.RunSucceeded)
	if d := cmp.Diff(model.Summary{Add: 4, Done: 4, Total: 4}, got.Summary); d != "" {
		t.Error(d)
	}
	for _, r := range got.Resources {
		if r.Status != model.ResourceDone || !strings.HasPrefix(r.Label, "vm") {
			t.Errorf("step %+v", r)
		}
	}
	s.until("the inventory", func() bool {
		return len(s.inv.Guests) == 2 && len(s.inv.Disks) == 2 && s.inv.Guests[0].Name == "vm1_on_hv1" && s.inv.Guests[0].State == model.GuestRunning
	})

	// Nothing has changed; and terraform is not prepared again.
	s.send(run(2, digest))
	s.state(2, model.RunNoop)

	// A removal that was not announced waits.
	digest = s.offer(sandboxConfig(t, "one", idA))
	s.send(run(3, digest))
	got = s.state(3, model.RunWaiting)
	if len(got.Violations) != 2 || got.Violations[0].Action != "delete" {
		t.Errorf("violations: %+v", got.Violations)
	}
	if text := s.ask(wire.Frame{Kind: wire.KindApprove, RunID: 7}); !strings.Contains(text, "not under way") {
		t.Errorf("approved a run that there is not: %q", text)
	}
	if text := s.ask(wire.Frame{Kind: wire.KindApprove, RunID: 3}); text != "" {
		t.Error(text)
	}
	s.state(3, model.RunSucceeded)
	s.until("the inventory", func() bool { return len(s.inv.Guests) == 1 && len(s.inv.Disks) == 1 })

	// An announced one does not wait.
	digest = s.offer(sandboxConfig(t, "one"))
	order := run(4, digest)
	order.Run.Announced = model.Announced{Domains: []string{idA}, Disks: []model.Disk{{VM: idA, Disk: model.DiskRoot}}}
	s.send(order)
	got = s.state(4, model.RunSucceeded)
	if got.Resources[0].Label != "vm1 domain" && got.Resources[0].Label != "vm1 root disk" {
		t.Errorf("the name of what is gone was forgotten: %+v", got.Resources)
	}

	if err := a.stop(); err != nil {
		t.Error(err)
	}
	// A later start needs no token, and says what holds.
	start(t, Options{Data: data, Version: "test"})
	s.until("a second hello", func() bool { return len(s.hellos) == 2 })
	if h := s.hellos[1]; h.AppliedDigest != digest || len(h.Unfinished) != 0 {
		t.Errorf("hello: %+v", h)
	}
}

func TestReviewSupersedeCancel(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})

	first := s.offer(sandboxConfig(t, "one", idA))
	order := run(1, first)
	order.Run.Review = true
	s.send(order)
	s.state(1, model.RunWaiting)
	s.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{Digest: first}}) // the same: nothing happens
	second := s.offer(sandboxConfig(t, "two", idA))
	s.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{Digest: second}})
	s.state(1, model.RunSuperseded)

	order = run(2, second)
	order.Run.Review = true
	s.send(order)
	s.state(2, model.RunWaiting)
	if text := s.ask(wire.Frame{Kind: wire.KindCancel, RunID: 2}); text != "" {
		t.Error(text)
	}
	s.state(2, model.RunCancelled)

	// A run by hand that only plans changes nothing and ends.
	order = run(3, second)
	order.Run.Kind = model.RunPlan
	s.send(order)
	if got := s.state(3, model.RunSucceeded); got.Summary.Add != 2 || got.Summary.Done != 0 {
		t.Errorf("summary: %+v", got.Summary)
	}

	// A waiting run makes room for another.
	order = run(4, second)
	order.Run.Review = true
	s.send(order)
	s.state(4, model.RunWaiting)
	s.send(run(5, second))
	s.state(5, model.RunSucceeded)
	s.state(4, model.RunSuperseded)

	// So it does where nothing is desired any more, as on a hypervisor that is held.
	order = run(6, s.offer(sandboxConfig(t, "three", idA)))
	order.Run.Review = true
	s.send(order)
	s.state(6, model.RunWaiting)
	s.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{}})
	s.state(6, model.RunSuperseded)
}

// A plan that would take a protected VM's disk fails, under every policy and
// whatever was announced, and nothing of it is applied.
func TestProtectedDiskIsNeverPlannedAway(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(sandboxConfig(t, "one", idA, idB))))
	s.state(1, model.RunSucceeded)

	// The VM is in the config still, its disk is not, and something else changes.
	m := wire.Manifest{Version: 1, Hypervisor: "hv1", Platform: model.PlatformSandbox, VMs: []wire.VM{{ID: idA, Name: "vm1", Protected: true}}}
	digest := s.offer(tarOf(t, m, map[string]string{wire.MainFile: variables}))
	for id, review := range map[uint64]bool{2: false, 3: true} {
		order := run(id, digest)
		order.Run.Review = review
		order.Run.Announced = model.Announced{Domains: []string{idA, idB}, Disks: []model.Disk{{VM: idA, Disk: model.DiskRoot}, {VM: idB, Disk: model.DiskRoot}}}
		s.send(order)
		if got := s.state(id, model.RunFailed); !strings.Contains(got.Error, "destroy what is protected: vm1 root disk") || got.Summary.Done != 0 {
			t.Errorf("review %v: %q, %+v", review, got.Error, got.Summary)
		}
	}
	s.until("all of it to be there", func() bool { return len(s.inv.Guests) == 2 && len(s.inv.Disks) == 2 })
}

// A config that is not the one ordered is not applied, whatever it is.
func TestWrongConfigIsNeverApplied(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	digest := s.offer(sandboxConfig(t, "one", idA))
	s.offer([]byte{})
	s.send(run(1, digest))
	if got := s.state(1, model.RunFailed); !strings.Contains(got.Error, "changed meanwhile") {
		t.Errorf("error: %q", got.Error)
	}
	s.change(func() { s.config = nil })
	s.send(run(2, digest))
	if got := s.state(2, model.RunFailed); !strings.Contains(got.Error, "there is no hypervisor named hv1") {
		t.Errorf("error: %q", got.Error)
	}
	s.send(run(3, ""))
	s.state(3, model.RunFailed)
	s.offer(sandboxConfig(t, "one", idA))
	s.send(run(4, digest))
	s.state(4, model.RunSucceeded)
}

func TestRefusedJoinLeavesNothing(t *testing.T) {
	s := newFakeServer(t)
	data := filepath.Join(t.TempDir(), "data")
	token := s.token()
	token.Fingerprint = "SHA256:" + strings.Repeat("A", 43)
	err := Run(t.Context(), Options{Data: data, Token: token.String()})
	var wrong *hostKeyError
	if !errors.As(err, &wrong) {
		t.Errorf("a false server: %v", err)
	}
	if len(s.keys) != 1 || s.joins != 0 {
		t.Error("something was said to a server that is not the one of the token")
	}
	token = s.token()
	token.Seed[0] ^= 1 // not known
	if err := Run(t.Context(), Options{Data: data, Token: token.String()}); err == nil || !strings.Contains(err.Error(), "agent invite") {
		t.Errorf("a used token: %v", err)
	}
	if _, err := os.Stat(data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was left behind: %v", err)
	}
	if err := Run(t.Context(), Options{Data: data}); err == nil || !strings.Contains(err.Error(), "has not joined") {
		t.Errorf("no token: %v", err)
	}
}

func TestRejoinReplaces(t *testing.T) {
	s := newFakeServer(t)
	data := t.TempDir()
	first := s.token()
	a := start(t, Options{Data: data, Token: first.String()})
	s.until("a hello", func() bool { return len(s.hellos) == 1 })
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	// The same token again is no second join.
	a = start(t, Options{Data: data, Token: first.String()})
	s.until("a second hello", func() bool { return len(s.hellos) == 2 })
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, Options{Data: data, Token: s.token().String()})
	s.until("a third hello", func() bool { return len(s.hellos) == 3 })
	if s.joins != 2 {
		t.Errorf("%d joins", s.joins)
	}
	if err := Run(t.Context(), Options{Data: data}); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent on the same folder: %v", err)
	}
}
