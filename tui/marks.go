package tui

import (
	"maps"
	"slices"
	"strconv"
)

// signMarked is beside a marked row.
const signMarked = "◆"

// mark marks the chosen row, or takes its mark away, and goes on to the next.
func (l *list) mark() {
	key, ok := l.key()
	if !ok {
		return
	}
	if l.marked[key] {
		delete(l.marked, key)
	} else {
		l.setMark(key)
	}
	l.anchor = key
	l.sel = min(l.sel+1, len(l.shown)-1)
}

func (l *list) setMark(key string) {
	if l.marked == nil {
		l.marked = map[string]bool{}
	}
	l.marked[key] = true
}

// markRange marks all rows from the one that was marked last to the chosen one.
func (l *list) markRange() {
	key, ok := l.key()
	if !ok {
		return
	}
	from := slices.IndexFunc(l.shown, func(i int) bool { return l.keys[i] == l.anchor })
	if from < 0 {
		from = l.sel
	}
	for n := min(from, l.sel); n <= max(from, l.sel); n++ {
		l.setMark(l.keys[l.shown[n]])
	}
	l.anchor = key
}

// markAll marks all rows that are shown, or none if they are marked already.
func (l *list) markAll() {
	if n := len(l.picked()); n > 0 && n == len(l.shown) {
		l.unmark()
		return
	}
	for _, i := range l.shown {
		l.setMark(l.keys[i])
	}
}

func (l *list) unmark() { l.marked, l.anchor = nil, "" }

// picked are the keys of the marked rows that are shown, in their order: what a
// filter hides is not acted upon.
func (l *list) picked() []string {
	if len(l.marked) == 0 {
		return nil
	}
	var keys []string
	for _, i := range l.shown {
		if l.marked[l.keys[i]] {
			keys = append(keys, l.keys[i])
		}
	}
	return keys
}

// forget drops the marks of rows that are gone.
func (l *list) forget() {
	if len(l.marked) == 0 {
		return
	}
	there := make(map[string]bool, len(l.keys))
	for _, k := range l.keys {
		there[k] = true
	}
	maps.DeleteFunc(l.marked, func(k string, _ bool) bool { return !there[k] })
}

// markWords say how many rows are marked, and how many of them are hidden.
func (l *list) markWords() string {
	n := len(l.picked())
	if len(l.marked) == 0 {
		return ""
	}
	s := "  " + signMarked + " " + strconv.Itoa(n) + " marked"
	if hidden := len(l.marked) - n; hidden > 0 {
		s += ", " + strconv.Itoa(hidden) + " hidden"
	}
	return s
}
