package display

import (
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Options are those that a program needs whose model is [Display.Model]'s: no
// renderer of its own, and, since its clock cannot be turned off, a slow one.
func Options() []tea.ProgramOption {
	return []tea.ProgramOption{tea.WithoutRenderer(), tea.WithFPS(1)}
}

// Model draws the views of a model.
func (d *Display) Model(m tea.Model) tea.Model { return &drawn{m, d} }

type (
	write  string   // to the terminal, beside the frames
	redraw struct{} // all of it
)

// Write sends a control sequence to the terminal, such as a question or a bell.
func Write(sequence string) tea.Cmd { return func() tea.Msg { return write(sequence) } }

// Redraw draws everything anew, for a terminal that something else wrote to.
func Redraw() tea.Msg { return redraw{} }

// drawn is a model whose views go to a display.
type drawn struct {
	tea.Model
	display *Display
}

// Update takes what is the display's and passes on the rest.
func (m *drawn) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	d := m.display
	switch msg := msg.(type) {
	case write:
		d.mu.Lock()
		d.aside = append(d.aside, msg...)
		d.mu.Unlock()
		return m, nil
	case redraw:
		d.forget(func() {})
		return m, nil
	case tea.WindowSizeMsg:
		d.forget(func() { d.w, d.h, d.ready = msg.Width, msg.Height, false }) // until there is a view of that size
	case tea.ModeReportMsg:
		d.has(msg)
		return m, nil
	}
	inner, cmd := m.Model.Update(msg)
	m.Model = inner
	return m, cmd
}

// View hands the view to the screen.
func (m *drawn) View() tea.View {
	v := m.Model.View()
	d := m.display
	d.mu.Lock()
	d.view, d.ready = v, true
	d.mu.Unlock()
	d.draws()
	return tea.View{}
}

// forget changes what makes the next frame a whole one.
func (d *Display) forget(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.anew = true
}

// has notes what the terminal says that it can do.
func (d *Display) has(mode tea.ModeReportMsg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case mode.Mode == ansi.ModeSynchronizedOutput && mode.Value == ansi.ModeReset:
		d.sync = true
	case mode.Mode == ansi.ModeUnicodeCore && mode.Value == ansi.ModeReset:
		// It can count columns as we do.
		d.aside = append(d.aside, ansi.SetModeUnicodeCore...)
	}
}
