package tui

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// driver runs a dashboard without a terminal: it carries out commands as
// bubbletea does and lets tests wait for what is on the screen.
type driver struct {
	t    testing.TB
	a    *app
	msgs chan tea.Msg
	quit bool
}

func drive(t testing.TB, lab Lab, w, h int) *driver {
	t.Helper()
	return driveAt(t, lab, w, h)
}

// driveAt begins with a screen or a thing.
func driveAt(t testing.TB, lab Lab, w, h int, open ...string) *driver {
	t.Helper()
	a := New(lab, Options{Open: open, Context: t.Context(), Width: w, Height: h, Now: func() time.Time { return noon }}).(*app)
	d := &driver{t: t, a: a, msgs: make(chan tea.Msg, 1000)}
	d.run(a.Init())
	d.settle()
	return d
}

func (d *driver) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		msg := cmd()
		select {
		case d.msgs <- msg:
		case <-d.t.Context().Done():
		}
	}()
}

func (d *driver) handle(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			d.run(c)
		}
	case tea.QuitMsg:
		d.quit = true
	default:
		_, cmd := d.a.Update(msg)
		d.run(cmd)
	}
}

// until handles messages until cond holds.
func (d *driver) until(what string, cond func() bool) {
	d.t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case msg := <-d.msgs:
			d.handle(msg)
		case <-deadline:
			d.t.Fatalf("waited for %s; the screen is\n%s", what, d.screen())
		}
	}
}

// see waits until the screen holds all of the words.
func (d *driver) see(words ...string) {
	d.t.Helper()
	for _, w := range words {
		d.until("\""+w+"\"", func() bool { return strings.Contains(d.screen(), w) })
	}
}

// gone waits until the screen does not hold the words.
func (d *driver) gone(words string) {
	d.t.Helper()
	d.until("no \""+words+"\"", func() bool { return !strings.Contains(d.screen(), words) })
}

func (d *driver) screen() string { return ansi.Strip(d.a.View().Content) }

// press presses keys by their names.
func (d *driver) press(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		d.handle(key(k))
	}
}

// typed types text.
func (d *driver) typed(s string) {
	for _, r := range s {
		d.press(string(r))
	}
}

var codes = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "space": {Code: tea.KeySpace, Text: " "}, "backspace": {Code: tea.KeyBackspace},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd}, "f1": {Code: tea.KeyF1},
	"ctrl+s": {Code: 's', Mod: tea.ModCtrl}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+w": {Code: 'w', Mod: tea.ModCtrl}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
}

func key(name string) tea.KeyPressMsg {
	if k, ok := codes[name]; ok {
		return tea.KeyPressMsg(k)
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// settle waits until all that was asked of the lab has been answered.
func (d *driver) settle() {
	d.t.Helper()
	d.until("answers", func() bool { return d.a.busy == 0 })
}
