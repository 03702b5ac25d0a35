package tui

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// maxInput bounds what a person can type or paste into one line.
const maxInput = 4096

// input edits one line of text. (The stock one reads the clipboard of the
// machine that it runs on, which here is the server.)
type input struct {
	runes []rune
	pos   int
	all   bool // all of it is selected: typing replaces it
}

func newInput(s string) input {
	r := []rune(s)
	return input{runes: r, pos: len(r)}
}

func (in *input) value() string { return string(in.runes) }

// key takes a key and tells whether it was meant for the line.
func (in *input) key(k tea.KeyPressMsg) bool {
	selected := in.all
	in.all = false
	switch k.String() {
	case "backspace", "ctrl+h", "delete":
		if selected {
			in.remove(0, len(in.runes))
			return true
		}
	}
	switch k.String() {
	case "left", "ctrl+b":
		in.pos = max(in.pos-1, 0)
	case "right", "ctrl+f":
		in.pos = min(in.pos+1, len(in.runes))
	case "home", "ctrl+a":
		in.pos = 0
	case "end", "ctrl+e":
		in.pos = len(in.runes)
	case "backspace", "ctrl+h":
		in.remove(in.pos-1, in.pos)
	case "delete":
		in.remove(in.pos, in.pos+1)
	case "ctrl+u":
		in.remove(0, in.pos)
	case "ctrl+k":
		in.remove(in.pos, len(in.runes))
	case "ctrl+w", "alt+backspace":
		in.remove(in.word(), in.pos)
	default:
		if k.Text == "" || k.Mod&^tea.ModShift != 0 {
			return false
		}
		in.all = selected
		in.insert(k.Text)
	}
	return true
}

// insert puts text at the cursor, or in the place of what is selected; line
// breaks become blanks, other control characters are dropped.
func (in *input) insert(s string) {
	if in.all {
		in.all = false
		in.remove(0, len(in.runes))
	}
	var add []rune
	for _, r := range strings.TrimRight(s, "\r\n") {
		switch {
		case r == '\n' || r == '\t':
			add = append(add, ' ')
		case unicode.IsControl(r) || r == unicode.ReplacementChar:
		default:
			add = append(add, r)
		}
	}
	add = add[:min(len(add), max(maxInput-len(in.runes), 0))]
	runes := make([]rune, 0, len(in.runes)+len(add))
	runes = append(append(append(runes, in.runes[:in.pos]...), add...), in.runes[in.pos:]...)
	in.runes, in.pos = runes, in.pos+len(add)
}

func (in *input) remove(from, to int) {
	from, to = max(from, 0), min(to, len(in.runes))
	if from >= to {
		return
	}
	in.runes = append(in.runes[:from:from], in.runes[to:]...)
	in.pos = from
}

// word is where the word before the cursor begins.
func (in *input) word() int {
	i := in.pos
	for i > 0 && in.runes[i-1] == ' ' {
		i--
	}
	for i > 0 && in.runes[i-1] != ' ' {
		i--
	}
	return i
}

// draw shows the line in w columns with its cursor, scrolled so that the
// cursor is seen.
func (in *input) draw(i ink, w int) line {
	before, at, after := clean(string(in.runes[:in.pos])), " ", ""
	if in.pos < len(in.runes) {
		at, after = clean(string(in.runes[in.pos])), clean(string(in.runes[in.pos+1:]))
	}
	room := w - max(width(at), 1)
	if n := width(before); n > room {
		before = ansi.TruncateLeft(before, n-room, "")
	}
	if in.all && len(in.runes) > 0 {
		return line{{before, inkCursor}, {at, i}}
	}
	return line{{before, i}, {at, inkCursor}, {after, i}}
}
