package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// The layout: one or two lines of head, the screen, the status line, the keys.
// Each has its place whatever there is to say.
const (
	leastWidth  = 30
	leastHeight = 8
	wide        = 110 // from here on list and detail are side by side
	tabsWidth   = 78  // from here on there is room for the tabs
	roomy       = 30  // lines from which on there is room for more than a list
)

// View draws the front screen and what lies over it.
func (a *app) View() tea.View {
	v := tea.NewView(a.theme.render(a.frame()))
	v.AltScreen = true
	if !a.prefs.noMouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	v.WindowTitle = "homelab · " + clean(a.top().title())
	if a.alarmed != "" {
		v.WindowTitle = signFailed + " " + clean(a.alarmed) + " · homelab"
	}
	return v
}

// frame draws everything, as h lines of w columns.
func (a *app) frame() []line {
	if a.w < leastWidth || a.h < leastHeight {
		var lines []line
		for _, l := range wrap(fmt.Sprintf("homelab needs a larger window: %d×%d", leastWidth, leastHeight), a.w) {
			lines = append(lines, text(inkText, l).fit(max(a.w, 1)))
		}
		return lines[:min(len(lines), max(a.h, 1))]
	}
	lines := a.head()
	body := a.h - len(lines) - 2
	a.bodyAt = len(lines)
	drawn := a.top().draw(a, a.w, body)
	for i := range body {
		var l line
		if i < len(drawn) {
			l = drawn[i]
		}
		lines = append(lines, l.fit(a.w))
	}
	lines = append(lines, a.statusLine().fit(a.w), a.keyLine().fit(a.w))
	if a.overlay != nil {
		a.cover(lines)
	}
	return lines
}

// head is the tabs and, where there is room, a line with the totals.
func (a *app) head() []line {
	crumbs := line{{" ", inkText}}
	for i, s := range a.stack {
		if i > 0 {
			crumbs = append(crumbs, span{" › ", inkDim})
		}
		crumbs = append(crumbs, span{s.title(), inkName})
	}
	if l, ok := a.top().(listed); ok {
		if len(a.stack) == 1 || l.rows().filter != "" {
			crumbs = append(crumbs, span{"  " + l.rows().count(), inkDim})
		}
		if f := l.rows().filter; f != "" {
			crumbs = append(crumbs, span{"  /" + f, inkWarn})
		}
		crumbs = append(crumbs, span{l.rows().markWords(), inkKey})
	}
	crumbs = append(crumbs, a.heldWords()...)
	if a.h < 16 || a.w < tabsWidth {
		return []line{spread(crumbs, text(inkDim, a.shortTotals()), a.w)}
	}
	return []line{a.tabRow(), spread(crumbs, a.totals(a.w-crumbs.size()-1), a.w)}
}

// heldWords say on every screen that somebody works on hypervisors by hand:
// what is changed elsewhere does not reach them.
func (a *app) heldWords() line {
	var held []string
	for i := range a.cache.hvs {
		if a.cache.hvs[i].Hold {
			held = append(held, a.cache.hvs[i].Name)
		}
	}
	switch len(held) {
	case 0:
		return nil
	case 1:
		return text(inkWarn, "  "+signHalf+" "+held[0]+" held")
	}
	return text(inkWarn, fmt.Sprintf("  %s %d held", signHalf, len(held)))
}

// who is the user, with the role where that is not all that there is.
func (a *app) who() string {
	u := a.lab.User()
	if u.Role == model.RoleAdmin {
		return u.Name
	}
	return u.Name + ", " + string(u.Role)
}

// statusLine is the filter that is typed, the last message, or what needs
// attention first.
func (a *app) statusLine() line {
	switch {
	case a.filter != nil:
		return append(line{{" / ", inkKey}}, a.filter.draw(inkText, a.w-4)...)
	case a.toast != nil:
		return append(line{{" ", inkText}}, a.toast...)
	}
	if _, atHome := a.top().(*home); atHome {
		return a.notice() // the notes are on the screen itself
	}
	if _, typing := a.top().(typist); typing || len(a.cache.notes) == 0 {
		return nil
	}
	more := ""
	if n := len(a.cache.notes) - 1; n > 0 {
		more = either(a.w < 60, " +"+strconv.Itoa(n), " and "+strconv.Itoa(n)+" more")
	}
	room := a.w - 1 - width(more)
	l := a.cache.notes[0].line(a.now, room)
	if l.size() > room {
		l = l.fit(room)
	}
	return append(append(line{{" ", inkText}}, l...), span{more, inkDim})
}

