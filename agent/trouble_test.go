package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

func libvirtConfig(t *testing.T) []byte {
	return tarOf(t, wire.Manifest{Version: 1, Platform: model.PlatformLibvirt, Pools: []wire.Pool{{Name: defaultPool, Path: "/nowhere"}}}, map[string]string{wire.MainFile: variables})
}

// A libvirt that is not there, or that never answers, fails the run with words
// that say so, and nothing hangs.
func TestLibvirtThatDoesNotAnswer(t *testing.T) {
	before := callTime
	callTime = 200 * time.Millisecond
	t.Cleanup(func() { callTime = before })
	socket := filepath.Join(t.TempDir(), "sock")
	for i, want := range []string{"cannot reach libvirt", "did not answer"} {
		if i == 1 {
			ln, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() }) // it accepts in the kernel only
		}
		s := newFakeServer(t)
		a := start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: "qemu:///system?socket=" + socket})
		s.send(run(1, s.offer(libvirtConfig(t))))
		if got := s.state(1, model.RunFailed); !strings.Contains(got.Error, want) {
			t.Errorf("error %q, want %q", got.Error, want)
		}
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	}
}

// A plan that hangs is killed and made again.
func TestHungPlanIsTriedAgain(t *testing.T) {
	before := planTime
	planTime = 3 * time.Second
	t.Cleanup(func() { planTime = before })
	mark := filepath.Join(t.TempDir(), "hung")
	s := newFakeServer(t)
	wrapper := script(t, fmt.Sprintf("if [ \"$1\" = plan ] && mkdir %q 2>/dev/null; then trap '' INT; sleep 1000 & wait; fi\nexec %q \"$@\"\n", mark, terraformFor(t)))
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), Terraform: wrapper})
	s.send(run(1, s.offer(sandboxConfig(t, "one", idA))))
	s.state(1, model.RunSucceeded)
	if text := logOf(s.records); !strings.Contains(text, "did not end in 3s") || !strings.Contains(text, "trying again") {
		t.Errorf("the log does not say so:\n%s", text)
	}
}

// A failing apply says what failed, by the names that people know.
func TestFailedApply(t *testing.T) {
	s := newFakeServer(t)
	start(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(slowConfig(t, 1, 2, "exit 3"))))
	got := s.state(1, model.RunFailed)
	if !strings.Contains(got.Error, "applying failed: vm1 domain: local-exec provisioner error") &&
		!strings.Contains(got.Error, "applying failed: vm2 domain: local-exec provisioner error") {
		t.Errorf("error %q", got.Error)
	}
	s.send(run(2, s.offer(tarOf(t, wire.Manifest{Version: 1, Platform: model.PlatformSandbox}, map[string]string{wire.MainFile: "nonsense {"}))))
	if got := s.state(2, model.RunFailed); got.Error == "" {
		t.Error("a config that is no terraform gives no error")
	}
	s.send(run(3, s.offer(tarOf(t, wire.Manifest{Version: 1, Platform: "vax"}, map[string]string{wire.MainFile: ""}))))
	if got := s.state(3, model.RunFailed); !strings.Contains(got.Error, "update the agent") {
		t.Errorf("error %q", got.Error)
	}
}

func TestShutdownEndsRunsFirst(t *testing.T) {
	s := newFakeServer(t)
	down := make(chan []uint64, 1)
	var a *agent
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	data := t.TempDir()
	opts := Options{Data: data, Token: s.token().String(), Terraform: terraformFor(t), Shutdown: func(context.Context) error {
		down <- a.run.Unfinished()
		return fmt.Errorf("no power button")
	}}
	id, err := identify(ctx, folder(data), opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.Log = discard()
	if a, err = open(ctx, folder(data), id, opts); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.work(ctx) }()
	s.send(run(1, s.offer(slowConfig(t, 1, 25, "sleep 1"))))
	s.until("the apply to be under way", func() bool { return s.folded(1).Summary.Done > 0 })
	if text := s.ask(wire.Frame{Kind: wire.KindShutdown}); text != "" {
		t.Error(text)
	}
	if unfinished := <-down; len(unfinished) != 0 {
		t.Errorf("runs were under way when the machine went down: %v", unfinished)
	}
	if got := s.state(1, model.RunFailed); !strings.Contains(got.Error, "being shut down") {
		t.Errorf("error %q", got.Error)
	}
	// It did not go down: the server hears why, and runs start again.
	s.until("the reason", func() bool { return len(s.errors) == 1 && strings.Contains(s.errors[0], "no power button") })
	s.send(run(2, s.offer(sandboxConfig(t, "one", idA))))
	s.until("run 2 to be begun", func() bool { return s.folded(2).State != model.RunQueued })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	a.spool.Close()
	a.virt.Close()
}

// An agent without terraform is there all the same: the run says what is missing,
// and finds what was installed meanwhile.
func TestTerraformThatIsNotThere(t *testing.T) {
	real := terraformFor(t)
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	fetch = func(context.Context, string, func(string)) (string, error) { return "", fmt.Errorf("no network") }
	t.Cleanup(func() { fetch = fetchTerraform })
	s := newFakeServer(t)
	begin(t, Options{Data: t.TempDir(), Token: s.token().String()})
	s.send(run(1, s.offer(sandboxConfig(t, "one", idA))))
	if got := s.state(1, model.RunFailed); !strings.Contains(got.Error, "could not be fetched (no network): install terraform") {
		t.Errorf("error %q", got.Error)
	}
	if err := os.Symlink(real, filepath.Join(bin, filepath.Base(real))); err != nil {
		t.Fatal(err)
	}
	s.send(run(2, s.offer(sandboxConfig(t, "one", idA))))
	s.state(2, model.RunSucceeded)
	s.until("the server to know of it", func() bool { return s.facts.Terraform != "" })
}
