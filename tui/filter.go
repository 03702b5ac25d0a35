package tui

import "strings"

// setFilter shows the rows that hold every word of the filter; a word that
// begins with ! must not be held.
func (l *list) setFilter(f string) {
	chosen, _ := l.key()
	l.filter = f
	l.match()
	l.choose(chosen)
}

func (l *list) match() {
	words := strings.Fields(strings.ToLower(l.filter))
	l.shown = l.shown[:0:0]
	for i, k := range l.keys {
		if l.search != nil {
			k = l.search[i]
		}
		if matches(k, words) {
			l.shown = append(l.shown, i)
		}
	}
	l.sel, l.unsorted = max(min(l.sel, len(l.shown)-1), 0), true
}

// matches tells whether a row holds every word: role:web by its fields, others
// by what they say. A word that begins with ! must not be held.
func matches(s string, words []string) bool {
	for _, w := range words {
		not := strings.HasPrefix(w, "!") && len(w) > 1
		if holds(s, strings.TrimPrefix(w, "!")) == not {
			return false
		}
	}
	return true
}

func holds(s, word string) bool {
	if strings.Contains(word, ":") {
		return strings.HasPrefix(s, word) || strings.Contains(s, " "+word)
	}
	for from := 0; from <= len(s); { // the names of the fields are not looked at
		at := strings.Index(s[from:], word)
		if at < 0 {
			return false
		}
		at += from
		token := strings.LastIndexByte(s[:at], ' ') + 1
		if name, _, is := strings.Cut(s[token:], ":"); !is || strings.Contains(name, " ") || at > token+len(name) {
			return true
		}
		from = at + 1
	}
	return false
}
