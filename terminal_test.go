package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/color"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/charmbracelet/x/xpty"
)

// terminal is a person's terminal: the system's own ssh client on a pty of its
// own, and an emulator that draws what comes and answers what is asked.
type terminal struct {
	t    *testing.T
	pty  xpty.Pty
	cmd  *exec.Cmd
	em   *vt.SafeEmulator
	clip chan string // what was copied to its clipboard
	done chan error
}

// openTerminal runs a command in a terminal of w columns and h lines.
func openTerminal(t *testing.T, w, h int, name string, args ...string) *terminal {
	t.Helper()
	pty, err := xpty.NewPty(w, h)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, pty: pty, cmd: exec.Command(name, args...), em: vt.NewSafeEmulator(w, h), clip: make(chan string, 10), done: make(chan error, 1)}
	x.em.RegisterOscHandler(52, x.copied)
	x.em.SetBackgroundColor(color.RGBA{0x18, 0x1a, 0x1f, 0xff})
	x.em.SetForegroundColor(color.RGBA{0xd7, 0xda, 0xe0, 0xff})
	x.cmd.Env = append(x.cmd.Environ(), "TERM=xterm-256color")
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // it hears of another size
	if err := pty.Start(x.cmd); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(x.em, pty) }() // ends with the pty
	go func() { _, _ = io.Copy(pty, x.em) }() // what the emulator answers; ends with it
	go func() { x.done <- xpty.WaitProcess(t.Context(), x.cmd) }()
	t.Cleanup(func() {
		_ = x.cmd.Process.Kill()
		_ = pty.Close()
		_ = x.em.InputPipe().(io.Closer).Close() // its own Close races with its Read
	})
	return x
}

// copied takes what is copied by OSC 52: "52;c;" and the text in base64.
func (x *terminal) copied(data []byte) bool {
	text, err := base64.StdEncoding.DecodeString(string(data[bytes.LastIndexByte(data, ';')+1:]))
	if err != nil {
		text = []byte("not base64: " + err.Error())
	}
	x.clip <- string(text)
	return true
}

// screen is what can be read on it.
func (x *terminal) screen() string { return ansi.Strip(x.em.Render()) }

// within waits for a condition on what can be read.
func (x *terminal) within(limit time.Duration, what string, cond func(screen string) bool) {
	x.t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond(x.screen()) {
		if time.Now().After(deadline) {
			x.t.Fatalf("waited %s for %s; the screen is\n%s", limit, what, x.screen())
		}
		<-tick.C
	}
}

// see waits until all of the words are on the screen.
func (x *terminal) see(words ...string) {
	x.t.Helper()
	for _, w := range words {
		x.within(time.Minute, fmt.Sprintf("%q", w), func(s string) bool { return strings.Contains(s, w) })
	}
}

// gone waits until the words are not on the screen any more.
func (x *terminal) gone(words string) {
	x.t.Helper()
	x.within(time.Minute, fmt.Sprintf("%q to go", words), func(s string) bool { return !strings.Contains(s, words) })
}

// row waits until a line holds all of the words.
func (x *terminal) row(words ...string) {
	x.t.Helper()
	x.within(2*time.Minute, fmt.Sprintf("a line with %q", words), func(s string) bool {
		for l := range strings.Lines(s) {
			has := true
			for _, w := range words {
				has = has && strings.Contains(l, w)
			}
			if has {
				return true
			}
		}
		return false
	})
}

// keyBytes are what terminals send for keys with a name.
var keyBytes = map[string]string{
	"enter": "\r", "esc": "\x1b", "tab": "\t", "space": " ", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
	"home": "\x1b[H", "end": "\x1b[F", "ctrl+s": "\x13", "ctrl+u": "\x15",
}

// press presses keys by their names; what has none is typed.
func (x *terminal) press(keys ...string) {
	x.t.Helper()
	for _, k := range keys {
		b, ok := keyBytes[k]
		if !ok {
			b = k
		}
		if _, err := io.WriteString(x.pty, b); err != nil {
			x.t.Fatal(err)
		}
	}
}

// resize is what dragging the window's corner does.
func (x *terminal) resize(w, h int) {
	x.t.Helper()
	x.em.Resize(w, h)
	if err := x.pty.Resize(w, h); err != nil {
		x.t.Fatal(err)
	}
}

// closed waits for the client to end well.
func (x *terminal) closed() {
	x.t.Helper()
	select {
	case err := <-x.done:
		if err != nil {
			x.t.Errorf("the client ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		x.t.Fatalf("the client did not end; the screen is\n%s", x.screen())
	}
}
