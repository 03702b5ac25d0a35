package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"homelab/model"
)

// TestTypingReplaces checks what typing does to a field that holds something:
// it takes its place, unless an arrow said that it is to be edited.
func TestTypingReplaces(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"8"}, "8"},
		{[]string{"8", "G"}, "8G"},
		{[]string{"end", "B"}, "6GiBB"},
		{[]string{"left", "x"}, "6GixB"},
		{[]string{"home", "1"}, "16GiB"},
		{[]string{"backspace"}, ""},
		{[]string{"end", "backspace"}, "6Gi"},
	} {
		in := newInput("6GiB")
		in.all = true
		for _, k := range c.keys {
			in.key(key(k))
		}
		if got := in.value(); got != c.want {
			t.Errorf("%v makes %q, want %q", c.keys, got, c.want)
		}
	}
	d := drive(t, newLab(), 100, 30)
	d.press("2", "down", "down", "enter", "tab", "tab", "tab") // the role of db
	d.handle(tea.PasteMsg{Content: "cache"})
	d.see("cache", "was db")
}

// TestAllThatIsWrongIsMarked checks that a field which cannot be read does not
// hide what is wrong with others, and that every rule can be read whole.
func TestAllThatIsWrongIsMarked(t *testing.T) {
	for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 12}} {
		lab := newLab()
		d := drive(t, lab, size[0], size[1])
		d.press("2", "down", "down", "enter")
		d.typed("Not a label")
		for range 5 {
			d.press("tab")
		}
		d.typed("much")
		d.until("two errors", func() bool {
			f := d.a.top().(*form)
			return f.field("name").err != "" && strings.Contains(f.field("memory_mib").err, "is no size")
		})
		d.see("2 fields to put right", "memory is no size: 2048, 512MiB")
		if size[0] >= 80 {
			d.see("✗ name")
		}
		d.press("ctrl+s")
		d.see("not saved: name")
		rule := d.a.top().(*form).field("name").err
		words := strings.Join(strings.Fields(d.screen()), " ")
		if !strings.Contains(words, "name "+rule) {
			t.Errorf("at %v the rule %q is cut:\n%s", size, rule, d.screen())
		}
	}
}

// TestFieldsOutOfSightAreCounted walks through the form of a VM where not all
// fields fit.
func TestFieldsOutOfSightAreCounted(t *testing.T) {
	d := drive(t, newLab(), 40, 12)
	d.press("2", "down", "enter")
	d.see("↓ 13 more", "esc leave")
	d.press("up")
	d.see("↑ 13 more", "▌ state")
	d.gone("↓")
	d.press("up", "up", "up", "up", "up", "up")
	d.see("↑ 11 more", "↓ 2 more", "▌ nics")
	d.handle(tea.WindowSizeMsg{Width: 80, Height: 30})
	d.see("name", "state", "SAVING WILL")
	d.gone("more")
}

// TestConflictIsSaidWhole checks that a warning leaves room for what saving
// would do.
func TestConflictIsSaidWhole(t *testing.T) {
	for _, size := range [][2]int{{120, 40}, {80, 24}, {40, 12}} {
		lab := newLab()
		d := drive(t, lab, size[0], size[1])
		d.press("2", "down", "down", "enter")
		if _, err := lab.commit("grace", "vm edit db --cpus 3", 0, changeVM("db", func(v *model.VM) { v.CPUs = 3 })); err != nil {
			t.Fatal(err)
		}
		d.see("changed by grace in revision 9")
		d.press("tab", "tab", "tab", "tab", "tab")
		d.typed("4GiB")
		if size[0] >= 80 {
			d.see("db is restarted")
		}
	}
}

func TestWrongNameIsSaid(t *testing.T) {
	d := drive(t, newLab(), 80, 24)
	d.press("2", "down", "down", "d")
	d.see("Type db to remove it")
	d.typed("bd")
	d.press("enter")
	d.see("✗ that is not db")
	d.press("backspace")
	d.gone("that is not db")
}

