package tui

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

// update tells whether the golden screens are to be written anew. The flag
// -update is teatest's.
func update() bool { return flag.Lookup("update").Value.String() == "true" }

// TestScreens compares the main screens with the goldens in testdata, at the
// three sizes that the dashboard is made for, in words, and with the colours of
// dark and of light backgrounds, and checks that every line is exactly as wide as
// the terminal.
func TestScreens(t *testing.T) {
	screens := []struct {
		name string
		keys string
	}{
		{"home", "end up"},
		{"hypervisor", "end up enter"},
		{"hypervisor-runs", "end up enter right"},
		{"hypervisor-config", "end up enter right right"},
		{"hypervisor-facts", "end up enter left"},
		{"hypervisors", "g m"},
		{"vms", "2 down"},
		{"vm", "2 end i"},
		{"vm-form", "2 end enter"},
		{"vm-running", "2 down down i"},
		{"vm-plots", "2 end i w"},
		{"profiles", "3 down"},
		{"profiles-compared", "3 end v"},
		{"outlets", "4"},
		{"images", "5"},
		{"runs", "6"},
		{"run", "6 enter"},
		{"plan", "6 enter v"},
		{"history", "7"},
		{"help", "?"},
		{"remove", "2 d"},
		{"switch", "3 end a"},
		{"outlet-off", "4 end f"},
		{"all-off", "4 X"},
		{"watts", "4 end w"},
		{"watts-year", "4 end w y"},
		{"watts-none", "4 home down w"},
		{"plots", "end up w"},
		{"plots-lab", "W"},
		{"access", "g a"},
		{"access-key", "g a down"},
		{"access-invite", "g a end"},
		{"access-sessions", "g a right"},
		{"access-audit", "g a left"},
		{"settings", "g e"},
		{"shares", "g s"},
		{"share-form", "g s e"},
		{"masters", "g c"},
		{"masters-none", "g c"},
		{"master-form", "g c e"},
		{"roles", "g l end"},
		{"role-form", "g l end e"},
		{"settings-form", "g e e"},
		{"power-off", "o"},
		{"approve", "end y"},
		{"palette", ": t h"},
		{"go", "g"},
		{"marked", "2 space down v > > >"},
		{"bulk", "2 * s 2"},
		{"copy", "2 end Y"},
		{"stop", "2 down down s"},
		{"vms-stopping", "2 down down"},
		{"vm-stopping", "2 down down i"},
		{"stop-now", "2 down down s"},
		{"restart", "2 down down r"},
		{"rebuild", "2 down down b"},
		{"rebuild-several", "2 * b"},
		{"move", "2 down down m"},
		{"move-asks", "2 down down m enter"},
		{"vm-moving", "2 down down i"},
		{"move-cancel", "2 down down m"},
		{"vm-arriving", "2 down down i"},
		{"move-back", "2 down down m"},
		{"in-the-way", "2 home i"},
		{"adopt", "2 home i O"},
		{"hypervisor-foreign", "home enter left G"},
		{"hypervisor-form", "end up e"},
		{"profile-form", "3 n"},
		{"outlet-form", "4 end e"},
		{"image-form", "5 e"},
		{"user-form", "g a e"},
		{"key-form", "g a K"},
		{"form-leave", "2 end enter x esc"},
		{"form-refused", "2 end enter x ctrl+s"},
		{"form-conflict", "2 end enter x theirs ctrl+s"},
		{"error", "2 home x"},
		{"revision", "7 down enter"},
		{"salt", "2 down down down t"},
		{"log", "6 enter F"},
		{"log-find", "6 enter / c r e a t e"},
		{"invite", "g a i"},
		{"invited", "home down J down down"},
		{"filtered", "2 / s t a t e : r u n"},
		{"nothing-matches", "2 / q q enter"},
		{"empty", ""},
		{"empty-vms", "2"},
	}
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		for _, s := range screens {
			name := fmt.Sprintf("%s-%dx%d", s.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				lab := newLab()
				switch s.name {
				case "empty", "empty-vms":
					lab.state, lab.status, lab.runs = model.NewState(), model.Status{}, nil
				case "access", "access-key", "access-invite", "user-form", "key-form", "invite":
					lab = peopled(t)
				case "roles", "role-form":
					lab = withRole(lab)
				case "in-the-way", "adopt", "hypervisor-foreign":
					squatted(lab)
				case "vm-moving", "move-cancel":
					moving(lab, "db", model.MoveStatus{Phase: model.MoveCopying, Disk: model.DiskRoot, Done: 1700 << 20, Total: 6200 << 20}, model.MoveTo("db", "nuc"))
				case "vm-arriving", "move-back":
					moving(lab, "db", model.MoveStatus{Phase: model.MoveArriving, Note: "for the guest to come up on nuc"}, model.MoveTo("db", "nuc"), model.Arrive("db", "nuc"))
				case "error", "form-refused":
					lab.refuse = errors.New("the store cannot be written: no space left on device: write /var/lib/homelab/homelab.db; 12 MiB are needed and 0 are free. Remove what is in the way there, or restore a backup elsewhere")
				case "salt", "masters", "master-form":
					lab = mastered(saltedLab())
				case "vms-stopping", "vm-stopping", "stop-now":
					stopping(lab, "db", 41*time.Second)
				}
				d := drive(t, lab, size[0], size[1])
				for _, k := range strings.Fields(s.keys) {
					if k == "theirs" {
						theirs(t, lab)
						d.see("changed by grace")
						continue
					}
					d.press(k)
					d.settle()
					d.screen() // what is drawn tells keys how much is in sight
				}
				got := d.screen()
				for i, l := range strings.Split(got, "\n") {
					if w := ansi.StringWidth(l); w != size[0] {
						t.Errorf("line %d is %d wide: %q", i, w, l)
					}
				}
				if n := strings.Count(got, "\n") + 1; n != size[1] {
					t.Errorf("%d lines", n)
				}
				compare(t, filepath.Join("testdata", name+".txt"), got)
				d.a.profile = colorprofile.ANSI256
				for folder, ground := range map[string]ground{"dark": groundDark, "light": groundLight} {
					d.a.ground = ground
					d.a.paint()
					compare(t, filepath.Join("testdata", folder, name+".txt"), strings.ReplaceAll(d.a.View().Content, "\x1b", "␛"))
				}
			})
		}
	}
}

