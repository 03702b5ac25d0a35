package tui

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// fieldKind is how a field is filled in.
type fieldKind int

const (
	typed  fieldKind = iota // text
	choice                  // one of some
	ticks                   // any of some
	body                    // lines that are pasted
)

// field is one field of a form. Its key is the JSON key and the flag's name.
type field struct {
	key, label, hint string
	kind             fieldKind
	blank            string   // shown for an empty value
	options          []string // of choice and ticks

	secret bool // typed and never shown

	in      input
	text    string   // of body
	sel     int      // the choice, or where the cursor is among the ticks
	ticked  []string // in the order of options
	err     string
	touched bool
}

// with fills a field in.
func (f *field) with(v string) *field {
	f.set(v)
	return f
}

// value is what a field holds; ticks are joined by commas.
func (f *field) value() string {
	switch f.kind {
	case choice:
		if f.sel < len(f.options) {
			return f.options[f.sel]
		}
		return ""
	case ticks:
		return strings.Join(f.ticked, ",")
	case body:
		return f.text
	}
	return strings.TrimSpace(f.in.value())
}

func (f *field) set(v string) {
	switch f.kind {
	case choice:
		if !slices.Contains(f.options, v) {
			f.options = append(f.options, v) // what is there stays a choice
		}
		f.sel = slices.Index(f.options, v)
	case ticks:
		f.ticked = nil
		for _, t := range split(v) {
			if !slices.Contains(f.options, t) {
				f.options = append(f.options, t)
			}
			f.ticked = append(f.ticked, t)
		}
	case body:
		f.text = v
	default:
		f.in = newInput(v)
	}
}

// offer replaces the options and keeps the value where it is among them.
func (f *field) offer(options []string) {
	v := f.value()
	f.options, f.sel = options, 0
	if slices.Contains(options, v) {
		f.set(v)
	}
}

// key takes a key and tells whether it changed the value.
func (f *field) press(k tea.KeyPressMsg) bool {
	before := f.value()
	switch f.kind {
	case choice:
		f.choose(k)
	case ticks:
		f.tick(k)
	case body:
		if s := k.String(); s == "backspace" || s == "delete" || s == "ctrl+u" {
			f.text = ""
		}
	default:
		f.in.key(k)
	}
	return f.value() != before
}

// paste takes what is pasted, and tells whether it is of use.
func (f *field) paste(s string) bool {
	switch f.kind {
	case typed:
		f.in.insert(s)
	case body:
		f.text = strings.TrimRight(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "\n") + "\n"
	default:
		return false
	}
	return true
}

func (f *field) choose(k tea.KeyPressMsg) {
	n := len(f.options)
	if n == 0 {
		return
	}
	switch s := k.String(); s {
	case "left":
		f.sel = (f.sel + n - 1) % n
	case "right", "space":
		f.sel = (f.sel + 1) % n
	default:
		if utf8.RuneCountInString(k.Text) != 1 {
			return
		}
		for i := range n { // the next that begins with that letter
			if j := (f.sel + 1 + i) % n; strings.HasPrefix(f.options[j], k.Text) {
				f.sel = j
				return
			}
		}
	}
}

func (f *field) tick(k tea.KeyPressMsg) {
	n := len(f.options)
	if n == 0 {
		return
	}
	switch k.String() {
	case "left":
		f.sel = (f.sel + n - 1) % n
	case "right":
		f.sel = (f.sel + 1) % n
	case "space", "x":
		o := f.options[f.sel]
		var now []string
		for _, p := range f.options { // in their order
			if slices.Contains(f.ticked, p) != (p == o) {
				now = append(now, p)
			}
		}
		f.ticked = now
	}
}

// shown is a value as it may be seen, in one line.
func (f *field) shown(v string) string {
	switch {
	case f.kind == body && v != "":
		return count(strings.Count(v, "\n"), "line")
	case !f.secret:
		return v
	}
	return strings.Repeat("•", utf8.RuneCountInString(v))
}

// draw shows the value in w columns.
func (f *field) draw(on bool, w int) line {
	switch f.kind {
	case choice:
		v := f.value()
		if v == "" {
			v = f.blank
		}
		if !on {
			return text(inkText, v)
		}
		return line{{"‹ ", inkKey}, {v, inkField}, {" ›", inkKey}, {" " + strconv.Itoa(f.sel+1) + " of " + strconv.Itoa(len(f.options)), inkDim}}
	case ticks:
		return f.drawTicks(on, w)
	case body:
		words := f.shown(f.text)
		if words == "" {
			words = f.blank
		}
		if on {
			return line{{words, inkField}}
		}
		return text(either(f.text == "", inkDim, inkText), words)
	}
	if f.secret && len(f.in.runes) > 0 {
		masked := *f
		masked.in.runes = []rune(f.shown(f.in.value()))
		masked.secret = false
		return masked.draw(on, w)
	}
	if on {
		return f.in.draw(inkField, min(w, 44)).fitField(min(w, 44))
	}
	if f.value() == "" {
		return text(inkDim, f.blank)
	}
	return text(inkText, f.value())
}

// drawTicks shows the options with their boxes. Where they do not fit it is
// those around the cursor, or only the ticked ones.
func (f *field) drawTicks(on bool, w int) line {
	if len(f.options) == 0 {
		return text(inkDim, f.blank)
	}
	all := f.boxes(on, 0)
	switch {
	case all.size() <= w:
		return all
	case !on:
		return text(inkText, orNone(strings.Join(f.ticked, ", ")))
	}
	from := 0
	for from < f.sel && f.boxes(on, from)[:2*(f.sel-from)+1].size()+2 > w {
		from++
	}
	if from == 0 {
		return all
	}
	return append(line{{"‹ ", inkKey}}, f.boxes(on, from)...)
}

// boxes are two spans for each option from one on: its box with its name, and
// a gap.
func (f *field) boxes(on bool, from int) line {
	var l line
	for i, o := range f.options[from:] {
		box, colour := "[ ] ", inkDim
		if slices.Contains(f.ticked, o) {
			box, colour = "[x] ", inkText
		}
		if on && from+i == f.sel {
			colour = inkField
		}
		l = append(l, span{box + o, colour}, span{"  ", inkText})
	}
	return l[:len(l)-1]
}

// fitField pads an input with the field's own background.
func (l line) fitField(w int) line {
	if n := l.size(); n < w {
		return append(l, span{blanks(w - n), inkField})
	}
	return l
}

// split takes a list apart that was joined, or typed, with commas or blanks.
func split(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
