package server

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"
)

func TestStrangersAreLimitedAndForgiven(t *testing.T) {
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	type step struct {
		address string
		do      string // enter, fail, pass
		times   int
		at      time.Duration
		want    error
	}
	tests := map[string][]step{
		"at once of one address": {
			{"a", "enter", maxStrangersOfAddress, 0, nil},
			{"a", "enter", 1, 0, errStrangers},
			{"b", "enter", 1, 0, nil},
			{"a", "pass", 1, 0, nil},
			{"a", "enter", 1, 0, nil},
		},
		"at once in all": {
			{"a", "enter", maxStrangersOfAddress, 0, nil},
			{"b", "enter", maxStrangersOfAddress, 0, nil},
			{"c", "enter", maxStrangersOfAddress, 0, nil},
			{"d", "enter", maxStrangers - 3*maxStrangersOfAddress, 0, nil},
			{"e", "enter", 1, 0, errStrangers},
		},
		"those that fail wait": {
			{"a", "enter and fail", maxFailures, 0, nil},
			{"a", "enter", 1, 0, errFailures},
			{"b", "enter", 1, 0, nil},
			{"a", "enter and fail", 1, forgiveness, nil},
			{"a", "enter", 1, forgiveness, errFailures},
			{"a", "enter and fail", maxFailures / 2, maxFailures * forgiveness, nil},
		},
		"those that are known never wait": {
			{"a", "enter and pass", 10 * maxFailures, 0, nil},
			{"a", "enter", 1, 0, nil},
		},
		"a wait is at most that of all that were let in": {
			{"a", "enter and fail", maxFailures - 1, 0, nil},
			{"a", "enter", maxStrangersOfAddress, 0, nil},
			{"a", "fail", maxStrangersOfAddress, 0, nil},
			{"a", "enter", 1, 0, errFailures},
			{"a", "enter", 1, maxStrangersOfAddress * forgiveness, nil},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var s strangers
			for i, st := range steps {
				now := start.Add(st.at)
				for range st.times {
					if strings.Contains(st.do, "enter") {
						if err := s.enter(st.address, now); err != st.want {
							t.Fatalf("step %d: %v, not %v", i, err, st.want)
						}
					}
					if st.want == nil && st.do != "enter" {
						s.leave(st.address, strings.Contains(st.do, "fail"), now)
					}
				}
			}
		})
	}
}

func TestAddressesOfStrangersAreForgotten(t *testing.T) {
	var s strangers
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	if err := s.enter("stays", now); err != nil {
		t.Fatal(err)
	}
	for n := range 3 * maxRemembered { // within the time in which none is forgiven
		address := fmt.Sprint(n)
		if err := s.enter(address, now); err != nil {
			t.Fatal(err)
		}
		s.leave(address, true, now)
		if len(s.byAddress) > maxRemembered {
			t.Fatalf("%d addresses are remembered", len(s.byAddress))
		}
	}
	if n := s.byAddress["stays"]; n == nil || n.open != 1 || s.total != 1 {
		t.Errorf("one that is open was forgotten: %+v", n)
	}
}

// slowSigner counts who signs at once, and signs when it is let.
type slowSigner struct {
	gossh.Signer
	now, most atomic.Int64
	let       chan struct{}
}

func (s *slowSigner) Sign(rand io.Reader, data []byte) (*gossh.Signature, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	<-s.let
	return s.Signer.Sign(rand, data)
}

// A key exchange takes much from a small machine: no more than a few are worked
// on at once, however many connections there are, and those that wait get in.
func TestFewHandshakesAreWorkedOnAtOnce(t *testing.T) {
	signer := &slowSigner{let: make(chan struct{})}
	l := startLab(t, func(s *Server) {
		signer.Signer = s.ssh.HostSigners[0]
		s.ssh.HostSigners = []ssh.Signer{signer}
	})
	turns := int64(cap(l.srv.turns))
	const all = 40
	var clients sync.WaitGroup
	for range all {
		clients.Go(func() {
			c, err := l.tryDial(l.key)
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	}
	eventually(t, "as many as may sign, and the others are there", func() bool {
		l.srv.strangers.mu.Lock()
		defer l.srv.strangers.mu.Unlock()
		return l.srv.strangers.total == all && signer.now.Load() == turns
	})
	close(signer.let)
	clients.Wait()
	if most := signer.most.Load(); most != turns {
		t.Errorf("%d were worked on at once, not %d", most, turns)
	}
	eventually(t, "no turn is left over", func() bool { return len(l.srv.turns) == 0 })
}

// A stranger that leaves while it has a turn, or waits for one, keeps nobody
// else waiting.
func TestTurnsEndWithTheirConnections(t *testing.T) {
	turns := make(chan struct{}, 1)
	visit := func() (v *visitor, client net.Conn) {
		here, there := net.Pipe()
		v = &visitor{Conn: here, turns: turns, over: make(chan struct{})}
		v.stranger.Store(true)
		v.closed = sync.OnceFunc(func() { close(v.over); v.endTurn() })
		return v, there
	}
	read := func(v *visitor, client net.Conn) <-chan error {
		done := make(chan error, 1)
		go func() { _, err := v.Read(make([]byte, 1)); done <- err }()
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		return done
	}
	first, itsClient := visit()
	if err := <-read(first, itsClient); err != nil || len(turns) != 1 {
		t.Fatalf("%v, %d turns", err, len(turns))
	}
	second, client := visit()
	waits := read(second, client)
	second.Close()
	<-waits
	third, client := visit()
	waits = read(third, client)
	first.Close()
	if err := <-waits; err != nil || !third.turn.Load() {
		t.Errorf("the third has no turn: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, client) }()
	if _, err := third.Write([]byte("x")); err != nil || len(turns) != 0 {
		t.Errorf("it keeps its turn while it waits for the network: %v, %d turns", err, len(turns))
	}
	third.Close()
}

// An address from which many come whom nobody knows is refused before a word;
// others are not, and what is open goes on.
func TestAnAddressThatFloodsIsRefused(t *testing.T) {
	l := startLab(t)
	c := l.dial(l.key)
	here := func() *neighbour { return l.srv.strangers.byAddress["127.0.0.1"] }
	for range 10 {
		conn, err := net.Dial("tcp", l.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	eventually(t, "they have failed", func() bool {
		l.srv.strangers.mu.Lock()
		defer l.srv.strangers.mu.Unlock()
		return l.srv.strangers.total == 0 && time.Until(here().forgiven) > 0
	})
	l.srv.strangers.mu.Lock()
	here().forgiven = time.Now().Add(2 * maxFailures * forgiveness)
	l.srv.strangers.mu.Unlock()
	conn, err := net.Dial("tcp", l.srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("the server says %d bytes to an address that floods", n)
	}
	if out, _, status := runOn(t, c, "vm list"); status != 0 {
		t.Errorf("what was open does not go on: %s", out)
	}
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	if conn, err = elsewhere.Dial("tcp", l.srv.Addr().String()); err != nil {
		t.Skip("this system has one loopback address")
	}
	defer conn.Close()
	if _, _, _, err := gossh.NewClientConn(conn, "", &gossh.ClientConfig{
		User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(l.key)}, HostKeyCallback: gossh.FixedHostKey(l.srv.HostKey()),
	}); err != nil {
		t.Errorf("another address is not let in: %v", err)
	}
	if !slices.ContainsFunc(l.audited(), func(e string) bool { return strings.HasPrefix(e, "refused stranger "+errFailures.Error()) }) {
		t.Errorf("it is not noted: %q", l.audited())
	}
}