// theirs is what somebody else saves while web is edited.
func theirs(t *testing.T, lab *fakeLab) {
	t.Helper()
	if _, err := lab.commit("grace", "vm edit web --role front", 0, changeVM("web", func(v *model.VM) { v.Role, v.CPUs = "a-role-with-a-long-name", 4 })); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	lines := strings.Split(got, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got = strings.Join(lines, "\n") + "\n"
	if update() {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the screen is another; go test -update accepts it\n%s", d)
	}
}

// TestKeysAreOne checks that no key of a screen means two things there, that
// the help says what each is for, and that what the bottom line names is in it.
func TestKeysAreOne(t *testing.T) {
	for _, keys := range []string{"", "end up enter", "end up enter right", "end up enter right right", "end up enter left", "g m", "g s", "g a", "g e", "2", "2 i", "2 enter", "3", "4", "5", "6", "6 enter", "7", "7 enter"} {
		d := drive(t, newLab(), 120, 40)
		for _, k := range strings.Fields(keys) {
			d.press(k)
			d.settle()
		}
		seen := map[string]string{}
		for _, b := range d.a.bindings() {
			if b.long == "" || b.show == "" {
				t.Errorf("%s: %v says nothing of itself", d.a.top().title(), b.keys)
			}
		}
		for _, act := range d.a.top().actions(d.a) {
			for _, k := range act.keys {
				if other, ok := seen[k]; ok {
					t.Errorf("%s: %s is both %q and %q", d.a.top().title(), k, other, act.long)
				}
				seen[k] = act.long
			}
		}
	}
}
