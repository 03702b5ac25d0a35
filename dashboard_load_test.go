package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// The load that the dashboard's figures are measured under.
const (
	loadVMs         = 1000
	loadHypervisors = 50
	loadWidth       = 120
	loadHeight      = 40
)

// BenchmarkDashboard opens real SSH sessions to a server that is a process of
// its own, in a lab of 1,000 VMs on 50 hypervisors:
//
//	go test -run '^$' -bench BenchmarkDashboard -benchtime 1x .
func BenchmarkDashboard(b *testing.B) {
	l := loadLab(b)
	for range b.N {
		quiet := l.sessions(20, "open vms")
		b.ReportMetric(percentileMS(l.connects(100), 0.99), "connect-p99-ms")
		took, size := l.keys(quiet, 3*time.Second)
		b.ReportMetric(percentileMS(took, 0.5), "quiet-key-p50-ms")
		b.ReportMetric(percentile(size, 0.5), "key-p50-B")

		stop := l.stream(200)
		reader := l.sessions(1, "open run 1")
		took, _ = l.keys(quiet, 5*time.Second)
		b.ReportMetric(percentileMS(took, 0.5), "key-p50-ms")
		b.ReportMetric(percentileMS(took, 0.99), "key-p99-ms")
		stalled := l.stalled("open run 1")
		took, _ = l.keys(quiet, 5*time.Second)
		b.ReportMetric(percentileMS(took, 0.5), "stalled-key-p50-ms")
		b.ReportMetric(percentileMS(took, 0.99), "stalled-key-p99-ms")
		stop()
		stalled()
		l.agent.say(model.Record{State: model.RunSucceeded})

		closeAll(reader)
		before := l.memory()
		more := l.sessions(50, "open vms")
		b.ReportMetric((l.memory()-before)/50, "session-MiB")
		closeAll(quiet)
		b.ReportMetric(100*l.cpu(20*time.Second), "idle50-core-%")
		closeAll(more)
	}
}

// load is a lab with a client and an agent of their own.
type load struct {
	*lab
	b      *testing.B
	config *gossh.ClientConfig
	agent  *playedAgent
}

func loadLab(b *testing.B) *load {
	l := &load{lab: newLab(b), b: b}
	text, err := os.ReadFile(l.key())
	if err != nil {
		b.Fatal(err)
	}
	key, err := gossh.ParsePrivateKey(text)
	if err != nil {
		b.Fatal(err)
	}
	l.config = clientOf(key)
	c := l.dial(l.config)
	defer c.Close()
	l.command(c, "image add img --path /srv/img.qcow2")
	for i := range loadHypervisors {
		l.command(c, fmt.Sprintf("hypervisor add h%02d --platform sandbox", i))
	}
	for i := range loadVMs {
		l.command(c, fmt.Sprintf("vm add vm%04d --hypervisor h%02d --image img --role r%d", i, i%loadHypervisors, i%7))
	}
	token, err := wire.ParseToken(strings.TrimSpace(tokenOf(l, c)))
	if err != nil {
		b.Fatal(err)
	}
	l.agent = l.play(token)
	return l
}

// tokenOf invites the agent of the first hypervisor.
func tokenOf(l *load, c *gossh.Client) string {
	var invite struct{ Token string }
	l.decode(string(l.command(c, "agent invite --json h00")), &invite)
	return invite.Token
}

func clientOf(key gossh.Signer) *gossh.ClientConfig {
	return &gossh.ClientConfig{User: "load", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.InsecureIgnoreHostKey(), Timeout: 10 * time.Second}
}

func (l *load) dial(config *gossh.ClientConfig) *gossh.Client {
	c, err := gossh.Dial("tcp", l.listen, config)
	if err != nil {
		l.b.Fatal(err)
	}
	return c
}

func (l *load) command(c *gossh.Client, line string) []byte {
	s, err := c.NewSession()
	if err != nil {
		l.b.Fatal(err)
	}
	defer s.Close()
	out, err := s.Output(line)
	if err != nil {
		l.b.Fatalf("%s: %v", line, err)
	}
	return out
}

// loadSession is a dashboard that somebody looks at.
type loadSession struct {
	client *gossh.Client
	in     io.Writer
	frames chan frame
}

// frame is what came at once.
type frame struct {
	at   time.Time
	text []byte
}

