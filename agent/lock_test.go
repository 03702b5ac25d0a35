package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// A terraform that somebody runs by hand holds the state: a run says who, and
// the lock is not removed under it. Killed, it leaves its lock behind, which is
// told from a live one and removed on request.
func TestLockOnTheState(t *testing.T) {
	lock, look := lockTime, lookEvery
	lockTime, lookEvery = 100*time.Millisecond, 200*time.Millisecond
	t.Cleanup(func() { lockTime, lookEvery = lock, look })
	s := newFakeServer(t)
	data, bin := t.TempDir(), terraformFor(t)
	start(t, Options{Data: data, Token: s.token().String()})
	s.send(run(1, s.offer(sandboxConfig(t, "one", idA))))
	s.state(1, model.RunSucceeded)

	hand := t.TempDir()
	fifo := filepath.Join(hand, "fifo")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %v %s", err, out)
	}
	tf := fmt.Sprintf("terraform {\n  backend \"local\" {\n    path = %q\n  }\n}\nresource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"cat %s\"\n  }\n}\n", filepath.Join(data, stateFile), fifo)
	if err := os.WriteFile(filepath.Join(hand, "main.tf"), []byte(tf), 0o600); err != nil {
		t.Fatal(err)
	}
	terraform := func(args ...string) *exec.Cmd {
		cmd := exec.Command(bin, args...)
		cmd.Dir = hand
		return cmd
	}
	if out, err := terraform("init", "-input=false").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	apply := terraform("apply", "-input=false", "-auto-approve", "-target=terraform_data.x")
	if err := apply.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { _ = apply.Process.Kill(); _ = apply.Wait() }
	defer end()
	s.until("the lock that somebody holds", func() bool {
		l := s.inv.Lock
		return l != nil && l.Live && l.PID == apply.Process.Pid && strings.Contains(l.Who, "@") && !l.Created.IsZero()
	})
	s.send(run(2, s.offer(sandboxConfig(t, "one", idA, idB))))
	if got := s.state(2, model.RunFailed); !strings.Contains(got.Error, fmt.Sprintf("process %d", apply.Process.Pid)) {
		t.Errorf("the run says %q", got.Error)
	}
	text := s.ask(wire.Frame{Kind: wire.KindUnlock})
	for strings.Contains(text, "run 2 is under way") { // its last words come before its end
		text = s.ask(wire.Frame{Kind: wire.KindUnlock})
	}
	if !strings.Contains(text, "works on terraform's state") {
		t.Errorf("unlocked under a live one: %q", text)
	}
	end()
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0) // let what it started end, too
	if err == nil {
		f.Close()
	}
	s.until("the lock that was left behind", func() bool { return s.inv.Lock != nil && !s.inv.Lock.Live })
	if text := s.ask(wire.Frame{Kind: wire.KindUnlock}); text != "" {
		t.Error(text)
	}
	s.until("no lock", func() bool { return s.inv.Lock == nil })
	if text := s.ask(wire.Frame{Kind: wire.KindUnlock}); text != "nobody holds the state" {
		t.Errorf("nothing to unlock: %q", text)
	}
	s.send(run(3, s.offer(sandboxConfig(t, "one", idA, idB))))
	s.state(3, model.RunSucceeded)
}
