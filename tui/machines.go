package tui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// machines lists the hypervisors by what they are and what room they have.
type machines struct {
	list    list
	name    int // columns of the widest
	network int
}

func (s *machines) title() string { return "Hypervisors" }
func (s *machines) rows() *list   { return &s.list }

func (s *machines) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	keys, search := make([]string, 0, len(a.cache.hvs)), make([]string, 0, len(a.cache.hvs))
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		keys = append(keys, r.Name)
		s.network = max(s.network, width(clean(r.Network)))
		search = append(search, strings.ToLower(strings.Join([]string{
			"name:" + r.Name, "platform:" + r.Platform, "network:" + r.Network, "policy:" + r.Policy, "address:" + r.Address,
			"power:" + string(r.st.Power), "agent:" + string(r.st.Agent), "outlet:" + strings.Join(r.Outlets, " outlet:"),
		}, " ")))
	}
	s.list.set(keys, search)
	s.name = widest(keys, 8, 24)
	return nil
}

func (s *machines) chosen(a *app) *hvRow {
	if i, ok := s.list.index(); ok && i < len(a.cache.hvs) {
		return &a.cache.hvs[i]
	}
	return nil
}

func (s *machines) actions(a *app) []action {
	edit := keyEditHV
	edit.show, edit.short, edit.keys = "e", "edit", []string{"e", "E"}
	acts := append([]action{{binding: keyOpen, do: func(a *app) tea.Cmd {
		if r := s.chosen(a); r != nil {
			return a.open(newHypervisor(r.Name))
		}
		return nil
	}}}, hypervisorActions(a, s.chosen, edit)...)
	return append(acts, action{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newHypervisorForm(a, "")) }})
}

func (s *machines) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return noHypervisor(a, w)
	}
	cols := []column{
		{head: "NAME", w: s.name},
		{head: "ADDRESS", w: 15, drop: 6},
		{head: "PLATFORM", w: 8, drop: 5},
		{head: "NETWORK", w: min(max(s.network, 11), 22), drop: 3},
		{head: "POLICY", w: 6, drop: 7},
		{head: "CPUS", w: 4, drop: 4, right: true},
		{head: "MEMORY", w: 8, right: true},
		{head: "GIVEN", w: 8, drop: 2, right: true},
		{head: "FREE", w: 8, right: true, drop: 1},
		{head: "VMS", w: 3, drop: 8, right: true},
		{head: "OUTLETS", w: 8, drop: 9, grow: true},
	}
	return s.list.draw(w, h, cols, func(i int) []line {
		r := &a.cache.hvs[i]
		cpus, memory, free := "–", "–", text(inkDim, "–")
		if f := r.st.Facts; f.MemoryMiB > 0 {
			cpus, memory, free = strconv.Itoa(f.CPUs), mebibytes(f.MemoryMiB), text(inkText, mebibytes(f.MemoryMiB-r.given))
			if r.given > f.MemoryMiB {
				free = text(inkWarn, "−"+mebibytes(r.given-f.MemoryMiB))
			}
		}
		return []line{
			text(inkName, r.Name), text(inkDim, orNone(r.Address)), text(inkText, r.Platform), text(inkText, r.Network), text(inkDim, r.Policy),
			text(inkText, cpus), text(inkText, memory), text(inkText, mebibytes(r.given)), free,
			text(inkText, strconv.Itoa(len(r.vms))), text(inkDim, orNone(strings.Join(r.Outlets, ", "))),
		}
	})
}