// keyLine names as many keys as fit. What is of use right now, the way back
// and help have their place at the right end.
func (a *app) keyLine() line {
	if a.filter != nil {
		return a.filterLine()
	}
	normal, now := a.offered()
	urgent := len(now)
	_, typing := a.top().(typist)
	switch deep := len(a.stack) > 1; {
	case typing:
	case deep:
		now, normal = append(now, keyBack, keyHelp), append(normal, keyGo, keyQuit)
	case a.w < tabsWidth:
		now = append(now, keyGo, keyHelp)
	default:
		normal = append(normal, keyGo)
		now = append(now, keyHelp, keyQuit)
	}
	for urgent > 0 && a.keyNames(now).size() > a.w-1 { // the way back and help stay
		now = slices.Delete(now, urgent-1, urgent)
		urgent--
	}
	end := a.keyNames(now)
	if n := len(end); n > 0 {
		end[n-1].text = strings.TrimSuffix(end[n-1].text, " ") // room is scarce
	}
	keys := line{{" ", inkText}}
	left := a.w - 2 - end.size()
	for _, b := range normal {
		k := a.keyNames([]binding{b})
		if n := k.size(); n <= left {
			keys = append(keys, k...)
			left -= n
		}
	}
	return spread(keys, end, a.w)
}

// filterLine names the keys while a filter is typed, when those of the screen
// are text, and what can be typed.
func (a *app) filterLine() line {
	keys := line{{" ", inkText}, {"enter", inkKey}, {" keep it  ", inkDim}, {"esc", inkKey}, {" clear it", inkDim}}
	if _, finds := a.top().(searcher); finds {
		return keys
	}
	return spread(keys, text(inkDim, either(a.w < 60, "!without", "words, !without, key:value such as state:stopped")), a.w-1)
}

// offered are the screen's own keys that the bottom line names: those that are
// always of use, and those that are right now. On an empty screen it is only
// what fills it.
func (a *app) offered() (normal, now []binding) {
	l, isList := a.top().(listed)
	empty := isList && len(a.stack) == 1 && len(l.rows().keys) == 0
	filters := isList && !empty
	for _, act := range a.top().actions(a) {
		filters = filters && act.keys[0] != keyFilter.keys[0]
		switch {
		case act.short == "" || !a.may(act.need) || empty && act.show != keyNew.show:
		case act.at == 0:
			normal = append(normal, act.binding)
		case act.at > 0:
			now = append(now, act.binding)
		}
	}
	if filters {
		normal = append(normal, keyFilter)
	}
	return normal, now
}

func (a *app) keyNames(bs []binding) line {
	var l line
	for _, b := range bs {
		l = append(l, span{b.show, inkKey}, span{" " + b.short + "  ", inkDim})
	}
	return l
}

// bindings are all the keys that work now, the screen's own first.
func (a *app) bindings() []binding {
	var out []binding
	taken := map[string]bool{}
	for _, act := range a.top().actions(a) {
		if a.may(act.need) {
			out = append(out, act.binding)
		}
		for _, k := range act.keys {
			taken[k] = true
		}
	}
	if _, ok := a.top().(typist); ok {
		return out
	}
	_, isList := a.top().(listed)
	for _, b := range globals(isList, len(a.stack) > 1) {
		if !taken[b.keys[0]] && a.may(b.need) {
			out = append(out, b)
		}
	}
	return out
}

// cover draws the overlay over the frame, which fades.
func (a *app) cover(lines []line) {
	boxw := min(a.w-2, 76)
	title, body, edge := a.overlay.draw(a, boxw-4, a.h-4)
	body = body[:min(len(body), a.h-2)]
	for i := range lines {
		lines[i] = lines[i].with(inkGhost)
	}
	x, y := (a.w-boxw)/2, max((a.h-len(body)-2)/2, 0)
	framed := framed(title, body, edge, boxw)
	a.box = box{x, y, boxw, len(framed)}
	for i, b := range framed {
		if y+i >= len(lines) {
			break
		}
		under := lines[y+i]
		lines[y+i] = append(append(under.slice(0, x), b...), under.slice(x+boxw, a.w)...)
	}
}

// framed draws a box of w columns around some lines.
func framed(title string, body []line, edge ink, w int) []line {
	title = cut(clean(title), w-6)
	out := []line{append(line{{"╭─ ", edge}, {title, inkName}}, rule(" ", w-4-width(title), "╮", edge)...)}
	for _, l := range body {
		out = append(out, append(append(line{{"│ ", edge}}, l.fit(w-4)...), span{" │", edge}))
	}
	return append(out, rule("╰", w-1, "╯", edge))
}

func rule(from string, w int, to string, i ink) line {
	n := max(w-1, 0)
	b := make([]byte, 0, 3*n+8)
	b = append(b, from...)
	for range n {
		b = append(b, "─"...)
	}
	return line{{string(append(b, to...)), i}}
}
