package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"homelab/tui/display"
)

// The keys of a log, beside those that scroll.
var (
	keyWrap    = bind("w", "", "wrap long lines, or cut them")
	keyStamps  = bind("t", "", "times before the lines, or none")
	keyFind    = bind("/", "find", "find in the log; n and N for the next and the one before")
	keyFound   = bind("n", "next", "the next line that was found", "n")
	keyFoundB  = bind("N", "", "the line that was found before", "N")
	keyFull    = bind("F", "less", "the log alone, or with the rest", "F")
	keySaveLog = bind("S", "", "the command that saves the log, copied to your clipboard", "S")
)

// searcher is a screen whose text is searched by the filter's line.
type searcher interface{ find(words string) }

// find goes to the first line from the top of the window on that holds the
// words; none takes the search away.
func (l *logView) find(words string) {
	l.query = strings.ToLower(words)
	l.next(0, 1)
}

// next goes to the next line that holds what is searched, step by step (1 down,
// -1 up), and tells whether there is one.
func (l *logView) next(from, step int) bool {
	if l.query == "" {
		return false
	}
	n := len(l.lines)
	for i := range n {
		at := ((l.top+l.hit+from+i*step)%n + n) % n
		if strings.Contains(strings.ToLower(l.lines[at].text), l.query) {
			end := max(n-l.h, 0)
			l.top = max(min(at-l.h/2, end), 0)
			l.hit, l.free = at-l.top, true
			return true
		}
	}
	return false
}

// marked splits a line where it holds what is searched.
func (l *logView) marked(s string, i ink) line {
	if l.query == "" || !plain(s) {
		return line{{s, i}}
	}
	var out line
	for low := strings.ToLower(s); ; {
		at := strings.Index(low, l.query)
		if at < 0 {
			return append(out, span{s, i})
		}
		end := at + len(l.query)
		out = append(out, span{s[:at], i}, span{s[at:end], inkCursor})
		s, low = s[end:], low[end:]
	}
}

// logActions are the keys of a run's log.
func (s *runScreen) logActions() []action {
	toggle := func(b *bool, again bool) func(a *app) tea.Cmd {
		return func(*app) tea.Cmd {
			*b = !*b
			if again {
				s.log.w = -1 // laid out anew when it is drawn
			}
			return nil
		}
	}
	next := func(from, step int) func(a *app) tea.Cmd {
		return func(a *app) tea.Cmd {
			if !s.log.next(from, step) {
				return a.say(inkDim, signNone, either(s.log.query == "", "nothing is searched: / does", "there is no "+s.log.query+" in the log"))
			}
			return nil
		}
	}
	return []action{
		{binding: keyFind, do: func(a *app) tea.Cmd {
			in := newInput(s.log.query)
			a.filter = &in
			return nil
		}},
		action{binding: keyFound, do: next(1, 1)}.only(s.log.query != ""),
		{binding: keyFoundB, do: next(-1, -1)},
		{binding: keyWrap, do: toggle(&s.log.cuts, true)},
		{binding: keyStamps, do: toggle(&s.log.bare, true)},
		action{binding: keyFull, do: toggle(&s.full, false)}.only(s.full),
		{binding: keySaveLog, do: func(a *app) tea.Cmd {
			c := runCopies(a, s.id)[0]
			return tea.Batch(display.Write(ansi.SetSystemClipboard(c.text)), a.say(inkGood, signDone, "copied: "+c.text))
		}},
	}
}

func (s *runScreen) find(words string) { s.log.find(words) }
