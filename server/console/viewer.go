package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"homelab/model"
)

// viewerBuffer is how many bytes may wait for a viewer who does not read.
const viewerBuffer = 256 << 10

// refusePause is how often a viewer is told that what it types is lost.
const refusePause = 3 * time.Second

// viewer is one person's terminal at a console. What it does not read in time
// it misses: it holds up neither the guest nor the others.
type viewer struct {
	who     string
	canType bool // it may have the keyboard
	wants   bool // it takes the keyboard if it is free
	bare    bool // it is no terminal: what the guest says and nothing else

	wake chan struct{}

	mu      sync.Mutex
	buf     []byte
	missed  bool
	drawn   bool      // control sequences were among it
	refused time.Time // when it was told last that what it types is lost
}

func newViewer(who string, wants bool, t model.Terminal) *viewer {
	return &viewer{who: who, canType: t.In != nil, wants: wants && t.In != nil, bare: t.Size == nil, wake: make(chan struct{}, 1)}
}

// put adds to what the viewer is shown.
func (v *viewer) put(p []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.buf)+len(p) > viewerBuffer {
		v.buf, v.missed = v.buf[:0], true
	}
	v.buf = append(v.buf, p...)
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// note tells the viewer something that the guest does not say.
func (v *viewer) note(text string) {
	if !v.bare {
		v.put(aside(text))
	}
}

func aside(text string) []byte { return []byte("\r\n[homelab: " + text + "]\r\n") }

// refuse says why what the viewer types is lost: in words now and then, else by
// the bell.
func (v *viewer) refuse(why string) {
	v.mu.Lock()
	again := time.Since(v.refused) < refusePause
	if !again {
		v.refused = time.Now()
	}
	v.mu.Unlock()
	if again {
		v.put([]byte{'\a'})
		return
	}
	v.note(why)
}

// take returns what waits.
func (v *viewer) take() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.buf
	if v.missed && !v.bare {
		p = append(aside("your terminal is slow: some of what the guest said is missing here"), p...)
	}
	v.buf, v.missed = nil, false
	v.drawn = v.drawn || bytes.ContainsRune(p, 0x1b)
	return p
}

// saneTerminal undoes what a full-screen program may have left: it leaves the
// alternate screen, shows the cursor, and ends modes of mouse, paste and keys.
const saneTerminal = "\x1b[?1047l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\x1b[?7h\x1b7\x1b[r\x1b8\x1b(B\x1b[m\x0f"

// sane is what makes the viewer's terminal as it was.
func (v *viewer) sane() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.bare:
		return nil
	case !v.drawn:
		return []byte("\r\n")
	}
	return []byte(saneTerminal + "\r\n")
}

// errLeft ends a viewer who has asked for it.
var errLeft = errors.New("left")

// Attach shows a VM's console on a person's terminal until the person leaves, or
// the console ends, and why is told. Who does not only watch has the keyboard if
// nobody else has it. May is asked all the time; its error ends it.
func (c *Consoles) Attach(ctx context.Context, vm model.VM, who string, watch bool, t model.Terminal, may func() error) (why string, err error) {
	v := newViewer(who, !watch, t)
	one := c.enter(vm, v)
	defer c.leave(one, v)
	defer func() { _, _ = t.Out.Write(v.sane()) }()
	typed := make(chan error, 1)
	if t.In != nil {
		go func() { typed <- one.read(v, t, may) }() // ends with the terminal's input
	}
	for {
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case err := <-typed:
			if errors.Is(err, errLeft) {
				return "", nil
			}
			return "", err
		case <-one.ended:
			_, _ = t.Out.Write(v.take())
			return one.why, one.err
		case <-v.wake:
			if err := may(); err != nil {
				return "", err
			}
			if _, err := t.Out.Write(v.take()); err != nil {
				return "", err
			}
		}
	}
}

// unreader takes back what was typed after the end of what it was typed for.
type unreader interface{ Unread(p []byte) }

// read obeys what is typed until the terminal's input ends.
func (c *console) read(v *viewer, t model.Terminal, may func() error) error {
	buf := make([]byte, 1024)
	for esc := (escape{}); ; {
		n, err := t.In.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			if err := may(); err != nil {
				return err
			}
			var data []byte
			var request byte
			if data, request, rest = esc.next(rest); len(data) > 0 {
				c.write(v, data)
			}
			if request == escapeLeave {
				if in, ok := t.In.(unreader); ok {
					in.Unread(rest)
				}
				return errLeft
			}
			c.obey(v, request, t)
		}
		if err != nil {
			return errLeft
		}
	}
}

// obey does what a viewer asks for.
func (c *console) obey(v *viewer, request byte, t model.Terminal) {
	switch request {
	case escapeWrite:
		c.take(v)
	case escapeSize:
		if t.Size != nil {
			columns, rows := t.Size()
			c.write(v, fmt.Appendf(nil, "stty rows %d cols %d\r", rows, columns))
		}
	case escapeHelp:
		v.note(escapeText + "; " + c.people())
	}
}