// dashboard opens a dashboard on a connection of its own. A reader other than
// nil decides when what is sent is read.
func (l *load) dashboard(line string, read func(s *loadSession, out io.Reader)) *loadSession {
	x := &loadSession{client: l.dial(l.config), frames: make(chan frame, 1000)}
	s, err := x.client.NewSession()
	if err == nil {
		x.in, err = s.StdinPipe()
	}
	var out io.Reader
	if err == nil {
		out, err = s.StdoutPipe()
	}
	if err == nil {
		err = s.RequestPty("xterm-256color", loadHeight, loadWidth, nil)
	}
	if err == nil {
		err = s.Start(line)
	}
	if err != nil {
		l.b.Fatal(err)
	}
	if read == nil {
		read = (*loadSession).read
	}
	go read(x, out)
	return x
}

func (x *loadSession) read(out io.Reader) {
	defer close(x.frames)
	buf := make([]byte, 64<<10)
	for {
		n, err := out.Read(buf)
		if err != nil {
			return
		}
		x.frames <- frame{time.Now(), bytes.Clone(buf[:n])}
	}
}

// drawn waits for the first whole frame: its last line names the help.
func (x *loadSession) drawn() error {
	deadline := time.After(20 * time.Second)
	var text []byte
	for {
		select {
		case f, ok := <-x.frames:
			if !ok {
				return errors.New("the session has ended")
			}
			if text = append(text, f.text...); bytes.Contains(text, []byte("help")) {
				return nil
			}
		case <-deadline:
			return fmt.Errorf("nothing was drawn: %q", text)
		}
	}
}

func (l *load) sessions(n int, line string) []*loadSession {
	all := make([]*loadSession, n)
	for i := range all {
		all[i] = l.dashboard(line, nil)
		if err := all[i].drawn(); err != nil {
			l.b.Fatal(err)
		}
	}
	return all
}

func closeAll(all []*loadSession) {
	for _, x := range all {
		x.client.Close()
	}
}

// stalled is a client that never reads; it returns what ends it.
func (l *load) stalled(line string) func() {
	end := make(chan struct{})
	x := l.dashboard(line, func(*loadSession, io.Reader) { <-end })
	return func() { close(end); x.client.Close() }
}

// connects measures from nothing to the first whole frame.
func (l *load) connects(n int) []time.Duration {
	var all []time.Duration
	for range n {
		start := time.Now()
		x := l.dashboard("open vms", nil)
		if err := x.drawn(); err != nil {
			l.b.Fatal(err)
		}
		all = append(all, time.Since(start))
		x.client.Close()
	}
	return all
}

// keys has each session press a key ten times a second, and measures until the
// first byte of the frame that it makes, and how many bytes come.
func (l *load) keys(all []*loadSession, d time.Duration) (took []time.Duration, size []float64) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, x := range all {
		wg.Go(func() {
			key := time.NewTicker(100 * time.Millisecond)
			defer key.Stop()
			<-time.After(time.Duration(i) * 5 * time.Millisecond) // not all at once
			for n := range int(d / (100 * time.Millisecond)) {
				<-key.C
				x.drain()
				press := "j"
				if n%40 >= 20 {
					press = "k"
				}
				start := time.Now()
				if _, err := io.WriteString(x.in, press); err != nil {
					l.b.Error(err)
					return
				}
				at, bytes := x.answer()
				mu.Lock()
				took, size = append(took, at.Sub(start)), append(size, float64(bytes))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return took, size
}

// drain forgets what came before the key.
func (x *loadSession) drain() {
	for {
		select {
		case <-x.frames:
		default:
			return
		}
	}
}

// answer is when the frame that a key makes came, and its size: all that comes
// within 40 ms.
func (x *loadSession) answer() (time.Time, int) {
	var first time.Time
	n := 0
	wait := time.After(2 * time.Second)
	for {
		select {
		case f, ok := <-x.frames:
			if !ok {
				return time.Now(), n
			}
			if n == 0 {
				first, wait = f.at, time.After(40*time.Millisecond)
			}
			n += len(f.text)
		case <-wait:
			if n == 0 {
				first = time.Now()
			}
			return first, n
		}
	}
}

// memory is the server's resident memory, in MiB.
func (l *load) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.server.cmd.Process.Pid))
	if err != nil {
		l.b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(f[1], 64)
			return kib / 1024
		}
	}
	return 0
}

