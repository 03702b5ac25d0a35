package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"charm.land/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// agents knows the connected agents: at most one of each hypervisor, the one
// that came last.
type agents struct {
	s *Server

	mu      sync.Mutex
	conns   map[string]*agentConn
	entered chan struct{} // closed, and made anew, when one connects
}

func newAgents(s *Server) *agents {
	return &agents{s: s, conns: map[string]*agentConn{}, entered: make(chan struct{})}
}

// get returns the agent of a hypervisor, nil if it is not connected.
func (a *agents) get(hypervisor string) *agentConn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns[hypervisor]
}

// enter makes conn the agent of its hypervisor; an older one is ended.
func (a *agents) enter(conn *agentConn) {
	a.mu.Lock()
	old := a.conns[conn.hypervisor]
	a.conns[conn.hypervisor] = conn
	close(a.entered)
	a.entered = make(chan struct{})
	a.mu.Unlock()
	if old != nil {
		old.end(errors.New("a newer connection of this agent took over"))
	}
	a.s.observed.update(conn.hypervisor, func(st *model.HypervisorStatus) {
		st.Agent, st.AgentSince, st.AgentVersion, st.Facts = model.AgentOnline, conn.since.UTC(), conn.hello.AgentVersion, conn.hello.Facts
		st.AgentOld = a.s.older(conn.hypervisor, conn.hello)
	})
	a.s.reconcile.kick(conn.hypervisor)
}

// leave forgets conn, unless a newer one took over.
func (a *agents) leave(conn *agentConn) {
	a.mu.Lock()
	current := a.conns[conn.hypervisor] == conn
	if current {
		delete(a.conns, conn.hypervisor)
	}
	a.mu.Unlock()
	if !current {
		return
	}
	_, joined := a.s.store.State().Agents[conn.hypervisor]
	a.s.observed.update(conn.hypervisor, func(st *model.HypervisorStatus) {
		st.Agent, st.AgentSince = model.AgentOffline, time.Now().UTC()
		if !joined {
			st.Agent, st.AgentVersion, st.AgentOld, st.Facts = model.AgentNever, "", "", model.Facts{}
		}
		st.Guests, st.Load, st.Lock = unseen(st.Guests), nil, nil
	})
	a.s.reconcile.kick(conn.hypervisor)
}

// unseen are guests that nobody reports any more: they were there.
func unseen(guests []model.Guest) []model.Guest {
	gone := make([]model.Guest, len(guests))
	for i, g := range guests {
		g.State, g.Since, g.OffBy = model.GuestUnknown, time.Time{}, time.Time{}
		gone[i] = g
	}
	return gone
}

// order gives an order to a hypervisor's agent and waits until it has taken
// it, or refused.
func (a *agents) order(ctx context.Context, hypervisor string, frame wire.Frame) error {
	conn := a.get(hypervisor)
	if conn == nil {
		return fmt.Errorf("the agent of %s is not connected", hypervisor)
	}
	return conn.order(ctx, frame)
}

// queued is how many frames may wait for an agent that does not read.
const queued = 64

// agentConn is one connection of one agent.
type agentConn struct {
	hypervisor string
	hello      wire.Hello
	since      time.Time
	sess       ssh.Session
	out        chan wire.Frame
	done       chan struct{}                // closed by end
	lost       atomic.Pointer[[]model.Disk] // disks whose files are not there
	running    atomic.Int64                 // guests that are not off, by the last report; -1: it has not reported yet

	mu         sync.Mutex
	why        error // that it ended
	orders     uint64
	waiting    map[uint64]chan error
	lastRecord time.Time
}

func newAgentConn(hypervisor string, hello wire.Hello, sess ssh.Session) *agentConn {
	now := time.Now()
	c := &agentConn{
		hypervisor: hypervisor, hello: hello, since: now, sess: sess, lastRecord: now,
		out: make(chan wire.Frame, queued), done: make(chan struct{}), waiting: map[uint64]chan error{},
	}
	c.running.Store(-1)
	return c
}

// end ends the connection; the first reason counts.
func (c *agentConn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	c.why = why
	close(c.done)
}

// ended tells whether it is over.
func (c *agentConn) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// reason is why it ended.
func (c *agentConn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// send queues a frame. It never waits: an agent that does not read is ended.
func (c *agentConn) send(frame wire.Frame) error {
	select {
	case <-c.done:
		return fmt.Errorf("the agent of %s is not connected", c.hypervisor)
	default:
	}
	select {
	case c.out <- frame:
		return nil
	default:
		err := errors.New("the agent does not read")
		c.end(err)
		return err
	}
}

// order sends a numbered frame and waits for its result.
func (c *agentConn) order(ctx context.Context, frame wire.Frame) error {
	answer := make(chan error, 1)
	c.mu.Lock()
	c.orders++
	frame.Order = c.orders
	c.waiting[frame.Order] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, frame.Order)
		c.mu.Unlock()
	}()
	if err := c.send(frame); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-c.done:
		select {
		case err := <-answer: // it was its last word
			return err
		default:
		}
		return fmt.Errorf("the connection to the agent of %s was lost before it answered", c.hypervisor)
	case <-ctx.Done():
		return fmt.Errorf("the agent of %s did not answer in time", c.hypervisor)
	}
}

// result hands the answer to an order to whoever waits for it.
func (c *agentConn) result(frame wire.Frame) {
	c.mu.Lock()
	answer := c.waiting[frame.Order]
	delete(c.waiting, frame.Order)
	c.mu.Unlock()
	if answer == nil {
		return
	}
	if frame.Error != "" {
		answer <- fmt.Errorf("%s: %s", c.hypervisor, frame.Error)
		return
	}
	answer <- nil
}

// gone are the disks of ours whose files are not there.
func (c *agentConn) gone() []model.Disk {
	if p := c.lost.Load(); p != nil {
		return *p
	}
	return nil
}

// recorded notes that records were heard.
func (c *agentConn) recorded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastRecord = time.Now()
}

// quietSince is since when no record was heard.
func (c *agentConn) quietSince() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastRecord
}
