package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// maxRecords is about how many bytes of records go into one frame.
const maxRecords = 512 << 10

// stayConnected connects again and again until ctx ends.
func (a *agent) stayConnected(ctx context.Context) {
	b := &backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, RandomizationFactor: 0.3, Multiplier: 1.7, MaxInterval: 11 * time.Second}
	b.Reset()
	last := ""
	for ctx.Err() == nil {
		welcomed, err := a.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if welcomed {
			b.Reset()
			last = ""
		}
		if text := err.Error(); text != last {
			a.log.Warn("not connected", "server", a.id.Server, "error", err)
			last = text
		}
		if pause(ctx, b.NextBackOff()) != nil {
			return
		}
	}
}

// connect holds one connection until it ends, and tells whether the server
// welcomed us on it.
func (a *agent) connect(ctx context.Context) (welcomed bool, err error) {
	var met ssh.PublicKey // host key that it has
	check := func(_ string, _ net.Addr, k ssh.PublicKey) error {
		if met = k; !a.trust.has(k) {
			return &hostKeyError{a.id.Server, ssh.FingerprintSHA256(k), ssh.FingerprintSHA256(a.trust.first())}
		}
		return nil
	}
	client, reqs, err := dial(ctx, a.id.Server, a.signer, check, ssh.KeyAlgoED25519)
	if isRefused(err) {
		return false, errors.New("the server does not know this agent's key (any more): join again with a token from `agent invite NAME`")
	}
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	// Whoever is silent for so long is gone, in the middle of a frame too.
	silence := time.AfterFunc(wire.Silence, func() { client.Close() })
	defer silence.Stop()
	consoles := client.HandleChannelOpen(wire.ChannelConsole)
	disks := client.HandleChannelOpen(wire.ChannelDisk)
	var serving sync.WaitGroup
	serving.Go(func() { a.serveConsoles(ctx, consoles) }) // ends with the connection
	serving.Go(func() { a.answerRequests(client, met, reqs) })
	serving.Go(func() { a.serveDisks(ctx, disks) })
	defer func() { client.Close(); serving.Wait() }()
	sub, err := openSubsystem(client, wire.SubsystemAgent)
	if err != nil {
		return false, err
	}
	defer sub.Close()
	c := &conn{a: a, client: client, sub: sub, r: wire.NewReader(sub), w: wire.NewWriter(sub), silence: silence}
	welcome, err := c.greet()
	if err != nil {
		return false, err
	}
	a.log.Info("connected", "server", a.id.Server, "version", welcome.ServerVersion)
	if a.opts.Trial {
		close(a.welcomed)
		<-ctx.Done()
		return true, nil
	}
	return true, c.talk(ctx, welcome)
}

// conn is one conversation with the server.
type conn struct {
	a       *agent
	client  *ssh.Client
	sub     *subsystem
	r       *wire.Reader
	w       *wire.Writer
	silence *time.Timer
}

// greet says hello and hears the welcome.
func (c *conn) greet() (wire.Welcome, error) {
	hello, err := c.a.hello()
	if err != nil {
		return wire.Welcome{}, err
	}
	if err := c.w.Write(wire.Frame{Kind: wire.KindHello, Hello: &hello}); err != nil {
		return wire.Welcome{}, c.sub.explain(err)
	}
	for {
		f, err := c.read()
		switch {
		case err != nil:
			return wire.Welcome{}, c.sub.explain(err)
		case f.Kind == wire.KindError:
			return wire.Welcome{}, fmt.Errorf("the server says: %s", f.Error)
		case f.Kind == wire.KindPing:
			continue
		case f.Kind != wire.KindWelcome:
			return wire.Welcome{}, fmt.Errorf("the server began with a frame of kind %q", f.Kind)
		}
		if v := f.Welcome.Version; v > wire.Version+1 || v < wire.Version-1 {
			return wire.Welcome{}, fmt.Errorf("the server speaks version %d and this agent %d: update the older one", v, wire.Version)
		}
		return *f.Welcome, c.align(f.Welcome.Ack)
	}
}

// align fits the spool to what the server has committed.
func (c *conn) align(ack uint64) error {
	fits, err := c.a.spool.Align(ack)
	if err == nil && !fits {
		err = fmt.Errorf("the server has record %d of the log and the agent does not follow on from it: beginning a new log", ack)
	}
	return err
}

// talk runs the conversation's goroutines until it ends.
func (c *conn) talk(ctx context.Context, welcome wire.Welcome) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.a.link.set(c.client, c.w)
	defer c.a.link.clear()
	c.a.forgetReport()
	c.a.look()
	select {
	case c.a.measure <- struct{}{}:
	default:
	}
	var wg sync.WaitGroup
	wg.Go(func() { defer c.client.Close(); c.sendRecords(ctx, welcome.Ack) })
	wg.Go(func() { defer c.client.Close(); c.keepAlive(ctx) })
	err := c.listen()
	cancel()
	c.client.Close()
	wg.Wait()
	return c.sub.explain(err)
}

// read reads a frame and answers those that this side does not know.
func (c *conn) read() (wire.Frame, error) {
	for {
		f, err := c.r.Read()
		var unknown *wire.UnknownKindError
		if err == nil || errors.As(err, &unknown) {
			c.silence.Reset(wire.Silence)
		}
		if unknown == nil {
			return f, err
		}
		if err := c.w.Write(unknown.Refusal()); err != nil {
			return wire.Frame{}, err
		}
	}
}

