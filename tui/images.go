package tui

import (
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// images lists the base images.
type images struct {
	list list
	used map[string]int
	seen *model.State
	name int
}

func (s *images) title() string { return "Images" }
func (s *images) rows() *list   { return &s.list }

func (s *images) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.state {
		return nil
	}
	s.seen = a.cache.state
	keys := model.Names(s.seen.Images)
	s.used = map[string]int{}
	for _, vm := range s.seen.VMs {
		s.used[vm.Image]++
	}
	s.list.set(keys, nil)
	s.name = widest(keys, 10, 32)
	return nil
}

func (s *images) actions(a *app) []action {
	edit := keyOpen
	edit.keys, edit.short, edit.long = []string{"enter", "e"}, "edit", "edit (also e)"
	edit.need = model.RoleAdmin
	on := func(b binding, f func(a *app, name string) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if name, ok := s.list.key(); ok {
				return f(a, name)
			}
			return nil
		}}
	}
	return []action{
		on(edit, func(a *app, name string) tea.Cmd { return a.open(newImageForm(a, name)) }),
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newImageForm(a, "")) }},
		on(keyRemove, func(a *app, name string) tea.Cmd {
			return a.propose(change{title: "Remove image " + name, verb: "remove it", least: stops, edit: model.Remove[model.Image](name)})
		}),
	}
}

func (s *images) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return []line{nil, text(inkText, "  No image yet."), nil, {{"  n", inkKey}, {" adds one: a disk image that agents fetch, or that lies on the hypervisors", inkDim}}}
	}
	cols := []column{
		{head: "IMAGE", w: s.name},
		{head: "VMS", w: 4, right: true, drop: 1},
		{head: "CHECKSUM", w: 16, drop: 3},
		{head: "SOURCE", w: 20, grow: true, drop: 2},
	}
	return s.list.draw(w, h, cols, func(i int) []line {
		im := a.cache.state.Images[s.list.keys[i]]
		return []line{
			text(inkName, im.Name), text(inkText, strconv.Itoa(s.used[im.Name])),
			checksumLine(im), text(inkDim, im.Source()),
		}
	})
}

// checksumLine says what an image is held against.
func checksumLine(im model.Image) line {
	if im.URL != "" && !im.Verified() {
		return text(inkWarn, "unverified")
	}
	return text(inkDim, orNone(im.Checksum))
}
