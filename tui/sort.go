package tui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// order is the column that a list is sorted by; the zero value is the order
// that the rows came in.
type order struct {
	head string
	down bool // largest first
}

// sortNext sorts by the next column to the right (or left), and by none after
// the last one.
func (l *list) sortNext(step int) {
	n := len(l.heads) + 1
	at := (slices.Index(l.heads, l.by.head) + 1 + step + n) % n // 0 is none
	l.by = order{}
	if at > 0 {
		l.by.head = l.heads[at-1]
	}
	l.resort()
}

// sortBy sorts by a column; a second time turns the direction round.
func (l *list) sortBy(head string) {
	if l.by.head == head {
		l.by.down = !l.by.down
	} else {
		l.by = order{head: head}
	}
	l.resort()
}

// resort has the rows sorted when they are drawn next: only then are the
// columns known.
func (l *list) resort() {
	if l.by.head == "" {
		chosen, _ := l.key()
		l.match()
		l.choose(chosen)
	}
	l.unsorted = true
}

// arrange sorts the rows by what their cells say, and keeps the chosen one.
func (l *list) arrange(cols []column, ws []int, cells func(i int) []line) {
	l.heads = l.heads[:0]
	at := -1
	for i, c := range cols {
		if c.head == l.by.head {
			at = i
		}
		if !c.unsortable && ws[i] > 0 {
			l.heads = append(l.heads, c.head)
		}
	}
	if !l.unsorted || at < 0 {
		return
	}
	l.unsorted = false
	chosen, _ := l.key()
	values := make(map[int]sortValue, len(l.shown))
	for _, i := range l.shown {
		if by := cols[at].by; by != nil {
			values[i] = sortValue{n: by(i), number: true}
			continue
		}
		var b strings.Builder
		for _, s := range cells(i)[at] {
			b.WriteString(s.text)
		}
		values[i] = valueOf(b.String())
	}
	slices.SortStableFunc(l.shown, func(a, b int) int {
		c := values[a].compare(values[b])
		if l.by.down {
			c = -c
		}
		return c
	})
	l.choose(chosen)
}

// sortValue is what a cell says, as it is compared: numbers with their unit
// before words, nothing last.
type sortValue struct {
	n      float64
	number bool
	text   string
}

var units = map[string]float64{
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "W": 1, "kW": 1000, "%": 1,
	"s": 1, "min": 60, "h": 3600, "days": 86400, "ago": 1,
}

func valueOf(s string) sortValue {
	s = strings.TrimSpace(s)
	if s == "just now" {
		return sortValue{number: true}
	}
	var v sortValue
	words := strings.Fields(strings.ReplaceAll(s, "/", " / "))
	for i := 0; i < len(words); i++ {
		n, err := strconv.ParseFloat(strings.TrimSuffix(words[i], "*"), 64)
		if err != nil {
			break
		}
		v.number = true
		if i+1 < len(words) {
			if u, ok := units[words[i+1]]; ok {
				n *= u
				i++
			}
		}
		v.n += n
	}
	v.text = strings.ToLower(s)
	return v
}

func (v sortValue) compare(w sortValue) int {
	switch {
	case v.number && w.number && v.n != w.n:
		return cmp.Compare(v.n, w.n)
	case v.number != w.number:
		if v.number {
			return -1
		}
		return 1
	case (v.text == "–") != (w.text == "–"):
		if w.text == "–" {
			return -1
		}
		return 1
	}
	return strings.Compare(v.text, w.text)
}
