package tui

import (
	"slices"
	"strconv"

	tea "charm.land/bubbletea/v2"
)

// list is a table of rows of which one is chosen. It keeps the chosen row by
// its key when rows come and go, and draws only the rows that are seen.
type list struct {
	keys   []string
	search []string // lower case; nil: the keys
	shown  []int    // the rows that pass the filter
	sel    int      // in shown
	top    int      // first row drawn, in shown
	page   int      // rows drawn last time
	filter string
	want   string // the key of a row to choose when it comes

	marked map[string]bool // rows by key, for what is done to several at once
	anchor string          // where a range begins

	by       order
	heads    []string // of the columns that can be sorted by, as last drawn
	unsorted bool     // shown is to be sorted when it is drawn
	y        int      // where the heading is in the screen's lines, for the mouse
	w        int      // as last drawn, with the columns and their widths
	cols     []column
	ws       []int
}

// set replaces the rows.
func (l *list) set(keys, search []string) {
	chosen, had := l.key()
	l.keys, l.search = keys, search
	l.forget()
	l.match()
	if l.want != "" && slices.Contains(keys, l.want) {
		chosen, had, l.want = l.want, true, ""
	}
	if !had {
		return
	}
	for n, i := range l.shown {
		if l.keys[i] == chosen {
			l.sel = n
			return
		}
	}
}

// key is the key of the chosen row.
func (l *list) key() (string, bool) {
	if i, ok := l.index(); ok {
		return l.keys[i], true
	}
	return "", false
}

// index is the chosen row.
func (l *list) index() (int, bool) {
	if l.sel < len(l.shown) && l.shown[l.sel] < len(l.keys) {
		return l.shown[l.sel], true
	}
	return 0, false
}

// choose chooses the row of that key, if it is shown.
func (l *list) choose(key string) bool {
	for n, i := range l.shown {
		if l.keys[i] == key {
			l.sel = n
			return true
		}
	}
	return false
}

// press takes a key that moves, marks or sorts, and tells whether it was one.
func (l *list) press(k tea.KeyPressMsg) bool {
	switch {
	case keyMark.is(k):
		l.mark()
	case keyRange.is(k):
		l.markRange()
	case keyMarkAll.is(k):
		l.markAll()
	case keySort.is(k):
		l.sortNext(map[string]int{"<": -1, ">": 1}[k.String()])
	case keyTurn.is(k):
		if l.by.head != "" {
			l.sortBy(l.by.head)
		}
	default:
		return l.move(k)
	}
	return true
}

// clear takes away the marks, or else the filter, and tells whether there was
// one.
func (l *list) clear() bool {
	switch {
	case len(l.marked) > 0:
		l.unmark()
	case l.filter != "":
		l.setFilter("")
	default:
		return false
	}
	return true
}

// move takes a key that moves the choice and tells whether it was one.
func (l *list) move(k tea.KeyPressMsg) bool {
	page := max(l.page-1, 1)
	switch k.String() {
	case "up", "k":
		l.sel--
	case "down", "j":
		l.sel++
	case "pgup", "ctrl+b":
		l.sel -= page
	case "pgdown", "ctrl+f":
		l.sel += page
	case "ctrl+u":
		l.sel -= page / 2
	case "ctrl+d":
		l.sel += page / 2
	case "home":
		l.sel = 0
	case "end", "G":
		l.sel = len(l.shown) - 1
	default:
		return false
	}
	l.sel = max(min(l.sel, len(l.shown)-1), 0)
	return true
}

// scroll brings the chosen row into a window of h rows.
func (l *list) scroll(h int) {
	l.page = h
	l.top = min(l.top, l.sel)
	l.top = max(l.top, l.sel-h+1)
	l.top = max(min(l.top, len(l.shown)-h), 0)
}

// draw draws the heading and h-1 rows of w columns; cells makes those of a row.
func (l *list) draw(w, h int, cols []column, cells func(i int) []line) []line {
	ws := layout(cols, w-3)
	l.w, l.cols, l.ws = w, cols, ws
	l.arrange(cols, ws, cells)
	var head line
	sign := "" // that the gap before a column holds
	for i, c := range cols {
		if ws[i] > 0 {
			head = append(head, span{sign, inkKey}, span{blanks(gap - width(sign)), inkHead})
			var cells line
			cells, sign = l.heading(c, ws[i])
			head = append(head, cells...)
		}
	}
	head = append(head, span{sign, inkKey})
	out := make([]line, 0, h)
	out = append(out, head)
	l.scroll(h - 1)
	if len(l.shown) == 0 && l.filter != "" {
		out = append(out, nil, text(inkDim, "  Nothing matches "+l.filter+": esc shows all "+strconv.Itoa(len(l.keys))+"."))
	}
	for n := l.top; n < len(l.shown) && len(out) < h; n++ {
		out = append(out, l.row(n, w, ws, cols, cells(l.shown[n])))
	}
	return out
}

// heading is a column's, with the direction if the list is sorted by it. The
// sign is for the gap after it where the column has no room.
func (l *list) heading(c column, w int) (head line, sign string) {
	if c.head != l.by.head || c.head == "" {
		return cell(line{{c.head, inkHead}}, w, c.right), ""
	}
	sign = either(l.by.down, signDown, signUp)
	if width(c.head)+1 <= w {
		return cell(line{{c.head, inkName}, {sign, inkKey}}, w, c.right), ""
	}
	return cell(line{{c.head, inkName}}, w, c.right), sign
}

func (l *list) row(n, w int, ws []int, cols []column, cells []line) line {
	mark, with := " ", " "
	if n == l.sel {
		mark = signChosen
	}
	if len(l.marked) > 0 && l.marked[l.keys[l.shown[n]]] {
		with = signMarked
	}
	row := make(line, 0, 3*len(cols)+2)
	if with == " " {
		row = append(row, span{mark + " ", either(n == l.sel, inkBusy, inkText)})
	} else {
		row = append(row, span{mark, inkBusy}, span{with, inkKey})
	}
	marks := len(row)
	for i, c := range cells {
		if ws[i] == 0 {
			continue
		}
		if len(row) > marks {
			row = append(row, span{"  ", inkText})
		}
		row = c.cell(row, ws[i], cols[i].right)
		if n == l.sel && i == 0 { // the whole row would double what a key sends
			row.selected()
		}
	}
	return row
}

// emptyList stands where nothing is listed: why, and what n does for those who
// may.
func emptyList(a *app, words, does string, w int) []line {
	out := []line{nil}
	for _, l := range wrapped(inkText, words, w-3, 0) {
		out = append(out, append(text(inkText, "  "), l...))
	}
	if does == "" || !a.may(keyNew.need) {
		return out
	}
	out = append(out, nil)
	for n, l := range wrap(does, w-5) {
		out = append(out, line{{either(n == 0, "  "+keyNew.show+" ", "    "), inkKey}, {l, inkDim}})
	}
	return out
}

// count says how many rows there are, and how many of them are shown.
func (l *list) count() string {
	if l.filter == "" {
		return strconv.Itoa(len(l.keys))
	}
	return strconv.Itoa(len(l.shown)) + " of " + strconv.Itoa(len(l.keys))
}
