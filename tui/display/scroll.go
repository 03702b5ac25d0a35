package display

// leastMoved is how many lines have to have moved together for it to be worth
// moving them.
const leastMoved = 4

// scroll moves the lines of the terminal that only stand somewhere else, and
// old with them.
func (p *painter) scroll(old, new []string) {
	from, to, by := moved(old, new)
	if by == 0 {
		return
	}
	top, bottom := min(from, from+by), max(to, to+by)
	p.csi('r', top+1, bottom)
	p.y = unknown // the cursor has moved
	p.move(0, top)
	n, final := by, byte('M') // the lines go up: those above them are deleted
	if by < 0 {
		n, final = -by, 'L'
	}
	p.csi(final, n)
	p.buf.WriteString("\x1b[r")
	p.y = unknown
	if by > 0 {
		copy(old[top:bottom], old[top+by:bottom])
		clear(old[bottom-by : bottom])
	} else {
		copy(old[top-by:bottom], old[top:bottom+by])
		clear(old[top : top-by])
	}
}

// moved finds the most lines that have moved together: new[from:to] is what
// old[from+by:to+by] was.
func moved(old, new []string) (from, to, by int) {
	if differing(old, new) < leastMoved {
		return 0, 0, 0
	}
	where := make(map[string]int, len(old)) // -1 is more than once
	for i, l := range old {
		if _, twice := where[l]; twice {
			where[l] = -1
		} else {
			where[l] = i
		}
	}
	for i := 0; i < len(new); {
		j, ok := where[new[i]]
		if !ok || j < 0 || j == i {
			i++
			continue
		}
		end := i + 1
		for end < len(new) && end+j-i < len(old) && new[end] == old[end+j-i] && new[end] != old[end] {
			end++
		}
		if end-i >= leastMoved && end-i > to-from {
			from, to, by = i, end, j-i
		}
		i = end
	}
	return from, to, by
}

func differing(old, new []string) int {
	n := 0
	for i := range new {
		if old[i] != new[i] {
			n++
		}
	}
	return n
}
