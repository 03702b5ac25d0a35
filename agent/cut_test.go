package agent

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// slowConfig takes some seconds to apply: each VM's domain runs a sleep.
func slowConfig(t *testing.T, generation int, vms int, sleep string) []byte {
	m := wire.Manifest{Version: 1, Hypervisor: "hv1", Platform: model.PlatformSandbox}
	files := map[string]string{wire.MainFile: variables}
	for i := range vms {
		id, name := fmt.Sprintf("%012x", i+1), fmt.Sprintf("vm%d", i+1)
		m.VMs = append(m.VMs, wire.VM{ID: id, Name: name, DomainName: name + "_on_hv1", Running: true})
		files["vm-"+name+".tf"] = fmt.Sprintf(`
resource "terraform_data" "vm_%s" {
  input            = %d
  triggers_replace = [%[2]d]
  provisioner "local-exec" {
    command = %q
  }
}
`, id, generation, sleep)
	}
	return tarOf(t, m, files)
}

// announceAll agrees to the loss of everything.
func announceAll(vms int) model.Announced {
	var a model.Announced
	for i := range vms {
		a.Domains = append(a.Domains, fmt.Sprintf("%012x", i+1))
	}
	return a
}

func checkSequence(t *testing.T, s *fakeServer) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for spool, records := range s.spools {
		for i, r := range records {
			if r.Seq != uint64(i)+1 {
				t.Errorf("spool %s: record %d is number %d", spool, i+1, r.Seq)
			}
		}
	}
	if len(s.spools) != 1 {
		t.Errorf("%d spools", len(s.spools))
	}
}

// A connection that is cut again and again during an apply: the apply goes
// on, and what it said arrives once and in order.
func TestCutsDuringApply(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(slowConfig(t, 1, 20, "sleep 0.5"))))
	s.state(1, model.RunApplying)
	for range 3 {
		s.cut()
		s.until("a connection", func() bool { return s.w != nil })
		s.mu.Lock()
		n := len(s.records)
		ended := s.folded(1).State.Ended()
		s.mu.Unlock()
		if !ended {
			s.until("more of the log", func() bool { return len(s.records) > n || s.folded(1).State.Ended() })
		}
	}
	if got := s.state(1, model.RunSucceeded); got.Summary.Done != 20 {
		t.Errorf("%+v", got.Summary)
	}
	checkSequence(t, s)
}

// Cancelling an apply is gentle: what is under way is finished and recorded.
func TestCancelDuringApply(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(slowConfig(t, 1, 25, "sleep 1"))))
	s.until("the apply to be under way", func() bool { return s.folded(1).Summary.Done > 0 })
	// A newer config waits for an apply.
	newer := s.offer(slowConfig(t, 2, 25, "true"))
	s.send(wire.Frame{Kind: wire.KindDesired, Desired: &wire.Desired{Digest: newer}})
	if text := s.ask(wire.Frame{Kind: wire.KindCancel, RunID: 1}); text != "" {
		t.Error(text)
	}
	got := s.state(1, model.RunCancelled)
	if got.Summary.Done == 0 || got.Summary.Done == 25 {
		t.Errorf("%+v", got.Summary)
	}
	s.until("the inventory", func() bool { return len(s.inv.Guests) == got.Summary.Done })
	order := run(2, newer)
	order.Run.Announced = announceAll(25)
	s.send(order)
	s.state(2, model.RunSucceeded)
}

func TestSecondCancelKills(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(slowConfig(t, 1, 1, "echo begun; sleep 600"))))
	s.until("the apply to be under way", func() bool { return strings.Contains(logOf(s.records), "begun") })
	for range 2 {
		if text := s.ask(wire.Frame{Kind: wire.KindCancel, RunID: 1}); text != "" {
			t.Error(text)
		}
	}
	s.state(1, model.RunCancelled)
}

// An agent that is stopped in mid-apply ends the run and hands over its log.
func TestStopDuringApply(t *testing.T) {
	s := newFakeServer(t)
	data := t.TempDir()
	a := start(t, Options{Data: data, Token: s.token().String()})
	s.send(run(1, s.offer(slowConfig(t, 1, 25, "sleep 1"))))
	s.until("the apply to be under way", func() bool { return s.folded(1).Summary.Done > 0 })
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	if got := s.state(1, model.RunFailed); !strings.Contains(got.Error, "the agent was stopped") {
		t.Errorf("error %q", got.Error)
	}
	if _, err := os.Stat(filepath.Join(data, runFile)); err == nil {
		t.Error("the run is noted as under way")
	}
}

// TestAgentProcess is no test but the agent of TestKills.
func TestAgentProcess(t *testing.T) {
	data := os.Getenv("AGENT_TEST_DATA")
	if data == "" {
		t.Skip("runs as the process of another test")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := Run(ctx, Options{Data: data, Token: os.Getenv("AGENT_TEST_TOKEN"), Terraform: os.Getenv("AGENT_TEST_TERRAFORM"), Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		t.Error(err)
	}
}

func startProcessOfAgent(t *testing.T, data, token string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAgentProcess$", "-test.v")
	cmd.Env = append(os.Environ(), "AGENT_TEST_DATA="+data, "AGENT_TEST_TOKEN="+token, "AGENT_TEST_TERRAFORM="+terraformFor(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			fmt.Fprintln(os.Stderr, "  agent:", sc.Text())
		}
	}()
	return cmd
}

// Agents and terraforms that are killed (-9) during applies, and connections
// that are cut: each record arrives once and in order, every run ends, and in
// the end the config holds.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	s := newFakeServer(t)
	data, token := t.TempDir(), s.token().String()
	const vms = 12
	agent := startProcessOfAgent(t, data, token)
	t.Cleanup(func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	const rounds = 6
	for round := 1; round <= rounds; round++ {
		id := uint64(round)
		order := run(id, s.offer(slowConfig(t, round, vms, "sleep 0.3")))
		order.Run.Announced = announceAll(vms)
		s.send(order)
		steps := dice.IntN(4)
		s.until("the apply to be under way", func() bool {
			r := s.folded(id)
			return r.State.Ended() || r.State == model.RunApplying && r.Summary.Done >= steps
		})
		switch round % 3 {
		case 0:
			s.cut()
		case 1:
			_ = agent.Process.Kill()
			_ = agent.Wait()
			agent = startProcessOfAgent(t, data, token)
		case 2:
			var mark processMark
			if err := folder(data).load(processFile, &mark); err == nil && mark.Group > 0 {
				_ = syscall.Kill(mark.Group, syscall.SIGKILL)
			}
		}
		s.until(fmt.Sprintf("run %d to end", id), func() bool { return s.folded(id).State.Ended() })
	}
	order := run(100, s.offer(slowConfig(t, 100, vms, "true")))
	order.Run.Announced = announceAll(vms)
	s.send(order)
	s.state(100, model.RunSucceeded)
	s.until("all guests", func() bool { return len(s.inv.Guests) == vms })
	checkSequence(t, s)
	failed := 0
	for id := uint64(1); id <= rounds; id++ {
		if r := s.folded(id); r.State == model.RunFailed {
			failed++
			t.Logf("run %d: %s", id, r.Error)
		}
	}
	if failed == 0 {
		t.Error("no kill hit anything")
	}
}
