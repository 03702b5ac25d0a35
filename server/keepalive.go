package server

import (
	"context"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// keepalivePause is how often a session's client is asked whether it is still
// there, and how long it has to answer.
const keepalivePause = 15 * time.Second

// keepAlive asks a session's client now and then whether it is still there. It
// returns when ctx ends, or calls gone first when the session is closed or the
// client says nothing: then its connection is closed, because a stopped client
// never closes it. It asks on the session's channel, so that a client of a
// shared connection is noticed too.
func keepAlive(ctx context.Context, sess ssh.Session, pause time.Duration, gone func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() { // ends with the answer, or with the connection
			_, err := sess.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		timeout := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timeout.Stop()
			return
		case err := <-answered:
			timeout.Stop()
			if err != nil {
				gone()
				return
			}
		case <-timeout.C:
			closeConn(sess)
			gone()
			return
		}
	}
}

// closeConn closes the connection of a session.
func closeConn(sess ssh.Session) {
	if conn, ok := sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn); ok {
		conn.Close()
	}
}
