package command

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// waited runs a command on a terminal or off one, and tells what it said on
// standard error whenever it has said what is waited for.
func waited(t *testing.T, l *testLab, pty bool, command string, script ...func(said string) bool) (status int, all string) {
	t.Helper()
	r, w := io.Pipe()
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		status := Run(t.Context(), l, strings.Fields(command), IO{In: strings.NewReader(""), Out: &out, Err: w, PTY: pty, Width: 80})
		w.Close()
		ended <- status
	}()
	var said strings.Builder
	in := bufio.NewReader(r)
	for {
		b, err := in.ReadByte()
		if err != nil {
			return <-ended, said.String()
		}
		said.WriteByte(b)
		if len(script) > 0 && script[0](said.String()) {
			script = script[1:]
		}
	}
}

func guestLab(t *testing.T) *testLab {
	t.Helper()
	l := openLab(t)
	hv := model.NewHypervisor("thinkpad")
	hv.Platform = model.PlatformSandbox
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Profiles, vm.Image = "thinkpad", []string{model.DefaultProfile}, "img"
	if _, err := l.Commit(t.Context(), "test", model.Edits(model.Add(hv), model.Add(model.Image{Name: "img", Path: "/img"}), model.Add(vm))); err != nil {
		t.Fatal(err)
	}
	l.observe("thinkpad", func(st *model.HypervisorStatus) {
		*st = model.HypervisorStatus{
			Power: model.PowerOn, Agent: model.AgentOnline, Phase: model.PhaseInSync, LastRun: 4,
			Guests: []model.Guest{{ID: l.State().VMs["web"].ID, Name: "web_on_thinkpad", State: model.GuestRunning}},
		}
	})
	return l
}

func TestStopIsWaitedForAndCountedDown(t *testing.T) {
	for _, pty := range []bool{false, true} {
		l := guestLab(t)
		// Its seconds go by whenever the last was said.
		steps := []func(string) bool{
			func(said string) bool {
				if !strings.Contains(said, "is running; thinkpad is in sync") {
					return false
				}
				l.guest("web", model.GuestStopping, time.Now().Add(45*time.Second))
				return true
			},
			func(said string) bool {
				if !strings.Contains(said, "asked to shut down, forced off in 4") {
					return false
				}
				l.guest("web", model.GuestStopping, time.Now().Add(25*time.Second))
				if !pty { // the time alone is not said anew
					l.guest("web", model.GuestStopped, time.Time{})
				}
				return true
			},
			func(said string) bool {
				if !strings.Contains(said, "\r\x1b[Kweb: asked to shut down, forced off in 2") {
					return false
				}
				l.guest("web", model.GuestStopped, time.Time{})
				return true
			},
		}
		status, said := waited(t, l, pty, "vm stop web --wait", steps...)
		if status != exitDone || !strings.Contains(said, "web: is off\n") || pty != strings.Contains(said, "\r\x1b[K") {
			t.Errorf("pty %v: status %d\n%q", pty, status, said)
		}
	}
}

func TestWaitingEndsWhereNothingComes(t *testing.T) {
	waits := func(l *testLab, then func()) func(string) bool {
		return func(said string) bool {
			if strings.Contains(said, "web: is ") {
				then()
				return true
			}
			return false
		}
	}
	for _, c := range []struct {
		name, command string
		then          func(t *testing.T, l *testLab)
		status        int
		want          string
	}{
		{"the run fails", "vm stop web --wait", func(t *testing.T, l *testLab) {
			l.observe("thinkpad", func(st *model.HypervisorStatus) {
				st.Phase, st.LastRun, st.Error = model.PhaseRetrying, 5, "libvirt did not answer"
			})
		}, exitFailed, "error: web is not off: libvirt did not answer"},
		{"it is held", "vm stop web --wait", func(t *testing.T, l *testLab) {
			l.observe("thinkpad", func(st *model.HypervisorStatus) { st.Phase = model.PhaseHeld })
		}, exitFailed, "error: thinkpad is held: web stays as it is"},
		{"somebody starts it", "vm stop web --wait", func(t *testing.T, l *testLab) {
			if _, err := l.Commit(t.Context(), "test", model.Change("web", 0, func(vm *model.VM) error { vm.Running = true; return nil })); err != nil {
				t.Error(err)
			}
		}, exitFailed, "error: somebody wants web on meanwhile"},
		{"it is removed", "vm stop web --wait", func(t *testing.T, l *testLab) {
			if _, err := l.Commit(t.Context(), "test", model.Remove[model.VM]("web")); err != nil {
				t.Error(err)
			}
		}, exitFailed, `error: there is no VM named "web"`},
		{"it takes too long", "vm stop web --wait --timeout 1ms", func(*testing.T, *testLab) {}, exitFailed, "error: web not off after 1ms"},
	} {
		l := guestLab(t)
		status, said := waited(t, l, false, c.command, waits(l, func() { c.then(t, l) }))
		if status != c.status || !strings.Contains(said, c.want) {
			t.Errorf("%s: status %d, want %q in\n%s", c.name, status, c.want, said)
		}
	}
}

func TestStartIsWaitedFor(t *testing.T) {
	l := guestLab(t)
	if status, said := waited(t, l, false, "vm stop web --force --yes"); status != exitDone {
		t.Fatal(said)
	}
	status, said := waited(t, l, false, "vm start web --wait", func(said string) bool {
		if !strings.Contains(said, "web: is stopped") {
			return false
		}
		l.guest("web", model.GuestRunning, time.Time{})
		return true
	})
	if status != exitDone || !strings.Contains(said, "web: is up\n") {
		t.Errorf("status %d\n%s", status, said)
	}
}
