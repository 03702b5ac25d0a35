// Package display draws a bubbletea program on a terminal at the other end of a
// network. It takes the place of bubbletea's own renderer, which wakes up sixty
// times a second for each session whether there is anything to draw or not, and
// keeps two buffers of cells a session; BenchmarkDashboard measures what that
// costs. This one draws when there is something new, at once, and remembers the
// lines that the terminal shows.
//
// A client that reads slowly gets fewer frames, never old ones, and the
// program's loop never waits for it.
package display

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// pause is the least time between the starts of two frames.
const pause = time.Second / 60

// What a terminal is put into, what it is asked first, and how it is left.
var (
	enter = ansi.SetModeAltScreenSaveCursor + ansi.ResetModeTextCursorEnable + ansi.SetModeBracketedPaste +
		ansi.SetModifyOtherKeys2 + ansi.PushKittyKeyboard(ansi.KittyDisambiguateEscapeCodes) +
		ansi.RequestModeSynchronizedOutput + ansi.RequestModeUnicodeCore
	leave = ansi.ResetStyle + mouseOff + ansi.ResetModeUnicodeCore + ansi.SetWindowTitle("") +
		ansi.PopKittyKeyboard(1) + ansi.ResetModifyOtherKeys + ansi.ResetModeBracketedPaste +
		ansi.SetModeTextCursorEnable + ansi.ResetModeAltScreenSaveCursor
)

const (
	mouseOn  = ansi.SetModeMouseButtonEvent + ansi.SetModeMouseExtSgr
	mouseOff = ansi.ResetModeMouseButtonEvent + ansi.ResetModeMouseExtSgr
)

// Display is what one terminal shows. Of a [tea.View] it knows the content, the
// window's title and whether the mouse is wanted; the cursor is hidden.
type Display struct {
	out  io.Writer
	wake chan struct{}
	stop chan struct{}
	done chan struct{} // closed when Run has ended

	mu    sync.Mutex
	view  tea.View // the newest
	w, h  int
	ready bool   // there is a view
	anew  bool   // what the terminal shows is not known
	sync  bool   // it can show a frame as one (mode 2026)
	aside []byte // to be written beside the frame
	lent  bool   // somebody else has the terminal

	drawing sync.Mutex // held while something is written
	shown   shown
}

// shown is what the terminal shows, as far as it was written.
type shown struct {
	entered bool
	lines   []string
	w       int
	title   string
	mouse   tea.MouseMode
}

// New is the screen of a terminal of w columns and h lines; nothing is written
// until [Display.Run].
func New(out io.Writer, w, h int) *Display {
	return &Display{out: out, w: w, h: h, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// Run draws until [Display.Close], or until the terminal is gone.
func (d *Display) Run() {
	defer close(d.done)
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-d.wake:
		}
		<-rest.C // since the frame before
		began := time.Now()
		wrote, err := d.draw()
		if err != nil {
			return
		}
		if wrote {
			rest.Reset(pause - time.Since(began))
		} else {
			rest.Reset(0) // a key that comes now need not wait
		}
	}
}

// Close draws what is new, gives the terminal back as it was, and ends Run. It
// waits for what is being written.
func (d *Display) Close() {
	close(d.stop)
	<-d.done
	if _, err := d.draw(); err == nil {
		_ = d.leave()
	}
}

// Lend leaves the terminal to somebody else until [Display.Return].
func (d *Display) Lend() {
	d.mu.Lock()
	d.lent = true
	d.mu.Unlock()
	_ = d.leave() // who is gone is noticed by the next who writes
}

// Return takes the terminal back and draws everything anew.
func (d *Display) Return() {
	d.mu.Lock()
	d.lent = false
	d.mu.Unlock()
	d.draws()
}

// draws has Run draw.
func (d *Display) draws() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// draw brings the terminal up to date with one write, if there is anything to.
func (d *Display) draw() (wrote bool, err error) {
	d.drawing.Lock()
	defer d.drawing.Unlock()
	d.mu.Lock()
	if d.lent || !d.ready {
		d.mu.Unlock()
		return false, nil
	}
	view, w, h, anew, whole, aside := d.view, d.w, d.h, d.anew, d.sync, d.aside
	d.anew, d.aside = false, nil
	d.mu.Unlock()

	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	d.shown.modes(buf, view)
	buf.Write(aside)
	at := buf.Len()
	if whole {
		buf.WriteString(ansi.SetModeSynchronizedOutput)
	}
	before := buf.Len()
	d.shown.content(buf, view.Content, w, h, anew)
	switch {
	case buf.Len() == before:
		buf.Truncate(at)
	case whole:
		buf.WriteString(ansi.ResetModeSynchronizedOutput)
	}
	if buf.Len() == 0 {
		return false, nil
	}
	_, err = d.out.Write(buf.Bytes())
	return true, err
}

// leave gives the terminal back as it was.
func (d *Display) leave() error {
	d.drawing.Lock()
	defer d.drawing.Unlock()
	if !d.shown.entered {
		return nil
	}
	d.shown = shown{}
	_, err := io.WriteString(d.out, leave)
	return err
}

// buffers are shared by all screens: each needs one only while it draws.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// modes brings all but the text up to date.
func (s *shown) modes(buf *bytes.Buffer, view tea.View) {
	if !s.entered {
		*s = shown{entered: true}
		buf.WriteString(enter)
	}
	if view.WindowTitle != s.title {
		buf.WriteString(ansi.SetWindowTitle(view.WindowTitle))
		s.title = view.WindowTitle
	}
	if view.MouseMode != s.mouse {
		if view.MouseMode == tea.MouseModeNone {
			buf.WriteString(mouseOff)
		} else {
			buf.WriteString(mouseOn)
		}
		s.mouse = view.MouseMode
	}
}

// content draws the lines that are not shown yet.
func (s *shown) content(buf *bytes.Buffer, content string, w, h int, anew bool) {
	lines := strings.SplitN(content, "\n", h+1)
	if len(lines) > h {
		lines = lines[:h]
	}
	for len(lines) < h {
		lines = append(lines, "")
	}
	if anew || s.w != w || len(s.lines) != h {
		s.lines, s.w = make([]string, h), w
		buf.WriteString(ansi.ResetStyle + ansi.EraseEntireScreen)
	}
	p := newPainter(buf, w)
	defer p.end()
	p.scroll(s.lines, lines)
	for y, l := range lines {
		if l != s.lines[y] {
			p.line(y, s.lines[y], l)
		}
	}
	s.lines = lines
}
