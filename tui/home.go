package tui

import (
	"fmt"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// home is the first screen: is my lab all right?
type home struct {
	list list
	name int // width of the names
	room int // lines that notes have
}

func (s *home) title() string { return "Home" }
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
	if names := s.list.picked(); len(names) > 0 {
		for i := range acts {
			if acts[i].keys[0] == keyPower.keys[0] {
				acts[i].do = func(a *app) tea.Cmd { return s.powerAll(a, names) }
			}
		}
	}
	acts = append(acts, action{binding: keyWattsAll, do: func(a *app) tea.Cmd { return openPlot(a, "", "") }})
	return append(acts, action{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newHypervisorForm(a, "")) }})
}

func (s *home) draw(a *app, w, h int) []line {
	var top []line
	if a.h >= roomy && w >= tabsWidth {
		top = append(a.sums(w), nil)
	}
	top = append(top, s.notes(a, w, h)...)
	body := h - len(top)
	s.list.y = len(top)
	chosen := s.chosen(a)
	switch {
	case len(s.list.keys) == 0:
		return append(top, noHypervisor(a, w)...)
	case w >= wide:
		lw := min(max(w*2/3, 84), 104)
		var right []line
		if chosen != nil {
			right = hypervisorPane(a, chosen, w-lw-2, body)
		}
		return append(top, beside(s.left(a, lw, body), right, lw, w-lw, body)...)
	case body >= 16: // room for the most that is to be said of the chosen one
		table := s.table(a, w, body-9)
		top = append(append(top, table...), make([]line, body-9-len(table))...)
		if chosen != nil {
			top = append(top, rule("", w+1, "", inkRule), text(inkName, " "+chosen.Name))
			top = append(top, overview(a, chosen, w)...)
		}
		return top
	}
	return append(top, s.table(a, w, body)...)
}

// plotHeight is that of the plot under a list that leaves room for it.
const plotHeight = 10

// left is the list and, where it leaves room, what the lab drew in the last hour.
func (s *home) left(a *app, w, h int) []line {
	if !a.cache.metered || h-len(s.list.keys)-3 < plotHeight {
		return s.table(a, w, h)
	}
	out := s.table(a, w, h-plotHeight)
	out = append(out, make([]line, h-plotHeight-len(out))...)
	recent := model.Recent(a.cache.status, model.Names(a.cache.state.Outlets))
	out = append(out, text(inkHead, " WATTS OF THE LAB, LAST HOUR"))
	return append(out, chart(recent, scale{say: watts}, w-2, plotHeight-2)...)
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
	before := " "
	if len(all) > room && room == 1 {
		before = fmt.Sprintf(" %d ", len(all))
	}
	for i := range min(room, len(all)) {
		out[i] = append(line{{before, inkWarn}}, all[i].line(a.now, w-width(before))...)
	}
	switch {
	case len(a.cache.hvs) == 0:
	case len(all) == 0:
		out[0] = text(inkGood, " "+signDone+" All is well: nothing needs you.")
	case len(all) > room && room > 1:
		out[room-1] = text(inkWarn, fmt.Sprintf(" %s %d more need attention", signWarn, len(all)-room+1))
	}
	if most > 1 {
		out = append(out, nil)
	}
	return out
}

// columns of the list, in the order that they are read in.
const (
	colName = iota
	colPower
	colAgent
	colLoad
	colMemory
	colGuests
	colState
	colWatts
	colHour
)

func (s *home) columns(a *app, w int) []column {
	cols := []column{
		colName:   {head: "NAME", w: s.name},
		colPower:  {head: "POWER", w: 5, drop: 2},
		colAgent:  {head: "AGENT", w: 7, drop: 3},
		colLoad:   {head: "LOAD", w: 4, drop: 6, right: true},
		colMemory: {head: "MEM", w: 4, drop: 5, right: true},
		colGuests: {head: "GUESTS", w: 6, drop: 1, right: true},
		colState:  {head: "STATE", w: 16, grow: true},
		colWatts:  {head: "WATTS", w: 6, drop: 4, right: true},
		colHour:   {head: "LAST HOUR", w: 9, drop: 7, unsortable: true},
	}
	if !a.cache.metered {
		cols = cols[:colWatts]
	}
	return cols
}

func (s *home) table(a *app, w, h int) []line {
	cols := s.columns(a, w)
	ws := layout(cols, w-3)
	return s.list.draw(w, h, cols, func(i int) []line {
		r := &a.cache.hvs[i]
		sign, word, colour := powerSign(r.st.Power)
		if r.st.Power != model.PowerOn && r.st.Power != model.PowerOff {
			word = "–" // the sign says that it is unknown
		}
		agent, agentInk := agentWords(r.st.Agent)
		cells := []line{
			colName:   text(inkName, r.Name),
			colPower:  {{sign, colour}, {" " + word, colour}},
			colAgent:  text(agentInk, agent),
			colLoad:   loadCell(r),
			colMemory: memoryCell(r),
			colGuests: guests(r),
			colState:  phaseLine(r, a.now, ws[colState]),
		}
		if a.cache.metered {
			u := a.cache.state.Share(a.cache.status, r.Name)
			drawn := text(inkText, wattsOf(u.Watts))
			if u.Watts != nil && len(u.Shared) > 0 {
				drawn = append(drawn, span{"*", inkWarn}) // the detail says with whom it is shared
			}
			cells = append(cells, drawn, spark(model.Recent(a.cache.status, r.Outlets), ws[colHour]))
		}
		return cells
	})
}

// loadCell is the load of a machine: more than it has CPUs is worth a look.
func loadCell(r *hvRow) line {
	if r.st.Load == nil {
		return text(inkDim, "–")
	}
	colour := inkText
	if n := r.st.Facts.CPUs; n > 0 && r.st.Load.Load5 > float64(n) {
		colour = inkWarn
	}
	return text(colour, loadNumber(r.st.Load.Load1))
}

// loadNumber says a load average in four columns.
func loadNumber(v float64) string {
	digits := 2
	switch {
	case v >= 99.5:
		digits = 0
	case v >= 9.95:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// memoryCell is how much of a machine's memory is used.
func memoryCell(r *hvRow) line {
	if r.st.Load == nil || r.st.Load.MemoryMiB == 0 {
		return text(inkDim, "–")
	}
	used := r.st.Load.MemoryUsedMiB * 100 / r.st.Load.MemoryMiB
	colour := inkText
	if used >= 90 {
		colour = inkWarn
	}
	return text(colour, strconv.Itoa(used)+"%")
}

// lacking tells of a machine that is there whether a guest is not that should be.
func lacking(r hvRow) bool {
	return r.st.Agent == model.AgentOnline && r.guest.running < r.guest.wanted
}

// guests says how many guests run of how many that should.
func guests(r *hvRow) line {
	colour := either(lacking(*r), inkWarn, inkText)
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

func noHypervisor(a *app, w int) []line {
	return emptyList(a, "No hypervisor yet.", "defines one here; then J on it shows the line that its machine joins with: homelab agent --join TOKEN", w)
}
