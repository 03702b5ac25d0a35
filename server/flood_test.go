package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
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
	if l.srv.strangers.total != 0 || len(l.srv.turns) != 0 {
		t.Errorf("%d strangers are counted, %d have a turn", l.srv.strangers.total, len(l.srv.turns))
	}
}

// floods are what each of many connections does, again and again.
var floods = map[string]func(net.Conn){
	// It says its version and waits.
	"knock": func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-flood\r\n")
		_, _ = io.Copy(io.Discard, c)
	},
	// It goes through the handshake with a key that nobody knows.
	"handshake": func(c net.Conn) {
		_, key, _ := ed25519.GenerateKey(nil)
		signer, _ := gossh.NewSignerFromKey(key)
		_, _, _, _ = gossh.NewClientConn(c, "", &gossh.ClientConfig{
			User: "x", Auth: []gossh.AuthMethod{gossh.PublicKeys(signer)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(),
		})
	},
}

// floodEnv has TestFlood flood: an address, a name of floods, and the pause
// between two connections of one of 500.
const floodEnv = "HOMELAB_TEST_FLOOD"

// TestFlood is the flood, in a process of its own, until its standard input
// ends. It prints how many connections it made.
func TestFlood(t *testing.T) {
	words := strings.Fields(os.Getenv(floodEnv))
	if len(words) != 3 {
		t.Skip("no test: BenchmarkKeyInAFlood starts it")
	}
	pause, err := time.ParseDuration(words[2])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var knocked atomic.Int64
	var all sync.WaitGroup
	for range 500 {
		all.Go(func() {
			for ctx.Err() == nil {
				if c, err := net.Dial("tcp", words[0]); err == nil {
					knocked.Add(1)
					stop := context.AfterFunc(ctx, func() { c.Close() })
					_ = c.SetDeadline(time.Now().Add(2 * time.Second))
					floods[words[1]](c)
					stop()
					c.Close()
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	all.Wait()
	fmt.Printf("knocked %d\n", knocked.Load())
}

// startFlood starts the flood of an address. The returned function ends it and
// tells how many connections it made.
func startFlood(b *testing.B, address, kind string, pause time.Duration) (end func() int) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFlood$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", floodEnv, address, kind, pause))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() int {
		in.Close()
		_ = cmd.Wait()
		var n int
		if _, after, ok := strings.Cut(out.String(), "knocked "); ok {
			_, _ = fmt.Sscan(after, &n)
		}
		if n == 0 {
			b.Fatalf("there was no flood:\n%s", out.String())
		}
		return n
	}
}

// BenchmarkKeyInAFlood is how long an open dashboard takes to answer a key
// while 500 connections of one address knock, without end or once a second
// each. The flood is another process on the same processors.
func BenchmarkKeyInAFlood(b *testing.B) {
	b.Run("quiet", func(b *testing.B) { keyInAFlood(b, "", 0) })
	for _, kind := range slices.Sorted(maps.Keys(floods)) {
		b.Run(kind, func(b *testing.B) { keyInAFlood(b, kind, 0) })
		b.Run(kind+", each once a second", func(b *testing.B) { keyInAFlood(b, kind, time.Second) })
	}
}

func keyInAFlood(b *testing.B, kind string, pause time.Duration) {
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
	if kind != "" {
		began := time.Now()
		end := startFlood(b, l.srv.Addr().String(), kind, pause)
		defer func() { b.ReportMetric(float64(end())/time.Since(began).Seconds(), "connections/s") }()
		eventually(b, "the flood begins", func() bool {
			l.srv.strangers.mu.Lock()
			defer l.srv.strangers.mu.Unlock()
			return l.srv.strangers.total > 0
		})
	}
	var all []time.Duration
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
