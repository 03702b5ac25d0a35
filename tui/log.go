package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

const (
	logPage = 1000  // records read at once
	logMost = 20000 // lines kept; older ones are let go
)

// logView is the log of a run: it grows while it is watched, and follows its
// end until it is scrolled.
type logView struct {
	reel
	run     uint64
	after   uint64 // the last record read
	read    []model.Record
	lines   []logLine
	w       int // that lines are wrapped for
	h       int
	free    bool // scrolled: it does not follow
	cuts    bool // long lines are cut, not wrapped
	bare    bool // without times
	query   string
	hit     int // the line in the window that was found last
	reading bool
	again   bool
}

type logLine struct {
	at   time.Time // zero in continuations
	text string
	ink  ink
}

// more reads what has been committed since; one reading at a time.
func (l *logView) more(a *app) tea.Cmd {
	if l.reading {
		l.again = true
		return nil
	}
	l.reading, l.again = true, false
	run, after := l.run, l.after
	return a.async(func(context.Context) done {
		recs, err := a.lab.Log(run, after, logPage)
		return func(a *app) tea.Cmd {
			l.reading = false
			if err != nil {
				return a.fail(err)
			}
			l.add(recs)
			if l.again || len(recs) == logPage {
				return l.more(a)
			}
			return nil
		}
	})
}

func (l *logView) add(recs []model.Record) {
	for _, r := range recs {
		if r.Seq <= l.after {
			continue
		}
		l.after = r.Seq
		if r.Message == "" && r.Error == "" {
			continue
		}
		l.read = append(l.read, r)
		l.lines = append(l.lines, l.lay(r)...)
	}
	if n := len(l.lines) - logMost; n > logMost/10 {
		l.lines = append([]logLine(nil), l.lines[n:]...)
		l.read = append([]model.Record(nil), l.read[max(len(l.read)-logMost, 0):]...)
		l.top = max(l.top-n, 0)
	}
}

// lay breaks a record into lines as they are shown.
func (l *logView) lay(r model.Record) []logLine {
	w := l.w - l.stamp()
	if l.cuts {
		w = 0
	}
	return logLines(r, w)
}

// logLines breaks a record into lines of w columns; 0 leaves them as they are.
func logLines(r model.Record, w int) []logLine {
	colour := inkText
	switch r.Level {
	case model.LevelWarn:
		colour = inkWarn
	case model.LevelError:
		colour = inkBad
	}
	msg := r.Message
	if msg == "" {
		msg, colour = r.Error, inkBad
	}
	var out []logLine
	for n, t := range wrap(msg, w) {
		ll := logLine{text: t, ink: colour}
		if n == 0 {
			ll.at = r.Time
		}
		out = append(out, ll)
	}
	return out
}

// stamp is what the time takes before a line; a phone has no room for it.
func (l *logView) stamp() int {
	if l.w < 50 || l.bare {
		return 0
	}
	return len("15:04:05 ")
}

// key scrolls and tells whether the key was meant for that. Two keys are as in
// less.
func (l *logView) key(k tea.KeyPressMsg) bool {
	l.page, l.end = l.h-1, max(len(l.lines)-l.h, 0)
	switch k.String() {
	case "b":
		l.top = max(l.top-l.page, 0)
	case "f":
		l.top = l.end
	default:
		if !l.scroll(k) {
			return false
		}
	}
	l.free, l.hit = l.top < l.end, 0
	return true
}

func (l *logView) draw(a *app, w, h int) []line {
	if w != l.w {
		l.w = w
		l.lines = l.lines[:0:0]
		for _, r := range l.read {
			l.lines = append(l.lines, l.lay(r)...)
		}
	}
	l.h = h
	end := max(len(l.lines)-h, 0)
	if !l.free || l.top > end {
		l.top = end
	}
	out := make([]line, 0, h)
	for _, ll := range l.lines[l.top:min(l.top+h, len(l.lines))] {
		at := blanks(l.stamp())
		if !ll.at.IsZero() && at != "" {
			at = ll.at.In(a.now.Location()).Format("15:04:05 ")
		}
		out = append(out, append(line{{at, inkDim}}, l.marked(ll.text, ll.ink)...))
	}
	return out
}
