package tui

import (
	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// keyOpenForm opens what is chosen in its form.
func keyOpenForm() binding {
	edit := keyOpen
	edit.keys, edit.short, edit.long = []string{"enter", "e"}, "edit", "edit (also e)"
	edit.need = model.RoleAdmin
	return edit
}

// formEdits are the actions of a list whose objects are edited in a form; remove is
// the change that removes the one of that name.
func formEdits(l *list, form func(a *app, name string) *form, remove func(name string) change) []action {
	on := func(b binding, f func(a *app, name string) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if name, ok := l.key(); ok {
				return f(a, name)
			}
			return nil
		}}
	}
	return []action{
		on(keyOpenForm(), func(a *app, name string) tea.Cmd { return a.open(form(a, name)) }),
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(form(a, "")) }},
		on(keyRemove, func(a *app, name string) tea.Cmd { return a.propose(remove(name)) }),
	}
}
