// Package server is the SSH endpoint and what stands behind it: who may
// connect, the sessions of people, the agents' subsystems, the outlets, and
// the reconciling of each hypervisor.
//
// It promises that a key that it does not know never gets a session, that an
// agent's key reaches two subsystems and its own hypervisor only, that one
// client that stops reading, floods or dies delays nobody else, and that Run
// leaves every client's terminal sane and no goroutine behind.
//
// It does not know how commands read (server/command), how screens look (tui),
// how a config is rendered (server/terraform), or what an agent does.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model/store"
	"homelab/power"
	"homelab/server/command"
	"homelab/server/console"
	"homelab/tui"
)

// Options say how a server runs.
type Options struct {
	Data     string       // folder of the database and the host key
	Listener net.Listener // closed by Run
	// AuthorizedKeys are files with the public keys of the first admin; nil
	// is the starting user's own. They are read while there is no user.
	AuthorizedKeys []string
	Version        string
	Log            *slog.Logger
	Out            io.Writer // gets the line to type, and the keys that became admin
	// Notice is what is good to know of this server all the time; dashboards
	// show it quietly.
	Notice string
	// Client is how people call ssh to get here, where its address is not
	// enough; empty is that it is.
	Client string
	// Simulated is called when a simulated outlet has been switched.
	Simulated func(outlet string, on bool)
	// Metrics serves Prometheus on it if it is not nil; closed by Run.
	Metrics net.Listener
}

// Server is one SSH endpoint over one store.
type Server struct {
	opts  Options
	log   *slog.Logger
	store *store.Store
	keys  *hostKeys
	ssh   *ssh.Server

	strangers  strangers
	turns      chan struct{} // of strangers that are worked on
	audit      *audit
	identities *identities
	live       *live
	observed   *observed
	editors    editors
	agents     *agents
	consoles   *console.Consoles
	moves      *moves
	ingest     *ingest
	outlets    *outlets
	storage    *storage
	meters     *meters
	loads      *loads
	told       *told
	configs    *configs
	binaries   *binaries
	minions    *minions
	salts      *salts
	reconcile  *reconcilers
	automatics *automatics

	windows    sync.Map                                    // of sessions with a pty: ssh.Session → *window
	keepalive  time.Duration                               // pause between questions to a session's client
	silence    time.Duration                               // after which an agent counts as gone
	ping       func(context.Context, string) (bool, error) // of an address; an error is that nobody knows
	cyclePause time.Duration                               // for which a cycle takes the power away
	// What a session runs; tests put their own here.
	dashboard func(*lab, tui.Options) tea.Model
	command   func(context.Context, *lab, []string, command.IO) int
}

// New opens the store, makes the host key if there is none, and finds the
// first admin if there is no user yet. Run must be called to end what it
// opened.
func New(opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	st, keys, err := openData(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, log: opts.Log, store: st, keys: keys, keepalive: keepalivePause, silence: wire.Silence, cyclePause: power.CyclePause, ping: ping,
		dashboard: func(l *lab, o tui.Options) tea.Model { return tui.New(l, o) },
		command: func(ctx context.Context, l *lab, args []string, stdio command.IO) int {
			return command.Run(ctx, l, args, stdio)
		},
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	s.audit, s.identities = newAudit(st, s.log), &identities{store: st}
	s.live, s.observed = newLive(), newObserved(st, time.Now())
	s.editors.hub = st.Hub()
	s.agents = newAgents(s)
	s.moves = newMoves(s)
	s.consoles = console.New(s.agents.openConsole)
	s.binaries = &binaries{dir: filepath.Join(opts.Data, "binaries")}
	s.ingest = newIngest(st, s.runEnded)
	s.meters, s.loads, s.told = newMeters(s), newLoads(s), newTold(s)
	s.outlets = newOutlets(s)
	s.storage = newStorage(s)
	s.minions = newMinions(st, s.log)
	s.configs = newConfigs(st, s.log, s.minions)
	s.salts = newSalts(s)
	s.minions.written = s.salts.written
	s.reconcile = newReconcilers(s)
	s.automatics = newAutomatics(s)
	s.ssh = s.endpoint()
	return s, nil
}

// openData opens the store and the host keys in the data folder, and makes what
// a first start needs.
func openData(opts Options) (*store.Store, *hostKeys, error) {
	db := filepath.Join(opts.Data, "homelab.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		// A first start that cannot succeed leaves nothing behind.
		if _, err := adminKeys(opts.AuthorizedKeys); err != nil {
			return nil, nil, err
		}
	}
	if err := os.MkdirAll(opts.Data, 0o700); err != nil {
		return nil, nil, err
	}
	keys, err := openHostKeys(opts.Data, opts.Log)
	if err != nil {
		return nil, nil, err
	}
	st, err := store.Open(db)
	if err != nil {
		return nil, nil, err
	}
	st.Carry(hostKeyFiles)
	if err := firstAdmin(st, opts.AuthorizedKeys, opts.Out); err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, keys, nil
}

// Store is the server's store, for whoever runs the server in-process.
func (s *Server) Store() *store.Store { return s.store }

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.opts.Listener.Addr() }

// HostKey is the server's public host key that is in use.
func (s *Server) HostKey() gossh.PublicKey { return s.keys.all()[0].PublicKey() }

// Run serves until ctx ends, or the listener fails. Then it ends the sessions
// so that terminals are as they were before, closes every connection, and
// closes the store.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	for _, run := range []func(context.Context){s.ingest.Run, s.outlets.Run, s.storage.Run, s.meters.Run, s.loads.Run, s.told.Run, s.reconcile.Run, s.automatics.Run, s.copyDaily, s.minions.Run, s.salts.Run, s.moves.Run, s.watchIdentities, s.audit.Run} {
		parts.Go(func() { run(ctx) })
	}
	if ln := s.opts.Metrics; ln != nil {
		parts.Go(func() { s.serveMetrics(ctx, ln) })
	}
	fmt.Fprintf(s.opts.Out, "%s\n", connectLine(s.Addr()))
	s.log.Info("listening", "address", s.Addr().String(), "version", s.opts.Version, "host_key", gossh.FingerprintSHA256(s.HostKey()))

	served := make(chan error, 1)
	go func() { served <- s.ssh.Serve(&door{s.opts.Listener, s.admit}) }()
	var err error
	select {
	case <-ctx.Done():
		s.stopServing()
		<-served
	case err = <-served:
		s.stopServing()
	}
	cancel()
	parts.Wait()
	s.log.Info("stopped")
	return errors.Join(err, s.store.Close())
}

// stopServing ends sessions first, while they can still say good-bye to their
// terminals, then the connections.
func (s *Server) stopServing() {
	s.opts.Listener.Close()
	s.live.endSessions(2 * time.Second)
	// Clients hang up when they have read how their sessions ended; one that
	// is cut off first takes it for a failure of the connection.
	s.live.wait(500 * time.Millisecond)
	_ = s.ssh.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = s.ssh.Shutdown(ctx) // waits for what Close closed
	s.live.wait(3 * time.Second)
}

// connectLine is what a person types to get in.
func connectLine(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			host = "localhost"
		}
	}
	if port == "22" {
		return "ssh you@" + host
	}
	return fmt.Sprintf("ssh -p %s you@%s", port, host)
}
