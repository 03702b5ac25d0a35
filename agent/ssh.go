package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// handshakeTime is how long connecting may take, authentication included.
const handshakeTime = 15 * time.Second

// dial connects to an SSH server. Known is the type of the host key that it
// must have if that is known already, so that no other is negotiated. What the
// server asks of the connection is for the caller to answer.
func dial(ctx context.Context, address string, key ssh.Signer, check ssh.HostKeyCallback, known string) (*ssh.Client, <-chan *ssh.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	config := &ssh.ClientConfig{
		User:            "agent", // ignored: the key says who we are
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: check,
	}
	if known != "" {
		config.HostKeyAlgorithms = []string{known}
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, address, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("%s did not answer in %s", address, handshakeTime)
		}
		return nil, nil, err
	}
	none := make(chan *ssh.Request)
	close(none)
	return ssh.NewClient(c, chans, none), reqs, nil
}

// isRefused tells whether the server did not let our key in.
func isRefused(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unable to authenticate")
}

// subsystem is a channel on which the server runs a subsystem. The session of
// x/crypto/ssh is not made for subsystems: it loses exit status and stderr.
type subsystem struct {
	ssh.Channel
	ended chan struct{} // closed when no more can be learned of its end

	mu     sync.Mutex
	stderr strings.Builder
	status int // exit status, -1 if unknown
}

func openSubsystem(client *ssh.Client, name string) (*subsystem, error) {
	ch, reqs, err := client.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	s := &subsystem{Channel: ch, ended: make(chan struct{}), status: -1}
	var wg sync.WaitGroup
	wg.Go(func() { s.requests(reqs) })
	wg.Go(func() { s.errors(ch.Stderr()) })
	go func() { wg.Wait(); close(s.ended) }() // ends with the channel
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{name}))
	if err != nil {
		ch.Close()
		return nil, err
	}
	if !ok {
		ch.Close()
		return nil, fmt.Errorf("the server does not offer this agent the %q subsystem", name)
	}
	return s, nil
}

func (s *subsystem) requests(reqs <-chan *ssh.Request) {
	for req := range reqs {
		if req.Type == "exit-status" {
			var p struct{ Status uint32 }
			if ssh.Unmarshal(req.Payload, &p) == nil {
				s.mu.Lock()
				s.status = int(p.Status)
				s.mu.Unlock()
			}
		}
		if req.WantReply {
			_ = req.Reply(req.Type == "exit-status", nil)
		}
	}
}

func (s *subsystem) errors(r io.Reader) {
	b := make([]byte, 1024)
	for {
		n, err := r.Read(b)
		s.mu.Lock()
		if s.stderr.Len() < 4096 {
			s.stderr.Write(b[:n])
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// explain waits shortly for what the server has to say about the end of the
// channel, and makes that the error.
func (s *subsystem) explain(err error) error {
	select {
	case <-s.ended:
	case <-time.After(time.Second):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.TrimSpace(s.stderr.String())
	switch {
	case text != "":
		return fmt.Errorf("the server says: %s", text)
	case s.status > 0:
		return fmt.Errorf("the server ended with status %d", s.status)
	case err == nil || errors.Is(err, io.EOF):
		return errors.New("the connection ended")
	}
	return err
}

// result is the error that the subsystem ended with, nil for status 0.
func (s *subsystem) result() error {
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		return errors.New("the server did not say how it ended")
	}
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	if status == 0 {
		return nil
	}
	return s.explain(nil)
}
