package server

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"homelab/model"
)

// How many connections may be between accepted and known.
const (
	maxStrangers          = 256
	maxStrangersOfAddress = 64
)

// An address is forgiven a stranger that left without having been known after
// forgiveness. With maxFailures of them not forgiven yet it is not let in: a
// flood costs a close each, and who mistook a key a few times notices nothing.
const (
	forgiveness = time.Second
	maxFailures = 100
)

// maxRemembered is how many addresses without a connection are remembered.
const maxRemembered = 4096

var (
	errStrangers = errors.New("too many connections at once that are not known yet")
	errFailures  = errors.New("too many connections of this address were not known: it has to wait a minute")
)

// strangers counts the connections that have not proved yet who they are.
// Their number is limited, in all and by address, so that nobody keeps others
// out by knocking.
type strangers struct {
	mu        sync.Mutex
	total     int
	byAddress map[string]*neighbour
}

// neighbour is an address that strangers come from.
type neighbour struct {
	open     int       // strangers
	forgiven time.Time // when all that failed is forgiven
}

// enter counts one more of an address, or says why it may not be.
func (s *strangers) enter(address string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.byAddress[address]
	switch {
	case n != nil && n.forgiven.Sub(now) >= maxFailures*forgiveness:
		return errFailures
	case s.total >= maxStrangers, n != nil && n.open >= maxStrangersOfAddress:
		return errStrangers
	}
	if n == nil {
		s.forget(now)
		n = &neighbour{}
		s.byAddress[address] = n
	}
	s.total++
	n.open++
	return nil
}

// forget makes room for one more address.
func (s *strangers) forget(now time.Time) {
	if s.byAddress == nil {
		s.byAddress = map[string]*neighbour{}
	}
	if len(s.byAddress) < maxRemembered {
		return
	}
	for address, n := range s.byAddress {
		if n.open == 0 && !n.forgiven.After(now) {
			delete(s.byAddress, address)
		}
	}
	for address, n := range s.byAddress { // a flood of addresses: any of them
		if len(s.byAddress) < maxRemembered {
			return
		}
		if n.open == 0 {
			delete(s.byAddress, address)
		}
	}
}

// leave ends the count of one, which is known now or has failed.
func (s *strangers) leave(address string, failed bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	n := s.byAddress[address]
	n.open--
	if failed {
		if n.forgiven.Before(now) {
			n.forgiven = now
		}
		n.forgiven = n.forgiven.Add(forgiveness)
	}
}

// door is where connections come in. Strangers that are too many are closed at
// it, before anything is made for them.
type door struct {
	net.Listener
	admit func(net.Conn) (*visitor, error)
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if v, err := d.admit(conn); err == nil {
			return v, nil
		}
		conn.Close()
		runtime.Gosched() // who knocks without end takes no turn of others
	}
}

// visitor is one connection from accept to close. It is a stranger until it
// has proved who it is. What a stranger sends is worked on in turns, a few
// strangers at once, because a key exchange takes much from a small machine.
type visitor struct {
	net.Conn
	known  func() // it is a stranger no longer; may be called again
	closed func()
	first  sync.Once // session of it

	turns    chan struct{} // that are taken; shared by all
	stranger atomic.Bool
	turn     atomic.Bool   // it has one
	over     chan struct{} // closed with the connection

	mu      sync.Mutex
	offered string // fingerprint of the last key that was refused
	why     string // that it was
}

// Read ends the turn in which the last bytes were worked on, and waits for one
// in which these are.
func (v *visitor) Read(p []byte) (int, error) {
	v.endTurn()
	n, err := v.Conn.Read(p)
	if err == nil && v.stranger.Load() {
		v.takeTurn()
	}
	return n, err
}

// Write ends the turn: nobody has one while it waits for the network.
func (v *visitor) Write(p []byte) (int, error) {
	v.endTurn()
	return v.Conn.Write(p)
}

func (v *visitor) Close() error {
	v.closed()
	return v.Conn.Close()
}

func (v *visitor) takeTurn() {
	select {
	case v.turns <- struct{}{}:
		v.turn.Store(true)
	case <-v.over:
		return
	}
	select {
	case <-v.over: // its Close may have looked before the turn was taken
		v.endTurn()
	default:
	}
}

func (v *visitor) endTurn() {
	if v.turn.CompareAndSwap(true, false) {
		<-v.turns
	}
}

// refused notes why a key that was offered is not let in.
func (v *visitor) refused(fingerprint string, why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.offered, v.why = fingerprint, why.Error()
}

func (v *visitor) refusal() (fingerprint, why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.why == "" {
		return "", "it left without showing a key"
	}
	return v.offered, v.why
}

type visitorKey struct{}

// visitorOf is the connection of a context.
func visitorOf(ctx interface{ Value(any) any }) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}

// admit lets a connection in as a stranger, or says why not.
func (s *Server) admit(conn net.Conn) (*visitor, error) {
	remote := conn.RemoteAddr().String()
	address := neighbourhood(remote)
	if err := s.strangers.enter(address, time.Now()); err != nil {
		s.audit.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: remote, What: err.Error()})
		return nil, err
	}
	keepShort(conn)
	v := &visitor{Conn: conn, turns: s.turns, over: make(chan struct{})}
	v.stranger.Store(true)
	var left sync.Once
	leave := func(failed bool) {
		left.Do(func() {
			v.stranger.Store(false)
			s.strangers.leave(address, failed, time.Now())
		})
		v.endTurn()
	}
	v.known = func() { leave(false) }
	v.closed = sync.OnceFunc(func() {
		close(v.over)
		leave(true)
		if s.live.leave(v) {
			return
		}
		offered, why := v.refusal()
		s.audit.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: remote, Key: offered, What: why})
	})
	return v, nil
}

// neighbourhood is what limits count as one address: of IPv6 the /64, which
// one machine has to itself.
func neighbourhood(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}
	return prefix.String()
}
