package console

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"homelab/model"
)

// played is the server's end of a channel to a guest that the test plays.
type played struct {
	net.Conn
	why *bytes.Buffer
}

func (p played) Stderr() io.ReadWriter { return p.why }

// seen is what a viewer's terminal was written.
type seen struct {
	mu   sync.Mutex
	more *sync.Cond
	text strings.Builder
}

func newSeen() *seen {
	s := &seen{}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more.Broadcast()
	return s.text.Write(p)
}

// waits until it was written what is waited for, and returns all.
func (s *seen) waits(what string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !strings.Contains(s.text.String(), what) {
		s.more.Wait()
	}
	return s.text.String()
}

// stuck is a terminal that takes nothing until it is let go.
type stuck struct{ letGo, writes chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	select {
	case s.writes <- struct{}{}:
	default:
	}
	<-s.letGo
	return len(p), nil
}

// A viewer who does not read delays neither the guest nor another viewer, and
// without a terminal the console is watched as it is.
func TestSlowViewer(t *testing.T) {
	server, guest := net.Pipe()
	c := New(func(context.Context, model.VM) (Channel, error) { return played{server, &bytes.Buffer{}}, nil })
	vm, may := model.VM{ID: "1", Name: "web", Hypervisor: "pad"}, func() error { return nil }

	slow := stuck{letGo: make(chan struct{}), writes: make(chan struct{}, 1)}
	ctx, leave := context.WithCancel(t.Context())
	var viewers sync.WaitGroup
	watch := func(who string, out io.Writer, size func() (int, int)) {
		viewers.Go(func() { _, _ = c.Attach(ctx, vm, who, true, model.Terminal{Out: out, Size: size}, may) })
	}
	watch("stuck", slow, func() (int, int) { return 80, 24 })
	<-slow.writes // it has begun, and is stuck from now on
	fast := newSeen()
	watch("fast", fast, nil)
	go func() {
		line := []byte(strings.Repeat("x", 1022) + "\r\n")
		for range 3 * viewerBuffer / len(line) {
			_, _ = guest.Write(line)
		}
		_, _ = io.WriteString(guest, "the end")
	}()
	if text := fast.waits("the end"); strings.Contains(text, "homelab:") {
		t.Error("without a terminal there is more than the guest said")
	}
	c.mu.Lock()
	for _, v := range c.by[vm.ID].viewers {
		if v.who == "stuck" {
			if p := v.take(); len(p) > viewerBuffer+1024 || !bytes.Contains(p, []byte("your terminal is slow")) {
				t.Errorf("%d bytes waited", len(p))
			}
		}
	}
	c.mu.Unlock()
	leave()
	close(slow.letGo)
	viewers.Wait()
	if _, err := guest.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the last viewer: %v", err)
	}
}

// Who opens a console hears what the guest says first, however fast it is open.
func TestTheFirstWordsAreHeard(t *testing.T) {
	vm, may := model.VM{ID: "1", Name: "web", Hypervisor: "pad"}, func() error { return nil }
	for range 2000 {
		server, guest := net.Pipe()
		c := New(func(context.Context, model.VM) (Channel, error) { return played{server, &bytes.Buffer{}}, nil })
		var said, watching sync.WaitGroup
		said.Go(func() { _, _ = io.WriteString(guest, "login: ") })
		ctx, leave := context.WithCancel(t.Context())
		out := newSeen()
		watching.Go(func() { _, _ = c.Attach(ctx, vm, "ada", true, model.Terminal{Out: out}, may) })
		out.waits("login: ")
		leave()
		said.Wait()
		watching.Wait()
	}
}
