package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"

	"homelab/model"
)

// palette goes to a screen or a thing, or does what a key does, by a few
// letters of its name.
type palette struct {
	in    input
	all   []target
	found []fuzzy.Match
	sel   int
	top   int // first row drawn
}

// target is something that the palette can go to or do.
type target struct {
	name, kind string
	open       func(a *app) tea.Cmd
}

func newPalette(a *app) *palette {
	p := &palette{}
	for i, t := range tabs {
		p.all = append(p.all, target{t.name, "screen", func(a *app) tea.Cmd { return a.show(i) }})
	}
	for _, t := range things {
		if _, ok := tabNamed(t.tab); !ok || t.names == nil {
			continue
		}
		for _, name := range t.names(a.cache.state) {
			p.all = append(p.all, target{name, model.Kind(t.kind).Word(), func(a *app) tea.Cmd {
				cmd, _ := a.openThing(t.kind, name)
				return cmd
			}})
		}
	}
	p.all = append(p.all, a.deeds()...)
	p.match()
	return p
}

// deeds are what the keys do here, and what can be added.
func (a *app) deeds() []target {
	var out []target
	add := func(b binding, do func(a *app) tea.Cmd) {
		what, _, _ := strings.Cut(b.long, ";")
		out = append(out, target{what, "key " + b.show, do})
	}
	taken := map[string]bool{}
	for _, act := range a.top().actions(a) {
		for _, k := range act.keys {
			taken[k] = true
		}
		if act.do != nil && a.may(act.need) {
			add(act.binding, act.do)
		}
	}
	for _, b := range []binding{keyBefore, keyAhead, keyCopy, keyUndoLast, keyMouse, keySigns, keyTell, keyRedraw, keyHelp, keyQuit} {
		if !taken[b.keys[0]] && a.may(b.need) {
			k, _ := a.keyCalled(b.keys[0])
			add(b, func(a *app) tea.Cmd { return a.globalKey(k) })
		}
	}
	if a.may(model.RoleAdmin) {
		for _, f := range []struct {
			what string
			open func(a *app) *form
		}{
			{"add a VM", func(a *app) *form { return newVMForm(a, "", "") }},
			{"add a hypervisor", func(a *app) *form { return newHypervisorForm(a, "") }},
			{"add a profile", newProfileForm},
			{"add an outlet", func(a *app) *form { return newOutletForm(a, "") }},
			{"add an image", func(a *app) *form { return newImageForm(a, "") }},
			{"add a share", func(a *app) *form { return newShareForm(a, "") }},
			{"add a Salt master", func(a *app) *form { return newMasterForm(a, "") }},
			{"add a role", func(a *app) *form { return newRoleForm(a, "") }},
			{"add a user", func(a *app) *form { return newUserForm(a, "") }},
		} {
			out = append(out, target{f.what, "form", func(a *app) tea.Cmd { return a.open(f.open(a)) }})
		}
	}
	return out
}

// String and Len make the targets a source for the fuzzy search.
func (p *palette) String(i int) string { return p.all[i].name }

// Len is the number of targets.
func (p *palette) Len() int { return len(p.all) }

func (p *palette) match() {
	p.found, p.sel = p.found[:0], 0
	if p.in.value() == "" {
		for i := range p.all {
			p.found = append(p.found, fuzzy.Match{Index: i})
		}
		return
	}
	p.found = fuzzy.FindFrom(p.in.value(), p)
}

func (p *palette) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		a.overlay = nil
	case "up", "ctrl+p":
		p.sel = max(p.sel-1, 0)
	case "down", "ctrl+n", "tab":
		p.sel = max(min(p.sel+1, len(p.found)-1), 0)
	case "enter":
		a.overlay = nil
		if p.sel < len(p.found) {
			return p.all[p.found[p.sel].Index].open(a)
		}
	default:
		p.in.key(k)
		p.match()
	}
	return nil
}

func (p *palette) paste(_ *app, s string) {
	p.in.insert(s)
	p.match()
}

func (p *palette) draw(a *app, w, h int) (string, []line, ink) {
	h = min(h-1, 12)
	body := []line{append(line{{": ", inkKey}}, p.in.draw(inkText, w-2)...)}
	p.top = max(p.sel-h+1, 0)
	for n := range h {
		i := p.top + n
		if i >= len(p.found) {
			body = append(body, nil)
			continue
		}
		t := p.all[p.found[i].Index]
		name := append(line{{"  ", inkBusy}}, lettered(t.name, p.found[i].MatchedIndexes)...)
		l := spread(name.fit(min(name.size(), w-width(t.kind)-3)), text(inkDim, t.kind+" "), w)
		if i == p.sel {
			l[0].text = signChosen + " "
			l = l.selected()
		}
		body = append(body, l)
	}
	return "Go to, or do", body, inkRule
}

// lettered shows which letters (bytes of a name) were typed.
func lettered(name string, at []int) line {
	var l line
	for i, r := range name {
		colour := inkText
		if slices.Contains(at, i) {
			colour = inkKey
		}
		if n := len(l); n > 0 && l[n-1].ink == colour {
			l[n-1].text += string(r)
			continue
		}
		l = append(l, span{string(r), colour})
	}
	return l
}
