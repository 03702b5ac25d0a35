package tui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// shares lists what VMs mount from storage servers, and whether those are
// awake.
type shares struct {
	list list
	seen *model.State
	name int
}

func (s *shares) title() string { return "Shares" }
func (s *shares) rows() *list   { return &s.list }

func (s *shares) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen != a.cache.state {
		s.seen = a.cache.state
		keys := model.Names(s.seen.Shares)
		s.list.set(keys, nil)
		s.name = widest(keys, 10, 32)
	}
	return nil
}

func (s *shares) actions(*app) []action {
	return formEdits(&s.list, newShareForm, func(name string) change {
		return change{title: "Remove share " + name, verb: "remove it", least: stops, edit: model.Remove[model.Share](name)}
	})
}

func (s *shares) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No share yet.", "adds one: an NFS export that VMs mount on demand", w)
	}
	cols := []column{
		{head: "SHARE", w: s.name},
		{head: "SERVER IS", w: 9},
		{head: "FOUND", w: 11, drop: 2},
		{head: "VMS", w: 4, right: true, drop: 3},
		{head: "MOUNTED AT", w: 16, drop: 4},
		{head: "WHAT", w: 24, grow: true, drop: 1},
	}
	if w >= wide {
		lw := w * 2 / 3
		return beside(s.table(a, cols, lw, h), s.pane(a, h), lw, w-lw, h)
	}
	return s.table(a, cols, w, h)
}

func (s *shares) table(a *app, cols []column, w, h int) []line {
	why := s.why(a, w)
	return append(s.list.draw(w, max(h-len(why), 1), cols, func(i int) []line {
		share := a.cache.state.Shares[s.list.keys[i]]
		st := a.cache.status.Shares[share.Name]
		word, colour := awakeWords(st.Awake)
		return []line{
			text(inkName, share.Name), text(colour, word), text(inkDim, age(a.now, st.Observed)),
			text(inkText, strconv.Itoa(len(a.cache.state.MountedBy(share.Name)))), text(inkText, share.Mount), text(inkDim, share.Source()),
		}
	}), why...)
}

// pane lists who mounts the chosen share.
func (s *shares) pane(a *app, h int) []line {
	name, ok := s.list.key()
	if !ok {
		return nil
	}
	out := []line{text(inkHead, " MOUNTED BY")}
	all := a.cache.state.MountedBy(name)
	if len(all) == 0 {
		out = append(out, text(inkDim, " none: a VM's form says which it mounts"))
	}
	for n, vm := range all {
		if len(out) == h-1 && n < len(all)-1 {
			return append(out, text(inkDim, "   and "+strconv.Itoa(len(all)-n)+" more"))
		}
		if r, ok := a.cache.vm(vm); ok {
			l := append(line{{" " + r.guest.sign + " ", r.guest.ink}}, text(inkText, vm).fit(16)...)
			out = append(out, append(l, span{r.Hypervisor, inkDim}))
		}
	}
	return out
}

// why says how it is known whether the server of the chosen share is awake.
func (s *shares) why(a *app, w int) []line {
	name, ok := s.list.key()
	st, known := a.cache.status.Shares[name]
	if !ok || !known {
		return nil
	}
	return append([]line{nil}, wrapped(inkDim, " "+name+": "+st.Why, w-2, 1)...)
}

// awakeWords says whether a storage server is awake.
func awakeWords(p model.Power) (string, ink) {
	switch p {
	case model.PowerOn:
		return signOn + " awake", inkGood
	case model.PowerOff:
		return signOff + " asleep", inkDim
	}
	return signUnknown + " unknown", inkWarn
}

// newShareForm edits a share, or adds one if name is empty.
func newShareForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindShare, Name: name}
	return newForm(a, &form{
		ref: ref, verb: verb("share", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			share, ok := s.Shares[name]
			return []*field{
				(&field{key: "name", label: "name", hint: "such as media", blank: "–"}).with(name),
				(&field{key: "server", label: "server", hint: "host name or IP address of the storage server", blank: "–"}).with(share.Server),
				(&field{key: "export", label: "export", hint: "path that it exports, absolute", blank: "–"}).with(share.Export),
				(&field{key: "mount", label: "mount", hint: "where guests see it, absolute; empty is /mnt/NAME", blank: "/mnt/NAME"}).with(share.Mount),
				(&field{key: "options", label: "options", hint: "of the mount, such as ro, vers=4.2; it is always mounted on demand", blank: "none"}).with(strings.Join(share.Options, ", ")),
				(&field{key: "outlet", label: "outlet", kind: choice, hint: "that feeds the server: tells whether it is awake", blank: "none", options: append([]string{""}, model.Names(s.Outlets)...)}).with(share.Outlet),
				(&field{key: "hypervisor", label: "hypervisor", kind: choice, hint: "that is the server, if it is one", blank: "none", options: append([]string{""}, model.Names(s.Hypervisors)...)}).with(share.Hypervisor),
			}, share.Version, ok || name == ""
		},
		edit: edits(ref, func(string) model.Share { return model.Share{} }, func(share *model.Share, v values) error {
			share.Name, share.Server, share.Export, share.Mount = v["name"], v["server"], v["export"], v["mount"]
			if share.Mount == "" {
				share.Mount = model.NewShare(share.Name).Mount
			}
			share.Options, share.Outlet, share.Hypervisor = split(v["options"]), v["outlet"], v["hypervisor"]
			return nil
		}),
	})
}
