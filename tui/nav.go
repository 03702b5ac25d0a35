package tui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// tabs are all screens that are gone to by name: by a digit, the first nine,
// and by g and a letter.
var tabs = [...]struct {
	name, letter string
	make         func() screen
}{
	{"Home", "h", func() screen { return &home{} }},
	{"VMs", "v", func() screen { return &vms{} }},
	{"Profiles", "p", func() screen { return &profiles{} }},
	{"Outlets", "o", func() screen { return &outlets{} }},
	{"Images", "i", func() screen { return &images{} }},
	{"Runs", "r", func() screen { return &runs{} }},
	{"History", "t", func() screen { return &history{} }},
	{"Access", "a", func() screen { return &access{} }},
	{"Settings", "e", func() screen { return &settings{} }},
	{"Hypervisors", "m", func() screen { return &machines{} }},
	{"Shares", "s", func() screen { return &shares{} }},
	{"Salt", "c", func() screen { return &masters{} }},
	{"Roles", "l", func() screen { return &guestRoles{} }},
}

// digits is how many of the tabs a digit goes to.
const digits = min(9, len(tabs))

// Screens are the names that [Options].Open takes alone.
func Screens() []string {
	names := make([]string, len(tabs))
	for i, t := range tabs {
		names[i] = strings.ToLower(t.name)
	}
	return names
}

// tabRow names as many screens as there is room for; the menu has them all.
func (a *app) tabRow() line {
	who := text(inkDim, cut(clean(a.who()), 24)+" ")
	more := line{{keyGo.show + " ", inkKey}, {"go", inkTabs}}
	space := "  "
	if a.w < 90 {
		space = " "
	}
	row := line{{" homelab", inkName}, {"  ", inkText}}
	for i, t := range tabs[:digits] {
		if row.size()+2+len(t.name)+len(space)+more.size()+who.size() >= a.w {
			break
		}
		colour := inkTabs
		if i == a.tab {
			colour = inkTab
		}
		row = append(row, span{strconv.Itoa(i+1) + " ", inkKey}, span{t.name, colour}, span{space, inkText})
	}
	return spread(append(row, more...), who, a.w)
}

// goMenu is what g opens: every screen with its letter.
type goMenu struct{}

func (m *goMenu) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	a.overlay = nil
	s := k.String()
	for i, t := range tabs {
		if s == t.letter || i < digits && s == strconv.Itoa(i+1) {
			return a.show(i)
		}
	}
	if s == "g" { // as vi has it
		return a.key(tea.KeyPressMsg{Code: tea.KeyHome})
	}
	return nil
}

func (m *goMenu) paste(*app, string) {}

func (m *goMenu) draw(a *app, w, _ int) (string, []line, ink) {
	rows := (len(tabs) + 1) / 2
	body := make([]line, rows, rows+2)
	for i, t := range tabs {
		colour := inkText
		if i == a.tab {
			colour = inkTab
		}
		digit := "  "
		if i < digits {
			digit = strconv.Itoa(i+1) + " "
		}
		l := line{{" " + t.letter + "  ", inkKey}, {t.name, colour}}
		body[i%rows] = append(body[i%rows], append(l.fit(w/2-2), span{digit, inkDim})...)
	}
	return "Go to", append(body, nil, line{{" g  ", inkKey}, {"the top  ", inkText}, {": ", inkKey}, {"finds by name  ", inkText}, {"esc", inkKey}}), inkRule
}
