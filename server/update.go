package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"charm.land/ssh"
	"github.com/hashicorp/go-version"

	"homelab/agent/wire"
	"homelab/model"
)

const (
	fetchTime  = 30 * time.Minute // that an agent has to fetch a program
	comingTime = 3 * time.Minute  // and then to be back
)

// older says that an agent is of an earlier version than this server, and what
// to do; empty if it is not, or if nobody can tell, as of two commits.
func (s *Server) older(hypervisor string, hello wire.Hello) string {
	agent, err := version.NewSemver(hello.AgentVersion)
	server, err2 := version.NewSemver(s.opts.Version)
	known := err == nil && err2 == nil
	if known && !agent.LessThan(server) || !known && hello.Version >= wire.Version {
		return ""
	}
	text := fmt.Sprintf("agent %s, server %s: ", firstLineOf(hello.AgentVersion), s.opts.Version)
	if hello.Platform == "" {
		return text + "install the server's version there"
	}
	return text + "agent update " + hypervisor
}

// serveBinary writes the program for the calling agent's platform.
func (s *Server) serveBinary(sess ssh.Session, who identity, log *slog.Logger) error {
	conn := s.agents.get(who.name)
	if conn == nil {
		return errors.New("say hello first")
	}
	a, ok := s.binaries.get(conn.hello.Platform)
	if !ok {
		return fmt.Errorf("there is no program for %s", conn.hello.Platform)
	}
	f, err := os.Open(s.binaries.file(a))
	if err != nil {
		return errors.New("the program for this agent cannot be read: upload it again")
	}
	defer f.Close()
	if _, err := io.Copy(sess, f); err != nil {
		return err
	}
	s.agentDid(sess, who, model.AuditDid, "fetched version "+a.Version+" of the program")
	log.Info("program fetched", "hypervisor", who.name, "version", a.Version, "platform", a.Platform)
	return nil
}

func (l *lab) AddBinary(r io.Reader) (model.AgentBinary, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return model.AgentBinary{}, err
	}
	a, err := l.s.binaries.add(r)
	if err == nil {
		l.did("program for agents uploaded", "platform", a.Platform, "version", a.Version, "sha256", a.SHA256)
	}
	return a, err
}

func (l *lab) Binaries() ([]model.AgentBinary, error) { return l.s.binaries.list(), nil }

func (l *lab) UpdateAgent(ctx context.Context, hypervisor string) (model.AgentBinary, bool, error) {
	none := model.AgentBinary{}
	if err := l.may(model.RoleAdmin); err != nil {
		return none, false, err
	}
	conn := l.s.agents.get(hypervisor)
	if conn == nil {
		return none, false, fmt.Errorf("the agent of %s is not connected", hypervisor)
	}
	if conn.hello.Platform == "" {
		return none, false, fmt.Errorf("the agent of %s (version %s) cannot be updated over its connection: install the new version there", hypervisor, conn.hello.AgentVersion)
	}
	a, ok := l.s.binaries.get(conn.hello.Platform)
	if !ok {
		return none, false, fmt.Errorf("there is no program for %s, which %s needs: upload it with agent upload < FILE", conn.hello.Platform, hypervisor)
	}
	if conn.hello.Binary == a.SHA256 {
		return a, true, nil
	}
	for id, run := range l.s.store.ActiveRuns() {
		if run.Hypervisor == hypervisor && run.State != model.RunQueued {
			return none, false, fmt.Errorf("run %d of %s is %s: update the agent when it has ended", id, hypervisor, run.State)
		}
	}
	l.did("agent updated", "hypervisor", hypervisor, "from", conn.hello.AgentVersion, "to", a.Version)
	order := wire.Frame{Kind: wire.KindUpdate, Update: &wire.Update{Version: a.Version, SHA256: a.SHA256, Bytes: a.Bytes}}
	if err := l.order(ctx, fetchTime, hypervisor, order); err != nil && !conn.ended() {
		return none, false, err
	}
	// That it took the order may be lost with the connection, which ends now.
	return a, false, l.s.agents.became(ctx, conn, a)
}

// became waits until an agent that is updated is back, as what it was to become.
func (a *agents) became(ctx context.Context, old *agentConn, want model.AgentBinary) error {
	ctx, cancel := context.WithTimeout(ctx, comingTime)
	defer cancel()
	for {
		a.mu.Lock()
		now, entered := a.conns[old.hypervisor], a.entered
		a.mu.Unlock()
		if now != nil && now != old {
			switch {
			case now.hello.Binary == want.SHA256:
				return nil
			case now.hello.Failed != "":
				return fmt.Errorf("%s is on version %s as before: %s", old.hypervisor, now.hello.AgentVersion, firstLineOf(now.hello.Failed))
			}
			return fmt.Errorf("%s is back with version %s and not %s", old.hypervisor, now.hello.AgentVersion, want.Version)
		}
		select {
		case <-entered:
		case <-ctx.Done():
			return fmt.Errorf("the agent of %s has not come back yet: see agent list", old.hypervisor)
		}
	}
}
