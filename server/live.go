package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"homelab/model"
)

// How much one person may have open at once, on all its connections, and how
// much an agent or an invite.
const (
	maxSessionsOfUser = 256
	maxConnsOfUser    = 256
	maxConnsOfMachine = 16
)

// live knows what is open: the connections of those who are known with their
// sessions, to show, to limit and to close them, and how to end each session of
// a person gently.
type live struct {
	entered chan struct{} // somebody is new

	mu       sync.Mutex
	conns    map[*visitor]*liveConn
	enders   map[*ender]struct{}
	stopping bool
	handlers sync.WaitGroup // of channels
}

// liveConn is a connection of somebody who is known.
type liveConn struct {
	credential
	who      identity
	client   string // as it calls itself
	since    time.Time
	sessions int
	doing    map[*string]struct{}
	used     bool // its invite was used up by it: it is let finish
}

// ender ends one session; done is closed when it has ended.
type ender struct {
	end  func()
	done chan struct{}
}

func newLive() *live {
	return &live{entered: make(chan struct{}, 1), conns: map[*visitor]*liveConn{}, enders: map[*ender]struct{}{}}
}

// enter notes who a connection is, unless it has too many already.
func (l *live) enter(v *visitor, who identity, c credential, client string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := maxConnsOfMachine
	if who.kind == isUser {
		most = maxConnsOfUser
	}
	if conns, _ := l.count(who); conns >= most {
		return fmt.Errorf("%s has %d connections, and may have no more at once", who, conns)
	}
	l.conns[v] = &liveConn{credential: c, who: who, client: client, since: time.Now().UTC(), doing: map[*string]struct{}{}}
	select {
	case l.entered <- struct{}{}:
	default:
	}
	return nil
}

// leave forgets a connection, and tells whether it was one of somebody who is
// known.
func (l *live) leave(v *visitor) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.conns[v]
	delete(l.conns, v)
	return ok
}

// count tells how many connections and sessions somebody has.
func (l *live) count(who identity) (conns, sessions int) {
	for _, c := range l.conns {
		if c.who.kind == who.kind && c.who.name == who.name {
			conns++
			sessions += c.sessions
		}
	}
	return conns, sessions
}

// open counts a session of a connection, or says why there may be no more.
func (l *live) open(v *visitor) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[v]
	switch {
	case c == nil || l.stopping:
		return fmt.Errorf("the server stops")
	case c.sessions >= maxSessions:
		return fmt.Errorf("a connection has at most %d sessions", maxSessions)
	}
	if _, sessions := l.count(c.who); sessions >= maxSessionsOfUser {
		return fmt.Errorf("%s has at most %d sessions", c.who, maxSessionsOfUser)
	}
	c.sessions++
	l.handlers.Add(1)
	return nil
}

func (l *live) closed(v *visitor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.handlers.Done()
	if c := l.conns[v]; c != nil {
		c.sessions--
	}
}

// doing notes what is open on a connection, until done is called.
func (l *live) doing(v *visitor, what string) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[v]
	if c == nil {
		return func() {}
	}
	c.doing[&what] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(c.doing, &what)
	}
}

// letFinish keeps a connection whose invite it has used.
func (l *live) letFinish(v *visitor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.conns[v]; c != nil {
		c.used = true
	}
}

// list tells who is connected, who came first before others.
func (l *live) list() []model.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]model.Session, 0, len(l.conns))
	for v, c := range l.conns {
		s := model.Session{
			Who: c.who.String(), Address: v.RemoteAddr().String(), Key: c.who.fingerprint, KeyName: c.who.key,
			Client: c.client, Since: c.since, Doing: []string{},
		}
		for what := range maps.Keys(c.doing) {
			s.Doing = append(s.Doing, *what)
		}
		slices.Sort(s.Doing)
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b model.Session) int { return a.Since.Compare(b.Since) })
	return all
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

// closeUnknown closes the connections of those who may not connect any more, or
// not as they are, and returns when the next of the others expires; zero is
// never.
func (l *live) closeUnknown(ids *identities, told func(who identity, address string, why error)) (next time.Time) {
	l.mu.Lock()
	gone := map[*visitor]error{}
	whose := map[*visitor]identity{}
	for v, c := range l.conns {
		if c.used {
			continue
		}
		who, err := ids.of(c.credential)
		switch {
		case err != nil:
		case who.kind != c.who.kind || who.kind != isUser && who.name != c.who.name:
			err = errors.New("its key is another's now")
		case who.restrict && !c.who.restrict:
			err = errors.New("its key is restricted now")
		default:
			if c.who = who; !who.expires.IsZero() && (next.IsZero() || who.expires.Before(next)) {
				next = who.expires
			}
			continue
		}
		gone[v], whose[v] = err, c.who
	}
	l.mu.Unlock()
	for v, why := range gone {
		told(whose[v], v.RemoteAddr().String(), why)
		v.Close()
	}
	return next
}
