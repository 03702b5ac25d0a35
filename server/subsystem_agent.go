package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// farewellTime is how long an agent that is ended may take to hear why.
const farewellTime = 2 * time.Second

// serveAgent is the conversation with one agent, for the life of its
// connection.
func (s *Server) serveAgent(sess ssh.Session, who identity, log *slog.Logger) error {
	defer closeConn(sess) // its other channels are of no use without this one
	out := wire.NewWriter(sess)
	in := &agentReader{r: wire.NewReader(sess), log: log, out: out, silence: s.silence}
	in.alive = time.AfterFunc(s.silence, func() {
		in.silent.Do(func() { log.Info("the agent says nothing any more") })
		closeConn(sess)
	})
	defer in.alive.Stop()

	conn, err := s.greet(sess, who, in)
	if err != nil {
		_ = out.Write(wire.Frame{Kind: wire.KindError, Error: err.Error()})
		return err
	}
	s.agentDid(sess, who, model.AuditDid, "agent "+firstLineOf(conn.hello.AgentVersion)+" began to serve "+who.name)
	log.Info("agent connected", "hypervisor", who.name, "agent_version", conn.hello.AgentVersion, "unfinished", conn.hello.Unfinished)
	if conn.hello.Trial { // it hears that it may connect, and no more
		return out.Write(<-conn.out)
	}
	ctx, cancel := context.WithCancel(sess.Context())
	defer cancel()
	ended := s.live.onStop(func() { conn.end(errors.New("the server stops")) })
	s.agents.enter(conn)
	var writer sync.WaitGroup
	writer.Go(func() { conn.write(ctx, out) })
	err = s.converse(conn, in)
	conn.end(err)
	s.agents.leave(conn)
	s.ingest.forget(conn)
	cancel()
	writer.Wait()
	ended()
	if err = conn.reason(); errors.Is(err, io.EOF) {
		err = nil
	}
	log.Info("agent disconnected", "hypervisor", who.name, "reason", err)
	why := "it hung up"
	if err != nil && !errors.Is(err, context.Canceled) {
		why = err.Error()
	}
	s.agentDid(sess, who, model.AuditLeft, why)
	return err
}

// agentDid notes what an agent did.
func (s *Server) agentDid(sess ssh.Session, who identity, kind model.AuditKind, what string) {
	s.audit.note(model.Audited{Kind: kind, Who: who.String(), Address: sess.RemoteAddr().String(), Key: who.fingerprint, What: what})
	s.sessionsChange()
}

// runEnded notes what an agent says of how a run ended.
func (s *Server) runEnded(conn *agentConn, run model.Run) {
	what := fmt.Sprintf("run %d, %s: %s", run.ID, run.Kind, run.State)
	if run.Error != "" {
		what += ": " + run.Error
	}
	who := identity{kind: isAgent, name: conn.hypervisor, fingerprint: gossh.FingerprintSHA256(conn.sess.PublicKey())}
	s.agentDid(conn.sess, who, model.AuditDid, what)
}

// agentReader reads an agent's frames; each resets the clock of its silence.
type agentReader struct {
	r       *wire.Reader
	out     *wire.Writer
	log     *slog.Logger
	alive   *time.Timer
	silence time.Duration
	silent  sync.Once
}

// read returns the next frame. One of an unknown kind is refused and skipped.
func (a *agentReader) read() (wire.Frame, error) {
	for {
		frame, err := a.r.Read()
		a.alive.Reset(a.silence)
		var unknown *wire.UnknownKindError
		if !errors.As(err, &unknown) {
			return frame, err
		}
		a.log.Warn("refused a frame", "error", unknown)
		if err := a.out.Write(unknown.Refusal()); err != nil {
			return wire.Frame{}, err
		}
	}
}