// cpu is how many cores the server is busy for over a while.
func (l *load) cpu(d time.Duration) float64 {
	ticks := func() float64 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.server.cmd.Process.Pid))
		if err != nil {
			l.b.Skip(err)
		}
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
		user, _ := strconv.ParseFloat(f[11], 64)
		system, _ := strconv.ParseFloat(f[12], 64)
		return user + system
	}
	before := ticks()
	<-time.After(d)
	const hertz = 100 // USER_HZ, on every Linux that Go runs on
	return (ticks() - before) / hertz / d.Seconds()
}

func percentile(all []float64, p float64) float64 {
	slices.Sort(all)
	return all[int(p*float64(len(all)-1))]
}

func percentileMS(all []time.Duration, p float64) float64 {
	ms := make([]float64, len(all))
	for i, d := range all {
		ms[i] = float64(d.Microseconds()) / 1000
	}
	return percentile(ms, p)
}

// playedAgent is an agent on the wire, whose run never ends.
type playedAgent struct {
	out *wire.Writer
	run uint64
	seq uint64
}

// play joins an agent and takes up its first run.
func (l *load) play(token wire.Token) *playedAgent {
	login, err := gossh.NewSignerFromKey(token.Key())
	if err != nil {
		l.b.Fatal(err)
	}
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	key, err := gossh.NewSignerFromKey(private)
	if err != nil {
		l.b.Fatal(err)
	}
	c := l.dial(clientOf(login))
	defer c.Close()
	ch := l.subsystem(c, wire.SubsystemJoin)
	fmt.Fprintf(ch, "{\"public_key\":%q}\n", strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey()))))
	if reply, err := io.ReadAll(ch); err != nil || !bytes.Contains(reply, []byte(`"hypervisor":"h00"`)) {
		l.b.Fatalf("join: %q, %v", reply, err)
	}
	agent := l.dial(clientOf(key))
	l.b.Cleanup(func() { agent.Close() })
	ch = l.subsystem(agent, wire.SubsystemAgent)
	a := &playedAgent{out: wire.NewWriter(ch)}
	if err := a.out.Write(wire.Frame{Kind: wire.KindHello, Hello: &wire.Hello{Version: wire.Version, Spool: "load"}}); err != nil {
		l.b.Fatal(err)
	}
	for r := wire.NewReader(ch); a.run == 0; {
		f, err := r.Read()
		if err != nil {
			l.b.Fatal(err)
		}
		if f.Kind == wire.KindRun {
			a.run = f.Run.ID
			go drainFrames(r, a.out)
		}
	}
	a.say(model.Record{State: model.RunPlanning, Message: "planning"}, model.Record{State: model.RunApplying, Message: "applying"})
	return a
}

// drainFrames answers the server's pings until the connection ends.
func drainFrames(r *wire.Reader, w *wire.Writer) {
	for {
		if _, err := r.Read(); err != nil {
			return
		}
		_ = w.Write(wire.Frame{Kind: wire.KindPing})
	}
}

func (l *load) subsystem(c *gossh.Client, name string) gossh.Channel {
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		l.b.Fatal(err)
	}
	go gossh.DiscardRequests(reqs)
	if ok, err := ch.SendRequest("subsystem", true, gossh.Marshal(struct{ Name string }{name})); err != nil || !ok {
		l.b.Fatalf("%s: %v %v", name, ok, err)
	}
	return ch
}

func (a *playedAgent) say(records ...model.Record) {
	for i := range records {
		a.seq++
		records[i].Run, records[i].Seq, records[i].Time = a.run, a.seq, time.Now().UTC()
	}
	_ = a.out.Write(wire.Frame{Kind: wire.KindRecords, Records: records})
}

// stream has the run's log grow by so many lines a second, until stopped.
func (l *load) stream(perSecond int) (stop func()) {
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			case <-tick.C:
				l.agent.say(model.Record{Level: model.LevelInfo, Message: fmt.Sprintf("terraform_data.vm%04d: Still creating... [%d s elapsed]", n%loadVMs, n/perSecond)})
			}
		}
	}()
	return func() { close(end); <-done }
}
