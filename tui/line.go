package tui

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// span is a piece of text that means one thing.
type span struct {
	text string
	ink  ink
}

// line is one line of the screen. Its text may hold anything: it is cleaned
// when it is measured and drawn.
type line []span

// text makes a line of one span.
func text(i ink, s string) line { return line{{s, i}} }

// clean makes text harmless: control characters become pictures of
// themselves, what reorders text or is no UTF-8 a replacement character.
func clean(s string) string {
	if plain(s) || harmlessText(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r == '\t':
			b.WriteString("    ")
		case r < 0x20:
			b.WriteRune('\u2400' + r)
		case r == 0x7f:
			b.WriteRune('\u2421')
		case harmful(r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain tells whether s is printable ASCII only.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func harmlessText(s string) bool {
	for _, r := range s {
		if !simple(r) && (r == utf8.RuneError || harmful(r)) {
			return false
		}
	}
	return true
}

// harmful tells whether a rune does something other than being seen.
func harmful(r rune) bool {
	return r == utf8.RuneError || unicode.Is(unicode.Cc, r) || r == '\u2028' || r == '\u2029' ||
		r != '\u200d' && unicode.Is(unicode.Cf, r)
}

// simple tells of the runes that nearly all text is made of that they are
// harmless and one column wide. Others are looked up.
func simple(r rune) bool {
	return r >= 0x20 && r < 0x7f || r > 0xad && r < 0x300 || r >= 0x2010 && r <= 0x2027 ||
		r >= 0x2190 && r <= 0x2199 || r >= 0x2212 && r <= 0x221a || r >= 0x2500 && r < 0x25fd || r == '✓' || r == '✗'
}

// width is the number of columns that cleaned text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		if !simple(r) {
			return ansi.StringWidth(s)
		}
		n++
	}
	return n
}

// cut shortens cleaned text to at most w columns, with an ellipsis.
func cut(s string, w int) string {
	if w <= 0 {
		return ""
	}
	if width(s) <= w {
		return s
	}
	if plain(s) {
		return s[:w-1] + "…"
	}
	return ansi.Truncate(s, w, "…")
}

// fit makes a line exactly w columns wide: cut, or padded in the ink of its
// last span.
func (l line) fit(w int) line {
	if l.fits(w) {
		return l
	}
	return l.onto(make(line, 0, len(l)+1), w)
}

// onto is fit behind what another line holds.
func (l line) onto(out line, w int) line {
	left, before := w, len(out)
	for _, s := range l {
		t := clean(s.text)
		n := width(t)
		if n > left {
			t = cut(t, left)
			n = width(t)
		}
		if n > 0 {
			out = append(out, span{t, s.ink})
			left -= n
		}
		if left == 0 {
			return out
		}
	}
	pad := inkText
	if len(out) > before && out[len(out)-1].ink.isBar() {
		pad = out[len(out)-1].ink
	}
	return append(out, span{blanks(left), pad})
}

// fits tells whether a line is clean and w columns wide already.
func (l line) fits(w int) bool {
	n := 0
	for _, s := range l {
		if !plain(s.text) && !harmlessText(s.text) {
			return false
		}
		n += width(s.text)
	}
	return n == w && n > 0
}

// size is the number of columns that a line takes.
func (l line) size() int {
	n := 0
	for _, s := range l {
		n += width(clean(s.text))
	}
	return n
}

// with gives all spans one ink.
func (l line) with(i ink) line {
	out := make(line, len(l))
	for n, s := range l {
		out[n] = span{s.text, i}
	}
	return out
}

// selected draws a line as the chosen one of a list.
func (l line) selected() line {
	for n := range l {
		l[n].ink |= inkOn
	}
	return l
}

// slice returns the columns from..to of a fitted line.
func (l line) slice(from, to int) line {
	var out line
	at := 0
	for _, s := range l {
		n := width(s.text)
		lo, hi := max(from-at, 0), min(to-at, n)
		if lo < hi {
			t := s.text
			if lo > 0 || hi < n {
				t = ansi.Cut(t, lo, hi)
			}
			out = append(out, span{t, s.ink})
		}
		at += n
	}
	return out
}

const spaces = "                                                                                                    "

func blanks(n int) string {
	if n <= 0 {
		return ""
	}
	if n <= len(spaces) {
		return spaces[:n]
	}
	return strings.Repeat(" ", n)
}

// spread puts left at the left end and right at the right end of w columns;
// right goes where there is no room for both.
func spread(left, right line, w int) line {
	n := right.size()
	if l := left.size(); l+n+1 > w {
		return left.fit(w)
	}
	return append(left.fit(w-n), right...)
}

// fill joins the first part and as many of the others, from their beginning, as
// have room in w columns.
func fill(w int, parts ...line) line {
	out := slices.Clone(parts[0])
	for _, p := range parts[1:] {
		if out.size()+p.size() > w {
			break
		}
		out = append(out, p...)
	}
	return out
}

// beside puts two blocks of h lines side by side with a rule between them.
func beside(left, right []line, lw, rw, h int) []line {
	out := make([]line, h)
	for i := range out {
		var l, r line
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		row := l.onto(make(line, 0, len(l)+len(r)+3), lw)
		out[i] = r.onto(append(row, span{"│ ", inkRule}), rw-2)
	}
	return out
}

// wrap breaks text into lines of at most w columns, at blanks where it can.
// Line breaks in the text are kept.
func wrap(s string, w int) []string {
	var out []string
	for _, part := range strings.Split(strings.TrimRight(s, "\r\n"), "\n") {
		part = clean(strings.TrimRight(part, "\r"))
		if w < 1 || width(part) <= w {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Split(ansi.Wrap(part, w, ""), "\n")...)
	}
	return out
}

// wrap breaks a line into as many of w columns as it needs, at blanks where it
// can; those after the first are indented.
func (l line) wrap(w, indent int) []line {
	if l.size() <= w {
		return []line{l}
	}
	var out []line
	var row line
	n := 0
	for _, s := range l {
		for _, word := range strings.SplitAfter(clean(s.text), " ") {
			for _, part := range wrap(word, w-indent) {
				if n > indent && n+width(strings.TrimRight(part, " ")) > w {
					out = append(out, row)
					row, n, part = text(inkText, blanks(indent)), indent, strings.TrimLeft(part, " ")
				}
				row, n = append(row, span{part, s.ink}), n+width(part)
			}
		}
	}
	return append(out, row)
}

// wrapped is wrap in one ink, with every line after the first indented.
func wrapped(i ink, s string, w, indent int) []line {
	var out []line
	for n, t := range wrap(s, w-indent) {
		if n > 0 {
			t = blanks(indent) + t
		}
		out = append(out, text(i, t))
	}
	return out
}
