package power

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// program writes a script; the driver itself runs no shell.
func program(t *testing.T, body string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "device.sh")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCommand(t *testing.T) {
	at := filepath.Join(t.TempDir(), "state")
	sh := program(t, `case "$1" in
state) cat "$2" ;;
watts) echo 12.5 ;;
*) [ "$3" = '$(id); "x"' ] && [ -z "$SECRET" ] && echo "$1" > "$2" ;;
esac`)
	t.Setenv("SECRET", "of the server")
	order := func(word string) []string { return []string{sh, word, at, `$(id); "x"`} }
	s := mustNew(t, model.Outlet{Driver: model.DriverCommand, Command: model.CommandOutlet{
		On: order("on"), Off: order("off"), State: []string{sh, "state", at}, Cycle: order("ON"), Watts: []string{sh, "watts"},
	}}, nil)
	onAndOff(t, s, func() bool {
		data, _ := os.ReadFile(at)
		return string(data) == "on\n"
	})
	if err := s.(Cycler).Cycle(t.Context()); err != nil {
		t.Error(err)
	}
	if st, err := s.State(t.Context()); st != model.PowerOn || err != nil {
		t.Errorf("%v, %v", st, err)
	}
	wantReading(t, s, 12.5, nil)
}

func TestCommandFailures(t *testing.T) {
	of := func(o model.CommandOutlet) Switch {
		return mustNew(t, model.Outlet{Driver: model.DriverCommand, Command: o}, nil)
	}
	sh := program(t, "echo 'no transmitter' >&2; exit 3")
	wantError(t, of(model.CommandOutlet{On: []string{sh}}).Set(t.Context(), true), `device.sh ended with exit status 3: "no transmitter"`)
	wantError(t, of(model.CommandOutlet{On: []string{sh}}).Set(t.Context(), false), "no program to switch it off")
	wantError(t, of(model.CommandOutlet{On: []string{"/nonexistent/program"}}).Set(t.Context(), true), "cannot be run")
	if st, err := of(model.CommandOutlet{}).State(t.Context()); st != model.PowerUnknown || err != nil {
		t.Errorf("%v, %v", st, err)
	}
	if err := of(model.CommandOutlet{}).(Cycler).Cycle(t.Context()); !errors.Is(err, ErrNoCycle) {
		t.Error(err)
	}
	_, err := of(model.CommandOutlet{State: []string{program(t, "yes | head -c 10000000")}}).State(t.Context())
	wantError(t, err, "neither on nor off")
	for _, text := range []string{"much", "NaN", "-1", "1e9", ""} {
		_, err := of(model.CommandOutlet{Watts: []string{"/bin/echo", text}}).(Meter).Read(t.Context())
		wantError(t, err, "no number of W")
	}
}

// TestCommandTakesItsChildrenAlong: what a program started does not stay, and
// does not keep us waiting.
func TestCommandTakesItsChildrenAlong(t *testing.T) {
	at := filepath.Join(t.TempDir(), "child")
	sh := program(t, `sleep 1000 & echo $! > "$1"; wait`)
	s := mustNew(t, model.Outlet{Driver: model.DriverCommand, Command: model.CommandOutlet{On: []string{sh, at}, TimeoutSeconds: 5}}, nil)
	start := time.Now()
	wantError(t, s.Set(t.Context(), true), "was not done in time and was ended")
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("it took %v", d)
	}
	data, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	child := strings.TrimSpace(string(data))
	for deadline := time.Now().Add(5 * time.Second); ; {
		stat, err := os.ReadFile("/proc/" + child + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		runtime.Gosched()
		if time.Now().After(deadline) {
			t.Fatalf("process %s is still there: %s", child, stat)
		}
	}
}
