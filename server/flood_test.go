package server

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// openFiles counts those of this process.
func openFiles(t testing.TB) int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not tell which files are open")
	}
	return len(files)
}

// Connections that never become anything cost nothing that lasts: those that
// say nothing, little, half a handshake, or too much.
func TestHalfOpenConnectionsCostNothingLasting(t *testing.T) {
	l := startLab(t, func(s *Server) { s.ssh.HandshakeTimeout = 500 * time.Millisecond })
	if !l.gets(l.key) {
		t.Fatal("the admin does not get in")
	}
	var goroutines, files int
	eventually(t, "the first connection is forgotten", func() bool {
		goroutines, files = runtime.NumGoroutine(), openFiles(t)
		return len(l.admin().Sessions()) == 0
	})
	var all sync.WaitGroup
	for n := range 400 {
		all.Go(func() {
			conn, err := net.Dial("tcp", l.srv.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			say := [][]byte{nil, []byte("SSH-2.0-"), []byte("SSH-2.0-half\r\n"), append([]byte("SSH-2.0-long\r\n"), make([]byte, 40_000)...), []byte("GET / HTTP/1.1\r\n\r\n")}[n%5]
			_, _ = conn.Write(say)
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
				t.Error("the server does not hang up")
			}
		})
	}
	all.Wait()
	eventually(t, fmt.Sprintf("there are %d goroutines and %d files again", goroutines, files), func() bool {
		return runtime.NumGoroutine() <= goroutines+2 && openFiles(t) <= files+2
	})
	l.srv.strangers.mu.Lock()
	defer l.srv.strangers.mu.Unlock()
	if l.srv.strangers.total != 0 || len(l.srv.strangers.byAddress) != 0 {
		t.Errorf("%d strangers are remembered", l.srv.strangers.total)
	}
}

// BenchmarkKeyInAFlood is how long an open dashboard takes to answer a key
// while 500 connections of one address knock without end: they say their
// version and wait, or go through the handshake with a key that nobody knows.
// The flood's own work is done by the same process, so the figures are the
// worst: on two cores it takes most of both.
func BenchmarkKeyInAFlood(b *testing.B) {
	key := newKeyPair(b)
	for name, flood := range map[string]func(net.Conn){
		"quiet": nil,
		"knock": func(c net.Conn) {
			_, _ = io.WriteString(c, "SSH-2.0-flood\r\n")
			_, _ = io.Copy(io.Discard, c)
		},
		"handshake": func(c net.Conn) {
			_, _, _, _ = gossh.NewClientConn(c, "", &gossh.ClientConfig{
				User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(),
			})
		},
	} {
		b.Run(name, func(b *testing.B) { keyInAFlood(b, flood, 0) })
		if flood != nil {
			b.Run(name+", each once a second", func(b *testing.B) { keyInAFlood(b, flood, time.Second) })
		}
	}
}

func keyInAFlood(b *testing.B, flood func(net.Conn), pause time.Duration) {
	l := startLab(b)
	s, err := l.dial(l.key).NewSession()
	if err != nil {
		b.Fatal(err)
	}
	in, err := s.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	drawn := make(chan time.Time, 1000)
	s.Stdout = heard(drawn)
	if err := s.RequestPty("xterm-256color", 40, 120, nil); err != nil {
		b.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		b.Fatal(err)
	}
	<-drawn
	var knocked atomic.Int64
	var floods sync.WaitGroup
	over := make(chan struct{})
	for range 500 {
		if flood == nil {
			break
		}
		floods.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if c, err := net.Dial("tcp", l.srv.Addr().String()); err == nil {
					knocked.Add(1)
					_ = c.SetDeadline(time.Now().Add(2 * time.Second))
					flood(c)
					c.Close()
				}
				if pause > 0 {
					select {
					case <-over:
					case <-time.After(pause):
					}
				}
			}
		})
	}
	defer func() { close(over); floods.Wait() }()
	var all []time.Duration
	began := time.Now()
	for n := 0; b.Loop(); n++ {
		quiet(drawn)
		start := time.Now()
		if _, err := io.WriteString(in, []string{"2", "1"}[n%2]); err != nil {
			b.Fatal(err)
		}
		select {
		case at := <-drawn:
			all = append(all, at.Sub(start))
		case <-time.After(5 * time.Second):
			b.Fatalf("key %d is not answered in 5 s", n)
		}
	}
	b.ReportMetric(float64(knocked.Load())/time.Since(began).Seconds(), "connections/s")
	report(b, all)
	percentile(b, all, "max-ms", 1)
}

// quiet waits until nothing was drawn for a moment.
func quiet(drawn <-chan time.Time) {
	for {
		select {
		case <-drawn:
		case <-time.After(30 * time.Millisecond):
			return
		}
	}
}

// heard tells when something came.
type heard chan<- time.Time

func (h heard) Write(p []byte) (int, error) {
	select {
	case h <- time.Now():
	default:
	}
	return len(p), nil
}
