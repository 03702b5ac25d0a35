package tui

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keyPage is docs/keys.md, made from the key map: each screen's own keys, then
// those of all screens, then those of forms.
func keyPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# The keys of the dashboard\n\nMade from the key map by `go test ./tui -run TestKeyPage -update`. On a screen, `?` says the same.\n")
	row := func(k binding) {
		who := ""
		if k.need != "" {
			who = string(k.need)
		}
		esc := strings.NewReplacer("|", `\|`)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", esc.Replace(k.show), esc.Replace(k.long), who)
	}
	section := func(title string, keys []binding) {
		fmt.Fprintf(&b, "\n## %s\n\n| key | what it does | needs |\n|---|---|---|\n", title)
		for _, k := range keys {
			row(k)
		}
	}
	everywhere := map[string]bool{}
	for _, k := range globals(true, true) {
		everywhere[k.show+k.long] = true
	}
	screens := deeper
	for i := range slices.Backward(tabs[:]) {
		screens = slices.Insert(screens, 0, struct{ title, keys string }{tabs[i].name, "g " + tabs[i].letter})
	}
	for _, s := range screens {
		d := drive(t, newLab(), 120, 40)
		for _, k := range strings.Fields(s.keys) {
			d.press(k)
			d.settle()
		}
		var own []binding
		for _, k := range d.a.bindings() {
			if !everywhere[k.show+k.long] {
				own = append(own, k)
			}
		}
		section(s.title, own)
	}
	section("Every screen but forms", globals(true, true))
	d := drive(t, newLab(), 120, 40)
	d.press("2", "e")
	section("Forms", d.a.bindings())
	b.WriteString(`
## What a terminal prefers

The mouse, plain ASCII signs and whether failures ring the bell belong to a terminal, not to a person. Keys change them for a
session. In ` + "`~/.ssh/config`" + ` they are kept:

    Host homelab.lan
        SetEnv HOMELAB="ascii tell nomouse"

A client whose locale (` + "`LC_ALL`, `LC_CTYPE`, `LANG`" + `) is sent and is no UTF-8 gets ASCII signs too; ` + "`NO_COLOR`" + ` takes the colours away.
`)
	return b.String()
}

// deeper are the screens below the tabs that have keys of their own, and how to
// get there.
var deeper = []struct{ title, keys string }{
	{"Hypervisor: VMs", "g m enter"},
	{"Hypervisor: runs", "g m enter right"},
	{"Hypervisor: config", "g m enter right right"},
	{"VM", "2 end i"},
	{"Watts, CPU and memory", "4 end w"},
	{"Run", "6 enter"},
	{"Revision", "7 enter"},
	{"Salt", "2 end t"},
}

// TestKeyPage keeps docs/keys.md in step with the key map.
func TestKeyPage(t *testing.T) {
	const file = "../docs/keys.md"
	got := keyPage(t)
	if update() {
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
		t.Errorf("docs/keys.md is not in step; go test ./tui -run TestKeyPage -update puts it right\n%s", d)
	}
}