// TestWhatWasAddedIsChosenOnce checks that the choice goes to what was added,
// and not a second time once it was moved away.
func TestWhatWasAddedIsChosenOnce(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "n")
	d.typed("zeta")
	d.press("ctrl+s")
	d.see("Add VM zeta, revision 9", "▌ zeta")
	d.press("home")
	if _, err := lab.commit("grace", "vm edit", 0, changeVM("db", func(v *model.VM) { v.CPUs = 3 })); err != nil {
		t.Fatal(err)
	}
	d.see("r10")
	d.gone("▌ zeta")
	d.press("end", "i", "enter")
	d.typed("omega")
	d.press("ctrl+s")
	d.see("Type zeta")
	d.typed("zeta")
	d.press("enter")
	d.see("VMs › omega", "revision 11")
}

func TestSmallWindow(t *testing.T) {
	d := drive(t, newLab(), 20, 5)
	if got := strings.Join(strings.Fields(ansi.Strip(d.screen())), " "); got != "homelab needs a larger window: 30×8" {
		t.Errorf("%q", got)
	}
}

// TestTicksFollowTheCursor checks that the option under the cursor is seen
// where not all have room.
func TestTicksFollowTheCursor(t *testing.T) {
	f := (&field{kind: ticks, options: []string{"evening", "offline", "weekend"}}).with("evening,weekend")
	for _, c := range []struct {
		on   bool
		sel  int
		w    int
		want string
	}{
		{true, 0, 80, "[x] evening  [ ] offline  [x] weekend"},
		{true, 0, 23, "[x] evening  [ ] offli…"},
		{true, 1, 24, "‹ [ ] offline  [x] week…"},
		{true, 2, 24, "‹ [x] weekend"},
		{false, 2, 24, "evening, weekend"},
	} {
		f.sel = c.sel
		if got := strings.TrimRight(f.draw(c.on, c.w).fit(c.w).String(), " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestImpactsFitTheRoom checks that each impact has a line where there is no
// room for more.
func TestImpactsFitTheRoom(t *testing.T) {
	i := model.Impact{Hypervisor: "nuc", VM: "db", Action: model.ActionStop}
	f := &form{impacts: []model.Impact{i, i, i}, serial: 1, known: 1, fields: []*field{{}}}
	for h, want := range map[int]string{
		8: "nuc",
		4: "− nuc: " + i.String(),
		3: "− nuc: " + i.String(),
	} {
		if got := strings.TrimSpace(f.impact(60, h)[0].String()); got != want {
			t.Errorf("in %d lines it begins with %q, want %q", h, got, want)
		}
	}
}

// TestNothingIsWrongBeforeItIsFilledIn opens each form that adds something:
// nothing is called wrong before anybody was there; what was left is, and all
// of it once it was to be saved.
func TestNothingIsWrongBeforeItIsFilledIn(t *testing.T) {
	for _, keys := range []string{"n", "2 n", "3 n", "4 n", "5 n", "g s n", "g c n", "g l n", "g a n", "g a K"} {
		d := drive(t, peopled(t), 120, 40)
		d.press(strings.Fields(keys)...)
		d.settle()
		f := d.a.top().(*form)
		if screen := d.screen(); !strings.Contains(screen, "to fill in") || strings.ContainsAny(screen, "✗") || strings.Contains(screen, "to put right") || f.trouble != "" {
			t.Errorf("%s: untouched it says\n%s", keys, screen)
		}
		if len(f.fields) > 1 {
			d.press("tab")
			d.see("✗ name")
			d.press("tab")
		}
		d.press("ctrl+s")
		d.see("not saved: " + f.fields[0].label)
		d.gone("to fill in")
		if f.at != 0 {
			t.Errorf("%s: it goes to %s", keys, f.fields[f.at].label)
		}
	}
}

// TestAnImpactIsSaidWholeWhereThereIsRoom checks that one is cut only where it
// has no second line.
func TestAnImpactIsSaidWholeWhereThereIsRoom(t *testing.T) {
	i := model.Impact{Hypervisor: "nuc", VM: "db", Action: model.ActionStop}
	for h, rows := range map[int]int{1: 2, 2: 2, 3: 2, 4: 4} {
		got := shortImpacts([]model.Impact{i, i}, 12, h)
		if len(got) != rows {
			t.Errorf("%d lines in %d, want %d: %q", len(got), h, rows, textOf(got))
		}
	}
}
