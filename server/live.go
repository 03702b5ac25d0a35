package server

import (
	"log/slog"
	"sync"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// live knows what is open: the connections with their sessions, to limit and
// to close them, and how to end each session of a person gently.
type live struct {
	mu       sync.Mutex
	conns    map[*gossh.ServerConn]*liveConn
	enders   map[*ender]struct{}
	stopping bool
	handlers sync.WaitGroup // of channels
}

type liveConn struct {
	ctx      ssh.Context
	sessions int
}

// ender ends one session; done is closed when it has ended.
type ender struct {
	end  func()
	done chan struct{}
}

func newLive() *live {
	return &live{conns: map[*gossh.ServerConn]*liveConn{}, enders: map[*ender]struct{}{}}
}

// open counts a session of a connection; false is one too many.
func (l *live) open(conn *gossh.ServerConn, ctx ssh.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[conn]
	if c == nil {
		c = &liveConn{ctx: ctx}
		l.conns[conn] = c
	}
	if c.sessions >= maxSessions || l.stopping {
		return false
	}
	c.sessions++
	l.handlers.Add(1)
	return true
}

func (l *live) closed(conn *gossh.ServerConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.handlers.Done()
	if c := l.conns[conn]; c != nil {
		if c.sessions--; c.sessions == 0 {
			delete(l.conns, conn)
		}
	}
}

// begin counts a handler, which may outlive its channel for a moment; false is
// that the server stops.
func (l *live) begin() (done func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		return nil, false
	}
	l.handlers.Add(1)
	return l.handlers.Done, true
}

// wait waits until nothing is handled any more, but no longer than patience.
func (l *live) wait(patience time.Duration) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-l.idle():
	case <-timeout.C:
	}
}

// idle is closed when nothing is handled any more.
func (l *live) idle() <-chan struct{} {
	idle := make(chan struct{})
	go func() { l.handlers.Wait(); close(idle) }() // ends with the last handler
	return idle
}

// onStop registers how to end a session when the server stops; the returned
// function says that it has ended. A server that stops already ends it now.
func (l *live) onStop(end func()) (ended func()) {
	e := &ender{end, make(chan struct{})}
	l.mu.Lock()
	l.enders[e] = struct{}{}
	stopping := l.stopping
	l.mu.Unlock()
	if stopping {
		end()
	}
	return func() {
		l.mu.Lock()
		delete(l.enders, e)
		l.mu.Unlock()
		close(e.done)
	}
}

// endSessions ends the sessions of people and waits for them, but no longer
// than patience: a client that reads nothing is cut.
func (l *live) endSessions(patience time.Duration) {
	l.mu.Lock()
	l.stopping = true
	enders := make([]*ender, 0, len(l.enders))
	for e := range l.enders {
		enders = append(enders, e)
	}
	l.mu.Unlock()
	for _, e := range enders {
		e.end()
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for _, e := range enders {
		select {
		case <-e.done:
		case <-timeout.C:
			return
		}
	}
}

// sessions counts those of people that are open.
func (l *live) sessions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.enders)
}

func (l *live) isStopping() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stopping
}

// closeUnknown closes the connections whose key is not known any more.
func (l *live) closeUnknown(ids *identities, log *slog.Logger) {
	l.mu.Lock()
	var gone []*gossh.ServerConn
	for conn, c := range l.conns {
		key, ok := c.ctx.Value(ssh.ContextKeyPublicKey).(ssh.PublicKey)
		if _, used := c.ctx.Value(usedInviteKey{}).(bool); used {
			continue
		}
		if ok {
			_, ok = ids.of(key)
		}
		if !ok {
			gone = append(gone, conn)
		}
	}
	l.mu.Unlock()
	for _, conn := range gone {
		log.Info("closed: its key may not connect any more", "address", conn.RemoteAddr().String())
		conn.Close()
	}
}
