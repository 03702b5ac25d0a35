package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// home is the first screen: is my lab all right?
type home struct {
	list list
	name int // width of the names
	room int // lines that notes have
}

func (s *home) title() string { return "Hypervisors" }
func (s *home) rows() *list   { return &s.list }

func (s *home) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	keys, search := make([]string, 0, len(a.cache.hvs)), make([]string, 0, len(a.cache.hvs))
	for i := range a.cache.hvs {
		r := &a.cache.hvs[i]
		keys = append(keys, r.Name)
		search = append(search, fmt.Sprintf("name:%s power:%s agent:%s phase:%s", r.Name, r.st.Power, r.st.Agent, r.st.Phase))
	}
	if s.room = max(s.room, len(a.cache.notes)); dirty == nil {
		s.room = len(a.cache.notes)
	}
	s.list.set(keys, search)
	s.name = widest(keys, 8, 24)
	return s.moved(a)
}

// moved reads the runs of the chosen hypervisor, for the detail beside.
func (s *home) moved(a *app) tea.Cmd {
	if name, ok := s.list.key(); ok && a.w >= wide {
		return a.needRuns(name)
	}
	return nil
}

func (s *home) chosen(a *app) *hvRow {
	if i, ok := s.list.index(); ok && i < len(a.cache.hvs) {
		return &a.cache.hvs[i]
	}
	return nil
}

func (s *home) actions(a *app) []action {
	acts := []action{{binding: keyOpen, do: func(a *app) tea.Cmd {
		if r := s.chosen(a); r != nil {
			return a.open(newHypervisor(r.Name))
		}
		return nil
	}}}
	edit := keyEditHV
	edit.show, edit.short, edit.keys = "e", "edit", []string{"e", "E"}
	acts = append(acts, hypervisorActions(a, s.chosen, edit)...)
	acts = append(acts, action{binding: keyWattsAll, do: func(a *app) tea.Cmd { return openPlot(a, "", "") }})
	return append(acts, action{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newHypervisorForm(a, "")) }})
}

func (s *home) draw(a *app, w, h int) []line {
	notes := s.notes(a, w, h)
	body := h - len(notes)
	lw := min(w*55/100, 78)
	chosen := s.chosen(a)
	switch {
	case len(s.list.keys) == 0:
		return append(notes, s.empty()...)
	case w >= wide:
		var right []line
		if chosen != nil {
			right = hypervisorPane(a, chosen, w-lw-2, body)
		}
		return append(notes, beside(s.table(a, lw, body), right, lw, w-lw, body)...)
	case body >= 16: // room for the most that is to be said of the chosen one
		table := s.table(a, w, body-9)
		notes = append(append(notes, table...), make([]line, body-9-len(table))...)
		if chosen != nil {
			notes = append(notes, rule("", w+1, "", inkRule), text(inkName, " "+chosen.Name))
			notes = append(notes, overview(a, chosen, w)...)
		}
		return notes
	}
	return append(notes, s.table(a, w, body)...)
}

// notes takes as much room as there is to say. While it is looked at the room
// only grows, so that the list does not jump each time something is well again.
func (s *home) notes(a *app, w, h int) []line {
	most := 1
	switch {
	case h >= 30:
		most = 4
	case h >= 16:
		most = 3
	}
	room := max(min(s.room, most), 1)
	out := make([]line, room, room+1)
	all := a.cache.notes
	for i := range room {
		if i < len(all) {
			out[i] = append(line{{" ", inkText}}, all[i].line(a.now)...)
		}
	}
	switch {
	case len(a.cache.hvs) == 0:
	case len(all) == 0:
		out[0] = text(inkGood, " "+signDone+" All is well: nothing needs you.")
	case len(all) > room && room == 1:
		out[0] = append(line{{fmt.Sprintf(" %d", len(all)), inkWarn}}, out[0]...)
	case len(all) > room:
		out[room-1] = text(inkWarn, fmt.Sprintf(" %s %d more need attention", signWarn, len(all)-room+1))
	}
	if most > 1 {
		out = append(out, nil)
	}
	return out
}

func (s *home) table(a *app, w, h int) []line {
	cols := []column{
		{head: "NAME", w: s.name},
		{head: "POWER", w: 9, drop: 3},
		{head: "AGENT", w: 7, drop: 4},
		{head: "GUESTS", w: 6, drop: 2, right: true},
		{head: "STATE", w: 24, grow: true},
		{head: "WATTS", w: 8, drop: 5, right: true},
		{head: "LAST HOUR", w: 12, drop: 6},
	}
	if w < 60 {
		cols[4].w = 16
	}
	if !a.cache.metered {
		cols = cols[:5]
	}
	ws := layout(cols, w-3)
	return s.list.draw(w, h, cols, func(i int) []line {
		r := &a.cache.hvs[i]
		sign, word, colour := powerSign(r.st.Power)
		agent, agentInk := agentWords(r.st.Agent)
		cells := []line{
			text(inkName, r.Name),
			{{sign, colour}, {" " + word, colour}},
			text(agentInk, agent),
			guests(r),
			phaseLine(r, a.now, ws[4]),
		}
		if a.cache.metered {
			u := a.cache.state.Share(a.cache.status, r.Name)
			drawn := text(inkText, wattsOf(u.Watts))
			if u.Watts != nil && len(u.Shared) > 0 {
				drawn = append(drawn, span{"*", inkWarn}) // the detail says with whom it is shared
			}
			cells = append(cells, drawn, spark(model.Recent(a.cache.status, r.Outlets), ws[6]))
		}
		return cells
	})
}

// guests says how many guests run of how many that should.
func guests(r *hvRow) line {
	colour := inkText
	if r.st.Agent == model.AgentOnline && r.guest.running < r.guest.wanted {
		colour = inkWarn
	}
	if r.guest.wanted == 0 {
		colour = inkDim
	}
	now := fmt.Sprint(r.guest.running)
	if r.st.Agent != model.AgentOnline {
		now = signUnknown
		if r.st.Power == model.PowerOff {
			now = "0"
		}
		colour = inkDim
	}
	return text(colour, fmt.Sprintf("%s/%d", now, r.guest.wanted))
}

func (s *home) empty() []line {
	return []line{
		nil,
		text(inkText, "  No hypervisor yet."),
		nil,
		{{"  n", inkKey}, {" defines one here; then ", inkDim}, {"agent invite NAME", inkName}, {" makes the token", inkDim}},
		text(inkDim, "  that its machine joins with: homelab agent --join TOKEN"),
	}
}
