package server

import (
	"log/slog"
	"net"
	"sync"

	"charm.land/ssh"
)

// How many connections may be between accepted and known.
const (
	maxStrangers          = 256
	maxStrangersOfAddress = 64
)

// strangers are the connections that have not proved yet who they are. Their
// number is limited, in all and by address, so that nobody keeps others out by
// knocking.
type strangers struct {
	log *slog.Logger

	mu        sync.Mutex
	total     int
	byAddress map[string]int
}

// stranger is one such connection; it stops to be one when it is known, or
// closed.
type stranger struct {
	net.Conn
	leave func()
}

func (c *stranger) Close() error {
	c.leave()
	return c.Conn.Close()
}

type strangerKey struct{}

// admit lets a connection in, or returns nil: it is closed then.
func (s *strangers) admit(ctx ssh.Context, conn net.Conn) net.Conn {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxStrangers || s.byAddress[host] >= maxStrangersOfAddress {
		s.log.Debug("too many connections that are not known yet", "address", host, "total", s.total)
		return nil
	}
	if s.byAddress == nil {
		s.byAddress = map[string]int{}
	}
	s.total++
	s.byAddress[host]++
	c := &stranger{Conn: conn, leave: sync.OnceFunc(func() { s.leave(host) })}
	ctx.SetValue(strangerKey{}, c)
	return c
}

func (s *strangers) leave(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.byAddress[host]--; s.byAddress[host] == 0 {
		delete(s.byAddress, host)
	}
}

// known counts a connection no longer.
func (s *strangers) known(ctx ssh.Context) {
	if c, ok := ctx.Value(strangerKey{}).(*stranger); ok {
		c.leave()
	}
}
