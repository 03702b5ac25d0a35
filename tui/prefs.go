package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// prefs are how one session is shown. They belong to the terminal that looks,
// not to the user: a key changes them for the session, and the client's
// environment for all of its sessions.
type prefs struct {
	noMouse bool
	ascii   bool // signs that every font has
	tell    bool // failures ring the bell and show in the title
}

// parsePrefs reads words such as "ascii tell nomouse", separated by blanks or
// commas. Words that it does not know are for another version.
func parsePrefs(s string) prefs {
	var p prefs
	for _, w := range split(strings.ToLower(s)) {
		switch w {
		case "ascii":
			p.ascii = true
		case "tell":
			p.tell = true
		case "nomouse":
			p.noMouse = true
		}
	}
	return p
}

// prefer takes a key that changes a preference and says what holds now.
func (a *app) prefer(k tea.KeyPressMsg) tea.Cmd {
	p, said := &a.prefs, ""
	switch {
	case keyMouse.is(k):
		p.noMouse = !p.noMouse
		said = either(p.noMouse, "the mouse is your terminal's: text can be selected", "the mouse works here again")
	case keySigns.is(k):
		p.ascii = !p.ascii
		a.paint()
		said = either(p.ascii, "plain ASCII signs", "all signs")
	default:
		p.tell = !p.tell
		said = either(p.tell, "failures ring the bell and show in the title", "failures are silent")
	}
	return a.say(inkDim, signNone, said+prefsHint)
}

// prefsHint says how a preference is kept.
const prefsHint = "; SetEnv HOMELAB=\"ascii tell nomouse\" in ~/.ssh/config keeps it"
