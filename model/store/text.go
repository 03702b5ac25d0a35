package store

import "strings"

// line makes text fit for one line of a screen: what is longer than most
// bytes is cut, and control characters become spaces.
func line(s string, most int) string {
	return strings.ReplaceAll(text(s, most), "\n", " ")
}

// text is line for texts of several lines. Escape sequences that an agent
// sends must not reach anybody's terminal.
func text(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