// greet reads hello and queues welcome, so that it is the first that is sent.
func (s *Server) greet(sess ssh.Session, who identity, in *agentReader) (*agentConn, error) {
	frame, err := in.read()
	if err != nil {
		return nil, err
	}
	if frame.Kind != wire.KindHello {
		return nil, fmt.Errorf("the first frame is %q and not %q", frame.Kind, wire.KindHello)
	}
	hello := *frame.Hello
	if d := hello.Version - wire.Version; d < -1 || d > 1 {
		err := fmt.Errorf("the agent speaks version %d of the protocol and the server %d: bring both to the same release", hello.Version, wire.Version)
		s.observed.update(who.name, func(st *model.HypervisorStatus) {
			st.AgentVersion, st.AgentOld = hello.AgentVersion, err.Error()+" with `homelab install agent` there"
		})
		return nil, err
	}
	if _, ok := s.store.State().Hypervisors[who.name]; !ok {
		return nil, fmt.Errorf("the hypervisor %q is not defined any more", who.name)
	}
	spool, ack := s.store.Spool(who.name)
	if spool != hello.Spool {
		ack = 0
	}
	if keys := s.keys.all(); len(keys) > 1 && slices.Contains(hello.HostKeys, gossh.FingerprintSHA256(keys[1].PublicKey())) {
		s.keys.knows(who.name)
	}
	conn := newAgentConn(who.name, hello, sess)
	conn.out <- wire.Frame{Kind: wire.KindWelcome, Welcome: &wire.Welcome{
		Version: wire.Version, ServerVersion: s.opts.Version, Hypervisor: who.name, Ack: ack,
	}}
	return conn, nil
}

// converse reads until the agent is gone.
func (s *Server) converse(conn *agentConn, in *agentReader) error {
	for {
		frame, err := in.read()
		if err != nil {
			return err
		}
		switch frame.Kind {
		case wire.KindRecords:
			conn.recorded()
			s.ingest.add(conn, frame.Records)
		case wire.KindInventory:
			if err := s.takeInventory(conn, *frame.Inventory); err != nil {
				return err
			}
		case wire.KindLoad:
			if s.agents.get(conn.hypervisor) == conn {
				s.loads.take(conn.hypervisor, frame.Load)
			}
		case wire.KindResult:
			conn.result(frame)
		case wire.KindError:
			in.log.Warn("the agent reports", "error", frame.Error)
			s.reconcile.complained(conn.hypervisor, frame.Error)
		case wire.KindPing:
		default:
			in.log.Warn("a frame that is not an agent's", "kind", frame.Kind)
		}
		select {
		case <-conn.done:
			return conn.reason()
		default:
		}
	}
}

// takeInventory keeps what an agent sees on its machine. That other disks exist
// than before may change the config: the store tells its watchers.
func (s *Server) takeInventory(conn *agentConn, inv wire.Inventory) error {
	if s.agents.get(conn.hypervisor) != conn {
		return nil // a newer connection knows better
	}
	if err := s.store.SetDisks(conn.hypervisor, inv.Disks); err != nil {
		return err
	}
	guests := inv.Guests
	if guests == nil {
		guests = []model.Guest{}
	}
	ids := map[string]bool{}
	for _, vm := range s.store.State().VMs {
		ids[vm.ID] = true
	}
	running := 0
	for i, g := range guests {
		if !ids[g.ID] { // several labs may share a libvirt
			guests[i].ID, guests[i].MadeFor = "", g.ID
		}
		if g.State != model.GuestStopped && g.State != model.GuestCrashed {
			running++
		}
	}
	conn.lost.Store(&inv.Gone)
	s.observed.update(conn.hypervisor, func(st *model.HypervisorStatus) {
		st.Guests, st.Images, st.ForeignVolumes, st.Lock = guests, inv.Images, inv.ForeignVolumes, inv.Lock
		if inv.Facts != nil {
			st.Facts = *inv.Facts
		}
	})
	conn.running.Store(int64(running)) // from now on its guests are known
	s.reconcile.kick(conn.hypervisor)
	return nil
}

// write sends what is queued, and a ping now and then, until the connection
// ends; then the reason, if the agent still reads, and closes the session,
// which ends its reader too.
func (c *agentConn) write(ctx context.Context, out *wire.Writer) {
	tick := time.NewTicker(wire.Keepalive)
	defer tick.Stop()
	for {
		frame := wire.Frame{Kind: wire.KindPing}
		select {
		case <-ctx.Done():
			c.end(ctx.Err())
			return
		case <-c.done:
			cut := time.AfterFunc(farewellTime, func() { closeConn(c.sess) })
			if why := c.reason(); why != nil && !errors.Is(why, io.EOF) {
				_ = out.Write(wire.Frame{Kind: wire.KindError, Error: why.Error()})
			}
			cut.Stop()
			_ = c.sess.Close()
			return
		case frame = <-c.out:
		case <-tick.C:
		}
		if err := out.Write(frame); err != nil {
			c.end(err)
		}
	}
}
