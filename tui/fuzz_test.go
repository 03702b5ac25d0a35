package tui

import (
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"homelab/model"
)

// FuzzKeys plays somebody whose cat walks over the keyboard, while the terminal
// is resized and others edit: whatever comes, the dashboard stands and fills its
// terminal, where that is large enough to be filled.
func FuzzKeys(f *testing.F) {
	for _, keys := range []string{"2jd", "2n\x00web\x01", "3ja\xf4", ":vm\x00", "/!web\x00*s", "gae\x02\xf0", "\xf1\xf2\xf3W", "6\x00F/x\x00\xf7", "\xf5\xf2\xf0\xf6", "2enx\xf3\x06", "geq\x01", "2\x03 vjm\x00\x00", "ga\x0c\x00", "02n"} {
		f.Add([]byte(keys))
	}
	named := []string{"enter", "esc", "tab", "down", "up", "left", "right", "space", "backspace", "pgup", "pgdown", "home", "end", "f1", "ctrl+s", "shift+tab", "ctrl+u", "ctrl+w"}
	sizes := [][2]int{{80, 24}, {120, 40}, {40, 12}, {20, 6}, {1, 1}, {300, 9}, {41, 100}}
	f.Fuzz(func(t *testing.T, typed []byte) { // the first key tells which lab it is, too
		if len(typed) > 60 || len(typed) == 0 {
			return
		}
		lab := fuzzed(t, typed[0])
		d := drive(t, lab, 80, 24)
		size := [2]int{80, 24}
		for _, b := range typed {
			switch {
			case int(b) < len(named):
				d.press(named[b])
			case b >= ' ' && b < 0x7f:
				d.press(string(rune(b)))
			case b >= 0xf0 && int(b-0xf0) < len(sizes):
				size = sizes[b-0xf0]
				d.handle(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			case b == 0xf7: // somebody else removes what may be looked at
				_, _ = lab.commit("grace", "vm rm web", 0, model.Remove[model.VM]("web"))
			case b == 0xf8:
				_, _ = lab.commit("grace", "hypervisor rm nuc", 0, model.Remove[model.Hypervisor]("nuc"))
			case b >= 0x80 && b < 0xf0:
				d.handle(tea.MouseClickMsg{X: int(b) % 80, Y: int(b) % 24, Button: tea.MouseLeft})
			}
			d.settle()
			if d.quit {
				return
			}
			lines := strings.Split(d.screen(), "\n")
			if wrong := slices.IndexFunc(lines, func(l string) bool { return ansi.StringWidth(l) != size[0] }); wrong >= 0 || len(lines) != size[1] && size[0] >= 30 && size[1] >= 8 {
				t.Fatalf("after %q in %q, %dx%d: %d lines, line %d is not as wide as the terminal\n%s", b, typed, size[0], size[1], len(lines), wrong, d.screen())
			}
		}
	})
}

// fuzzed is one of some labs.
func fuzzed(t *testing.T, which byte) *fakeLab {
	switch which % 6 {
	case 0:
		lab := newLab()
		lab.state, lab.status, lab.runs = model.NewState(), model.Status{}, nil
		return lab
	case 1:
		return withRole(newLab())
	case 2:
		lab := newLab()
		squatted(lab)
		return lab
	case 3:
		lab := newLab()
		moving(lab, "db", model.MoveStatus{Phase: model.MoveCopying, Disk: model.DiskRoot, Done: 1700 << 20, Total: 6200 << 20}, model.MoveTo("db", "nuc"))
		return lab
	case 4:
		return mastered(saltedLab())
	}
	return peopled(t)
}