func (c *conn) keepAlive(ctx context.Context) {
	for pause(ctx, wire.Keepalive) == nil {
		if c.w.Write(wire.Frame{Kind: wire.KindPing}) != nil {
			return
		}
	}
}

// sendRecords sends what the spool holds after number sent, as it comes.
func (c *conn) sendRecords(ctx context.Context, sent uint64) {
	for {
		for c.a.spool.Last() > sent {
			records, err := c.a.spool.After(sent, maxRecords)
			if err != nil || len(records) == 0 {
				c.a.log.Error("cannot send the log", "error", err)
				return
			}
			if c.w.Write(wire.Frame{Kind: wire.KindRecords, Records: records}) != nil {
				return
			}
			sent = records[len(records)-1].Seq
		}
		select {
		case <-ctx.Done():
			return
		case <-c.a.spool.Wake():
		}
	}
}

// listen does what the server says until the connection ends.
func (c *conn) listen() error {
	for {
		f, err := c.read()
		if err != nil {
			return err
		}
		if err := c.a.obey(f); err != nil {
			return err
		}
	}
}

// obey carries out one frame. Its error ends the connection.
func (a *agent) obey(f wire.Frame) error {
	switch f.Kind {
	case wire.KindPing, wire.KindWelcome:
	case wire.KindAck:
		return a.spool.Ack(f.Ack)
	case wire.KindDesired:
		a.run.Desired(f.Desired.Digest)
	case wire.KindRun:
		a.run.Start(*f.Run)
	case wire.KindApprove:
		a.answer(f.Order, a.run.Approve(f.RunID))
	case wire.KindCancel:
		a.answer(f.Order, a.run.Cancel(f.RunID))
	case wire.KindRestart:
		a.run.Aside(func(ctx context.Context) { a.answer(f.Order, a.restart(ctx, f)) })
	case wire.KindCut:
		a.run.Aside(func(ctx context.Context) { a.answer(f.Order, a.cutOff(ctx, f.VM)) })
	case wire.KindAdopt:
		a.run.Aside(func(ctx context.Context) { a.answer(f.Order, a.adopt(ctx, f.VM)) })
	case wire.KindPrune:
		a.run.Aside(func(ctx context.Context) { a.answer(f.Order, a.prune(ctx, f.Files)) })
	case wire.KindUpdate:
		a.run.Aside(func(ctx context.Context) { a.answer(f.Order, a.fetchUpdate(ctx, *f.Update)) })
	case wire.KindUnlock:
		a.answer(f.Order, a.unlock())
	case wire.KindShutdown:
		a.run.Aside(func(ctx context.Context) { a.shutdown(ctx, f.Order, time.Duration(f.GraceSeconds)*time.Second) })
	case wire.KindError:
		a.log.Warn("the server could not do something", "error", f.Error)
	default:
		return a.link.Send(wire.Frame{Kind: wire.KindError, Error: fmt.Sprintf("a frame of kind %q is not for an agent", f.Kind)})
	}
	return nil
}

// answer says what became of an order. Without a connection nobody waits for
// it any more.
func (a *agent) answer(order uint64, err error) {
	f := wire.Frame{Kind: wire.KindResult, Order: order}
	if err != nil {
		f.Error = err.Error()
	}
	_ = a.link.Send(f)
}

// hello introduces the agent.
func (a *agent) hello() (wire.Hello, error) {
	var c configs
	if err := a.f.load(configFile, &c); err != nil {
		return wire.Hello{}, err
	}
	facts := a.currentFacts()
	a.invMu.Lock()
	a.facts = facts
	a.invMu.Unlock()
	return wire.Hello{
		Version: wire.Version, AgentVersion: a.opts.Version, Facts: facts,
		Spool: a.spool.ID(), AppliedDigest: c.Applied, HostKeys: a.trust.fingerprints(), Unfinished: a.run.Unfinished(),
		Platform: a.opts.Platform, Binary: a.opts.sum, Trial: a.opts.Trial, Failed: a.opts.failedUpdate,
	}, nil
}

// forgetReport makes the next inventory be sent in any case.
func (a *agent) forgetReport() {
	a.invMu.Lock()
	defer a.invMu.Unlock()
	a.inv = nil
}

// link is the connection as the rest of the agent sees it: there or not.
type link struct {
	mu     sync.Mutex
	client *ssh.Client
	w      *wire.Writer
	up     chan struct{} // closed while there is a connection
}

func newLink() *link { return &link{up: make(chan struct{})} }

func (l *link) set(client *ssh.Client, w *wire.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client, l.w = client, w
	close(l.up)
}

func (l *link) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client, l.w, l.up = nil, nil, make(chan struct{})
}

// Up tells whether there is a connection.
func (l *link) Up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client != nil
}

// Client waits for a connection.
func (l *link) Client(ctx context.Context) (*ssh.Client, error) {
	for {
		l.mu.Lock()
		client, up := l.client, l.up
		l.mu.Unlock()
		if client != nil {
			return client, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Send sends one frame if there is a connection.
func (l *link) Send(f wire.Frame) error {
	l.mu.Lock()
	w := l.w
	l.mu.Unlock()
	if w == nil {
		return errors.New("not connected")
	}
	return w.Write(f)
}
