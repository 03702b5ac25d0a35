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
	run     uint64
	after   uint64 // the last record read
	read    []model.Record
	lines   []logLine
	w       int // that lines are wrapped for
	top     int
	h       int
	free    bool // scrolled: it does not follow
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
		l.lines = append(l.lines, logLines(r, l.w)...)
	}
	if n := len(l.lines) - logMost; n > logMost/10 {
		l.lines = append([]logLine(nil), l.lines[n:]...)
		l.read = append([]model.Record(nil), l.read[max(len(l.read)-logMost, 0):]...)
		l.top = max(l.top-n, 0)
	}
}

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
	for n, t := range wrap(msg, w-stampWidth(w)) {
		ll := logLine{text: t, ink: colour}
		if n == 0 {
			ll.at = r.Time
		}
		out = append(out, ll)
	}
	return out
}

// stampWidth is what the time takes before a line; a phone has no room for it.
func stampWidth(w int) int {
	if w < 50 {
		return 0
	}
	return len("15:04:05 ")
}

// key scrolls and tells whether the key was meant for that.
func (l *logView) key(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "up", "k":
		l.top--
	case "down", "j":
		l.top++
	case "pgup", "ctrl+b", "b":
		l.top -= l.h - 1
	case "pgdown", "ctrl+f", "space":
		l.top += l.h - 1
	case "ctrl+u":
		l.top -= l.h / 2
	case "ctrl+d":
		l.top += l.h / 2
	case "home":
		l.top = 0
	case "end", "G", "f":
		l.top = len(l.lines)
	default:
		return false
	}
	end := max(len(l.lines)-l.h, 0)
	l.free = l.top < end
	l.top = max(min(l.top, end), 0)
	return true
}

func (l *logView) draw(a *app, w, h int) []line {
	if w != l.w {
		l.w = w
		l.lines = l.lines[:0:0]
		for _, r := range l.read {
			l.lines = append(l.lines, logLines(r, w)...)
		}
	}
	l.h = h
	end := max(len(l.lines)-h, 0)
	if !l.free || l.top > end {
		l.top = end
	}
	out := make([]line, 0, h)
	for _, ll := range l.lines[l.top:min(l.top+h, len(l.lines))] {
		at := blanks(stampWidth(w))
		if !ll.at.IsZero() && at != "" {
			at = ll.at.In(a.now.Location()).Format("15:04:05 ")
		}
		out = append(out, line{{at, inkDim}, {ll.text, ll.ink}})
	}
	return out
}
