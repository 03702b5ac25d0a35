// Package console shares the serial consoles of guests among people: all who watch
// one see the same, one of them has the keyboard, and Ctrl-] begins what is said to
// the server.
//
// It promises that a person who does not read holds up neither the guest nor the
// others, and that a terminal is left as it was found.
//
// It does not know how a guest is reached, nor who may do so.
package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"homelab/model"
)

const (
	openTime   = 25 * time.Second // to open one, libvirt's calls included
	keepRecent = 8 << 10          // bytes that somebody who joins is shown
	keepTyped  = 64               // pieces that may wait for a guest that reads nothing
)

// Channel passes bytes between a guest and its viewers. At its end Stderr says why
// the guest ended it; nothing if it was not the guest.
type Channel interface {
	io.ReadWriteCloser
	Stderr() io.ReadWriter
}

// Consoles are those that people are attached to. All who watch a guest share
// one channel to it; it is closed when the last of them has left.
type Consoles struct {
	open func(context.Context, model.VM) (Channel, error)

	mu sync.Mutex
	by map[string]*console // by the VM's ID
}

// New makes consoles of guests that open reaches.
func New(open func(context.Context, model.VM) (Channel, error)) *Consoles {
	return &Consoles{open: open, by: map[string]*console{}}
}

// console is one guest's: what it says goes to all viewers, what the one who
// has the keyboard types goes to it.
type console struct {
	vm     model.VM
	typed  chan []byte
	ended  chan struct{} // closed at its end
	cancel context.CancelFunc
	why    string // it ended; err if it was not the guest's doing
	err    error

	mu      sync.Mutex
	viewers []*viewer
	writer  *viewer // has the keyboard; nil is nobody
	open    bool
	recent  []byte // what it said last
}

// enter attaches a viewer, and opens the console if it is the first.
func (c *Consoles) enter(vm model.VM, v *viewer) *console {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.by[vm.ID]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &console{vm: vm, typed: make(chan []byte, keepTyped), ended: make(chan struct{}), cancel: cancel}
		c.by[vm.ID] = one
		// It ends with the console, or when the last viewer has left. It begins
		// once there is a viewer, who would miss what the guest says first.
		defer func() { go c.run(ctx, one) }()
	}
	one.enter(v)
	return one
}

// leave lets go of a viewer, and of the console after the last.
func (c *Consoles) leave(one *console, v *viewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one.leave(v) {
		c.forget(one)
	}
}

// forget lets nobody join a console any more and ends it.
func (c *Consoles) forget(one *console) {
	if c.by[one.vm.ID] == one {
		delete(c.by, one.vm.ID)
	}
	one.cancel()
}

// run opens a console and hands out what it says until it ends.
func (c *Consoles) run(ctx context.Context, one *console) {
	one.why, one.err = c.pass(ctx, one)
	c.mu.Lock()
	c.forget(one)
	c.mu.Unlock()
	close(one.ended)
}

func (c *Consoles) pass(ctx context.Context, one *console) (why string, err error) {
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	ch, err := c.open(opening, one.vm)
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { ch.Close() })()
	one.opened()
	words := make(chan string, 1)
	go func() { // ends with the channel
		text, _ := io.ReadAll(io.LimitReader(ch.Stderr(), 4096))
		words <- string(text)
	}()
	var typing sync.WaitGroup
	defer typing.Wait()
	heard := make(chan struct{})
	defer close(heard)
	typing.Go(func() { one.toGuest(ch, heard) })
	one.fromGuest(ch)
	ch.Close()
	if why = <-words; why == "" {
		err = fmt.Errorf("the connection to the agent of %s was lost", one.vm.Hypervisor)
	}
	return why, err
}

// toGuest passes on what was typed until no more is heard of the guest.
func (c *console) toGuest(ch io.Writer, heard <-chan struct{}) {
	for {
		select {
		case <-heard:
			return
		case p := <-c.typed:
			if _, err := ch.Write(p); err != nil {
				return
			}
		}
	}
}

// fromGuest hands what the guest says to all viewers.
func (c *console) fromGuest(ch io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := ch.Read(buf)
		if n > 0 {
			c.said(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (c *console) said(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent = append(c.recent, p...)
	if more := len(c.recent) - keepRecent; more > 0 {
		c.recent = append(c.recent[:0], c.recent[more:]...)
	}
	for _, v := range c.viewers {
		v.put(p)
	}
}

// opened greets those who have waited for it.
func (c *console) opened() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = true
	for _, v := range c.viewers {
		c.greet(v)
	}
}

func (c *console) greet(v *viewer) {
	text := "this is the console of " + c.vm.Name + " on " + c.vm.Hypervisor
	switch {
	case v == c.writer:
		v.note(text + "; Ctrl-] then q leaves, ? tells more")
	case v.canType:
		v.note(text + "; " + c.keyboard() + "; Ctrl-] then w takes it, q leaves, ? tells more")
	default:
		v.note(text + ", to watch; " + c.keyboard())
	}
	if _, line, ok := bytes.Cut(c.recent, []byte("\n")); ok {
		v.put(line)
	}
}

// keyboard says who has it.
func (c *console) keyboard() string {
	if c.writer == nil {
		return "nobody has the keyboard"
	}
	return c.writer.who + " has the keyboard"
}

// enter lets a viewer watch, and type if nobody does.
func (c *console) enter(v *viewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewers = append(c.viewers, v)
	if c.writer == nil && v.wants {
		c.writer = v
	}
	for _, other := range c.viewers {
		if other != v {
			other.note(v.who + " has joined")
		}
	}
	if c.open {
		c.greet(v)
	}
}

// leave tells whether it was the last.
func (c *console) leave(v *viewer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewers = slices.DeleteFunc(c.viewers, func(o *viewer) bool { return o == v })
	text := v.who + " has left"
	if c.writer == v {
		c.writer = nil
		text += ": nobody has the keyboard; Ctrl-] then w takes it"
	}
	for _, other := range c.viewers {
		other.note(text)
	}
	return len(c.viewers) == 0
}

// take gives a viewer the keyboard.
func (c *console) take(v *viewer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.writer
	if c.writer = v; old == v {
		v.note("you have the keyboard already")
		return
	}
	for _, other := range c.viewers {
		switch other {
		case v:
			v.note("you have the keyboard")
		case old:
			other.note(v.who + " has taken the keyboard; Ctrl-] then w takes it back")
		default:
			other.note(v.who + " has the keyboard")
		}
	}
}

// write passes on what a viewer typed, if it has the keyboard and the guest
// reads; else the viewer hears why not.
func (c *console) write(v *viewer, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writer != v {
		v.refuse(c.keyboard() + "; Ctrl-] then w takes it")
		return
	}
	select {
	case c.typed <- bytes.Clone(p):
	default:
		v.refuse("the guest reads nothing: what you type is lost")
	}
}

// people says who is there.
func (c *console) people() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := c.keyboard()
	for _, v := range c.viewers {
		if v != c.writer {
			text += ", " + v.who + " watches"
		}
	}
	return text
}
