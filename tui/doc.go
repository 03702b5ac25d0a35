// Package tui is the dashboard: a bubbletea program over [Lab], one per
// session.
//
// The root, [New], owns the size of the terminal, the stack of screens and the
// session's cache, and routes messages. A screen has Update and is told when
// the cache is new; a widget (list, form, input) is a plain struct. What is
// drawn is [line] upon line of spans: text is made harmless and measured in
// one place when it is drawn, and an ink says what it means, never which
// colour it has.
//
// The package promises that no I/O happens in Update or View (it is in
// commands, whose answers are functions that run in Update), that nothing that
// a machine or a person wrote reaches the terminal as a control sequence, and
// that all that it started ends with the program or with Options.Context, except
// that an order which was given is carried through (for a minute at most).
package tui
