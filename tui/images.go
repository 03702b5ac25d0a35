package tui

import (
	"context"
	"errors"
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
	held bool // one of them at least against a checksum, or it should be
}

func (s *images) title() string { return "Images" }
func (s *images) rows() *list   { return &s.list }

func (s *images) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.state {
		return nil
	}
	s.seen = a.cache.state
	keys := model.Names(s.seen.Images)
	s.used, s.held = map[string]int{}, false
	for _, im := range s.seen.Images {
		s.held = s.held || im.Checksum != "" || im.URL != ""
	}
	for _, vm := range s.seen.VMs {
		s.used[vm.Image]++
	}
	s.list.set(keys, nil)
	s.name = widest(keys, 10, 32)
	return nil
}

func (s *images) actions(a *app) []action {
	return append(formEdits(&s.list, newImageForm, func(name string) change {
		return change{title: "Remove image " + name, verb: "remove it", least: stops, edit: model.Remove[model.Image](name)}
	}), action{binding: keyPrune, do: prune})
}

// prune asks whether what nothing uses is to be removed.
func prune(a *app) tea.Cmd {
	u := model.FindUnused(a.cache.state, a.cache.status)
	if u.None() {
		return a.say(inkDim, signNone, "every image is used; nothing to remove")
	}
	var lines []line
	for _, l := range u.Lines() {
		lines = append(lines, text(inkText, l))
	}
	a.overlay = &confirm{title: "Remove what no VM and no disk uses?", verb: "remove it", level: stops, lines: lines, do: func(a *app) tea.Cmd {
		return a.async(func(ctx context.Context) done {
			err := pruneUnused(ctx, a.lab, u)
			return func(a *app) tea.Cmd {
				if err != nil {
					return a.fail(err)
				}
				return a.say(inkGood, signDone, "removed, "+model.SizeOf(u.Bytes)+" of files")
			}
		})
	}}
	return nil
}

func pruneUnused(ctx context.Context, lab Lab, u model.Unused) error {
	if len(u.Images) > 0 {
		if _, err := lab.Commit(ctx, "dashboard: prune images", u.Forget()); err != nil {
			return err
		}
	}
	var errs []error
	for hv, files := range u.On() {
		errs = append(errs, lab.PruneImages(ctx, hv, files))
	}
	return errors.Join(errs...)
}

func (s *images) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No image yet.", "adds one: a disk image that agents fetch, or that lies on the hypervisors", w)
	}
	lw := w
	if w >= wide {
		lw = w * 3 / 5
	}
	cols := []column{
		{head: "IMAGE", w: s.name},
		{head: "VMS", w: 4, right: true, drop: 1},
		{head: "CHECKSUM", w: 16, drop: 3},
		{head: "SOURCE", w: 20, grow: true, drop: 2},
	}
	if !s.held {
		cols[2].w, cols[2].drop = w, 99 // no room for what none has
	}
	left := s.list.draw(lw, h, cols, func(i int) []line {
		im := a.cache.state.Images[s.list.keys[i]]
		return []line{
			text(inkName, im.Name), text(inkText, strconv.Itoa(s.used[im.Name])),
			checksumLine(im), text(inkDim, im.Source()),
		}
	})
	if lw == w {
		return left
	}
	return beside(left, s.pane(a, w-lw-2, h), lw, w-lw, h)
}

// pane is where the chosen image comes from, where it lies, and which VMs are
// made of it.
func (s *images) pane(a *app, w, h int) []line {
	name, ok := s.list.key()
	if !ok {
		return nil
	}
	im := a.cache.state.Images[name]
	out := wrapped(inkText, " "+im.Source(), w-1, 1)
	if im.Checksum != "" {
		out = append(out, wrapped(inkDim, " "+im.Checksum, w-1, 1)...)
	}
	out = append(out, nil, text(inkHead, " LIES ON"))
	found := false
	for i := range a.cache.hvs {
		for _, f := range a.cache.hvs[i].st.Images {
			if f.Image != name {
				continue
			}
			found = true
			l := append(text(inkText, " "+a.cache.hvs[i].Name).fit(16), text(inkText, mebibytes(int(f.Bytes>>20))).fit(10)...)
			switch {
			case f.Partial:
				l = append(l, span{signHalf + " fetched in part", inkBusy})
			case !f.Used:
				l = append(l, span{"unused: P removes it", inkDim})
			}
			out = append(out, l)
		}
	}
	if !found {
		out = append(out, text(inkDim, either(im.URL == "", " its path, which agents do not look into", " no hypervisor yet: agents fetch it when a VM needs it")))
	}
	out = append(out, nil, text(inkHead, " MADE OF IT"))
	for i := range a.cache.vms {
		vm := &a.cache.vms[i]
		if vm.Image != name || len(out) >= h {
			continue
		}
		l := append(line{{" " + vm.guest.sign + " ", vm.guest.ink}}, text(inkText, vm.Name).fit(16)...)
		out = append(out, append(l, span{vm.Hypervisor, inkDim}))
	}
	return out
}

// checksumLine says what an image is held against.
func checksumLine(im model.Image) line {
	if im.URL != "" && !im.Verified() {
		return text(inkWarn, "unverified")
	}
	return text(inkDim, orNone(im.Checksum))
}
