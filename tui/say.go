package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/tui/display"
)

// say shows a message in the status line for a while.
func (a *app) say(i ink, sign, s string) tea.Cmd {
	a.toast = line{{sign + " " + brief(s, a.w-3), i}}
	a.toastID++
	id := a.toastID
	return a.after(8*time.Second, func(a *app) tea.Cmd {
		if a.toastID == id {
			a.toast = nil
		}
		return nil
	})
}

// brief is a message without the clauses at its end, from a colon or a semicolon
// on, that have no room in w columns.
func brief(s string, w int) string {
	for width(clean(s)) > w {
		at := max(strings.LastIndex(s, ": "), strings.LastIndex(s, "; "))
		if at < 0 {
			break
		}
		s = s[:at]
	}
	return s
}

// fail shows an error whole: in the status line where it fits, else in a box.
func (a *app) fail(err error) tea.Cmd {
	if s := err.Error(); strings.Contains(s, "\n") || width(clean(s)) > a.w-3 {
		a.toast = nil // what was under way has failed
		a.overlay = &message{title: "That did not work", text: s}
		return nil
	}
	return a.say(inkBad, signFailed, err.Error())
}

// tell says what happened beside what was said before, such as that u undoes it,
// if there is room for both.
func (a *app) tell(i ink, sign, what string) tea.Cmd {
	before := a.toast
	cmd := a.say(i, sign, what)
	if both := append(before[:len(before):len(before)], append(text(inkText, "   "), a.toast...)...); before != nil && both.size()+1 <= a.w {
		a.toast = both
	}
	return cmd
}

// alarm says that something failed; who asked for it hears the bell, and sees
// it in the terminal's title until a key is pressed.
func (a *app) alarm(what string) tea.Cmd {
	said := a.tell(inkBad, signFailed, what)
	if !a.prefs.tell {
		return said
	}
	a.alarmed = what
	return tea.Batch(said, display.Write("\a"))
}
