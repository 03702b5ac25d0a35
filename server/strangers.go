package server

import (
	"net"
	"net/netip"
	"sync"

	"charm.land/ssh"

	"homelab/model"
)

// How many connections may be between accepted and known.
const (
	maxStrangers          = 256
	maxStrangersOfAddress = 64
)

// strangers counts the connections that have not proved yet who they are.
// Their number is limited, in all and by address, so that nobody keeps others
// out by knocking.
type strangers struct {
	mu        sync.Mutex
	total     int
	byAddress map[string]int
}

// enter counts one more of an address, or says that there are too many.
func (s *strangers) enter(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxStrangers || s.byAddress[address] >= maxStrangersOfAddress {
		return false
	}
	if s.byAddress == nil {
		s.byAddress = map[string]int{}
	}
	s.total++
	s.byAddress[address]++
	return true
}

func (s *strangers) leave(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.byAddress[address]--; s.byAddress[address] == 0 {
		delete(s.byAddress, address)
	}
}

// visitor is one connection from accept to close. It is a stranger until it
// has proved who it is.
type visitor struct {
	net.Conn
	known  func() // it is a stranger no longer; may be called again
	closed func()
	first  sync.Once // session of it

	mu      sync.Mutex
	offered string // fingerprint of the last key that was refused
	why     string // that it was
}

func (v *visitor) Close() error {
	v.closed()
	return v.Conn.Close()
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

// admit lets a connection in, or returns nil: it is closed then.
func (s *Server) admit(ctx ssh.Context, conn net.Conn) net.Conn {
	remote := conn.RemoteAddr().String()
	address := neighbourhood(remote)
	if !s.strangers.enter(address) {
		s.audit.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: remote, What: "too many connections at once that are not known yet"})
		return nil
	}
	keepShort(conn)
	v := &visitor{Conn: conn}
	v.known = sync.OnceFunc(func() { s.strangers.leave(address) })
	v.closed = sync.OnceFunc(func() {
		v.known()
		if s.live.leave(v) {
			return
		}
		offered, why := v.refusal()
		s.audit.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: remote, Key: offered, What: why})
	})
	ctx.SetValue(visitorKey{}, v)
	return v
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
