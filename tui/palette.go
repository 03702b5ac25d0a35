package tui

import (
	tea "charm.land/bubbletea/v2"
	"github.com/sahilm/fuzzy"
)

// palette goes to a screen or a thing by a few letters of its name.
type palette struct {
	in    input
	all   []target
	found []int
	sel   int
	top   int // first row drawn
}

// target is somewhere that the palette can go.
type target struct {
	name, kind string
	open       func(a *app) tea.Cmd
}

func newPalette(a *app) *palette {
	p := &palette{}
	for i, t := range tabs {
		p.all = append(p.all, target{t.name, "screen", func(a *app) tea.Cmd { return a.show(i) }})
	}
	for i := range a.cache.hvs {
		name := a.cache.hvs[i].Name
		p.all = append(p.all, target{name, "hypervisor", func(a *app) tea.Cmd {
			return tea.Batch(a.show(0), a.open(newHypervisor(name)))
		}})
	}
	for i := range a.cache.vms {
		name := a.cache.vms[i].Name
		p.all = append(p.all, target{name, "VM", func(a *app) tea.Cmd {
			return tea.Batch(a.show(1), a.open(&vmDetail{name: name}))
		}})
	}
	p.match()
	return p
}

// String and Len make the targets a source for the fuzzy search.
func (p *palette) String(i int) string { return p.all[i].name }

// Len is the number of targets.
func (p *palette) Len() int { return len(p.all) }

func (p *palette) match() {
	p.found, p.sel = p.found[:0], 0
	if p.in.value() == "" {
		for i := range p.all {
			p.found = append(p.found, i)
		}
		return
	}
	for _, m := range fuzzy.FindFrom(p.in.value(), p) {
		p.found = append(p.found, m.Index)
	}
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
			return p.all[p.found[p.sel]].open(a)
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
		t := p.all[p.found[i]]
		l := spread(line{{"  ", inkBusy}, {t.name, inkText}}, text(inkDim, t.kind+" "), w)
		if i == p.sel {
			l[0].text = signChosen + " "
			l = l.selected()
		}
		body = append(body, l)
	}
	return "Go to", body, inkRule
}
