package display

import (
	"bytes"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// cell is one column of a line.
type cell struct {
	text  string // "" is the right half of a wide character
	style string // the sequences that are in force
}

const unknown = -1

var blank = cell{text: " "}

// apart is how many columns that stay as they are cost as much to draw as to
// skip.
const apart = 5

// cellsOf reads a line into w cells.
func cellsOf(to []cell, line string, w int) []cell {
	to = to[:0]
	var style string
	var state byte
	for len(line) > 0 && len(to) < w {
		if c := line[0]; c >= ' ' && c < 0x7f && (len(line) == 1 || line[1] < 0x80) { // nothing combines with it
			to = append(to, cell{line[:1], style})
			line = line[1:]
			continue
		}
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		line, state = line[n:], next
		switch {
		case width > 0 && len(to)+width <= w:
			to = append(to, cell{seq, style})
			for range width - 1 {
				to = append(to, cell{"", style})
			}
		case seq == ansi.ResetStyle || seq == "\x1b[0m":
			style = ""
		case ansi.HasCsiPrefix(seq) && seq[len(seq)-1] == 'm':
			style += seq
		}
	}
	for len(to) < w {
		to = append(to, blank)
	}
	return to
}

// painter writes what makes of the lines that are shown those that should be.
// It keeps where the cursor is and what style is in force.
type painter struct {
	buf      *bytes.Buffer
	w        int
	x, y     int // of the cursor, or unknown
	style    string
	old, new []cell
}

var painters = sync.Pool{New: func() any { return new(painter) }}

func newPainter(buf *bytes.Buffer, w int) *painter {
	p := painters.Get().(*painter)
	p.buf, p.w, p.x, p.y, p.style = buf, w, unknown, unknown, ""
	return p
}

// end leaves the terminal without a style.
func (p *painter) end() {
	p.ink("")
	p.buf = nil
	clear(p.old[:cap(p.old)])
	clear(p.new[:cap(p.new)])
	painters.Put(p)
}

// line draws the columns in which two lines differ.
func (p *painter) line(y int, was, is string) {
	p.old, p.new = cellsOf(p.old, was, p.w), cellsOf(p.new, is, p.w)
	last := p.w // from here on the new line is blank
	for last > 0 && p.new[last-1] == blank {
		last--
	}
	for x := 0; x < p.w; x++ {
		if p.old[x] == p.new[x] {
			continue
		}
		if x >= last {
			p.move(x, y)
			p.ink("")
			p.buf.WriteString(ansi.EraseLineRight)
			return
		}
		for x > 0 && p.new[x].text == "" { // a wide character is drawn whole
			x--
		}
		for end := min(p.differ(x), last); x < end; x++ {
			p.put(x, y)
		}
		x--
	}
}

// differ is where the columns that differ from x on end, with the few between
// them that do not.
func (p *painter) differ(x int) int {
	end := x + 1
	for i := end; i < p.w && i <= end+apart; i++ {
		if p.old[i] != p.new[i] || p.new[i].text == "" {
			end = i + 1
		}
	}
	return end
}

// put draws one new cell.
func (p *painter) put(x, y int) {
	c := p.new[x]
	if c.text == "" {
		return
	}
	p.move(x, y)
	p.ink(c.style)
	p.buf.WriteString(c.text)
	p.x++
	wide := x+1 < p.w && p.new[x+1].text == ""
	if wide || p.x == p.w || utf8.RuneCountInString(c.text) > 1 {
		p.x = unknown // terminals differ in how wide they draw it, and in where the last column leaves them
	}
}

// ink changes the style.
func (p *painter) ink(style string) {
	if style == p.style {
		return
	}
	switch {
	case style == "":
		p.buf.WriteString(ansi.ResetStyle)
	case p.style == "":
		p.buf.WriteString(style)
	default: // one sequence that resets first
		p.buf.WriteString("\x1b[;")
		p.buf.WriteString(style[len("\x1b["):])
	}
	p.style = style
}

// move puts the cursor to a column and a line, counted from 0.
func (p *painter) move(x, y int) {
	switch {
	case y == p.y && x == p.x:
		return
	case y == p.y && x == 0:
		p.buf.WriteByte('\r')
	case y == p.y:
		p.csi('G', x+1)
	default:
		p.csi('H', y+1, x+1)
	}
	p.x, p.y = x, y
}

// csi writes a control sequence.
func (p *painter) csi(final byte, n ...int) {
	p.buf.WriteString("\x1b[")
	for i, v := range n {
		if i > 0 {
			p.buf.WriteByte(';')
		}
		p.buf.WriteString(strconv.Itoa(v))
	}
	p.buf.WriteByte(final)
}
