package tui

import "slices"

// column is one column of a table.
type column struct {
	head  string
	w     int  // columns wanted
	most  int  // columns that its longest cell takes: given before the one that grows
	drop  int  // where it is narrow the highest goes first; 0 stays
	right bool // numbers
	grow  bool // takes what is left

	by         func(i int) float64 // what it is sorted by; nil: what the cells say
	unsortable bool                // such as a sparkline
}

const gap = 2 // between columns

// layout gives each column its width, the ones that are needed most first; 0
// drops it.
func layout(cols []column, w int) []int {
	ws := make([]int, len(cols))
	byNeed := make([]int, len(cols))
	for i := range cols {
		byNeed[i] = i
	}
	slices.SortStableFunc(byNeed, func(a, b int) int { return cols[a].drop - cols[b].drop })
	total := -gap
	for _, i := range byNeed {
		if n := max(cols[i].w, width(cols[i].head)); cols[i].drop == 0 || total+gap+n <= w {
			ws[i] = n
			total += gap + n
		}
	}
	if total > w { // the first gives way
		ws[0] = max(ws[0]-(total-w), 4)
	}
	for i, c := range cols {
		if ws[i] > 0 {
			more := max(min(c.most-ws[i], w-total), 0)
			ws[i] += more
			total += more
		}
	}
	for i, c := range cols {
		if c.grow && ws[i] > 0 {
			ws[i] = max(ws[i]+w-total, 4)
			break
		}
	}
	return ws
}

func cell(l line, w int, right bool) line {
	return l.cell(make(line, 0, len(l)+1), w, right)
}

// cell puts the line behind what another one holds, in w columns.
func (l line) cell(out line, w int, right bool) line {
	if right {
		if n := l.size(); n < w {
			return append(append(out, span{blanks(w - n), inkText}), l...)
		}
	}
	return l.onto(out, w)
}

// widest is the width of the widest of some words, within bounds.
func widest(words []string, least, most int) int {
	n := least
	for _, s := range words {
		n = max(n, width(clean(s)))
	}
	return min(n, most)
}
