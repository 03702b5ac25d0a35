package tui

import (
	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// screen is one screen of the dashboard. Its methods run in the event loop and
// do no I/O.
type screen interface {
	title() string
	// refresh is called when the cache is new (dirty says what changed) and
	// when the screen comes to the front (dirty is nil).
	refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd
	actions(a *app) []action
	draw(a *app, w, h int) []line
}

// listed is a screen with a list that is moved in and filtered.
type listed interface{ rows() *list }

// typist is a screen that takes all keys but ctrl+c as its own.
type typist interface {
	key(a *app, k tea.KeyPressMsg) tea.Cmd
	paste(a *app, s string) tea.Cmd
	// unsaved tells whether leaving would lose what was typed.
	unsaved() bool
}

// scroller is a screen that scrolls: it takes the keys that do so first.
type scroller interface{ scroll(k tea.KeyPressMsg) bool }

// overlay lies over the screen and takes all keys but ctrl+c.
type overlay interface {
	key(a *app, k tea.KeyPressMsg) tea.Cmd
	paste(a *app, s string)
	draw(a *app, w, h int) (title string, body []line, edge ink)
}
