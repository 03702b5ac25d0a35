// Package agent is the hypervisor's side of homelab: it joins a server once,
// then keeps one SSH connection to it, carries out the runs that the server
// orders with a terraform of its own, and tells what happens and what it sees.
//
// It promises: nothing is applied that was not received whole; nothing is
// destroyed that nobody announced or approved; what it said about a run
// reaches the server once and in order, whatever dies in between. Terraform
// belongs to the agent and never to the connection. One run at a time.
//
// It does not decide what to run or when to try again: the server does.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// Options say how an agent runs.
type Options struct {
	Data    string // folder of everything that it keeps
	Server  string // HOST:PORT; empty is what the token or the last join said
	Token   string // of an invite; empty when it has joined before
	Version string // of the program
	Log     *slog.Logger
	// Terraform is the path of a terraform or tofu; empty finds or fetches one.
	Terraform string
	// LibvirtURI is a local URI of libvirt; empty is qemu:///system.
	LibvirtURI string
	// Shutdown shuts this machine down; nil is systemctl poweroff.
	Shutdown func(context.Context) error
	// Executable is the program's file, which an update replaces, and Args are
	// the arguments that it was started with; empty: it cannot be updated.
	// Platform is what it was built for, such as linux_arm64.
	Executable string
	Args       []string
	Platform   string
	// Trial ends the agent without an error as soon as the server welcomed it.
	Trial bool

	failedUpdate string // why the last update was taken back
	sum          string // SHA-256 of the program
}

// agent is a running one.
type agent struct {
	opts Options
	log  *slog.Logger
	f    folder
	id   identity
	// signer is our own key, and trust the server's.
	signer ssh.Signer
	trust  trust
	tf     *terraform
	spool  *spool
	names  *names
	link   *link
	run    *runner
	virt   *virt

	become   chan *update                  // the program that this one is to become
	welcomed chan struct{}                 // closed by the server's first welcome, on trial
	manifest atomic.Pointer[wire.Manifest] // of the config fetched last; nil before
	fetched  string                        // its digest, if fetched by this process; the runner's
	halting  atomic.Bool                   // guests and machine are being shut down
	down     atomic.Bool                   // the guests of a sandbox were
	accel    atomic.Pointer[string]        // kvm or tcg once that is known
	probed   string                        // what the KVM probe found, empty before; the runner's

	invMu sync.Mutex
	inv   []byte        // the inventory sent last on this connection
	facts model.Facts   // sent last
	kick  chan struct{} // look at the guests now

	measure chan struct{} // measure the load now, for a new connection
}

// Run joins the server if there is a token that was not used yet, and works
// until ctx ends: then it stops terraform in order, hands over what it can and
// returns nil. An update that is ordered replaces the process by the new
// program; one that does not come up is told to the server.
func Run(ctx context.Context, opts Options) error {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.sum = binarySum(opts.Executable)
	for {
		err := runOnce(ctx, opts)
		var ordered *update
		if !errors.As(err, &ordered) {
			return err
		}
		err = ordered.carryOut(ctx, opts)
		if ctx.Err() != nil {
			return nil
		}
		opts.failedUpdate = err.Error()
		opts.Log.Error("the update was taken back", "error", err)
	}
}

// runOnce works until ctx ends, or an update is to be carried out, which is its
// error then.
func runOnce(ctx context.Context, opts Options) error {
	f, lock, id, err := enter(ctx, opts)
	if err != nil {
		return err
	}
	defer lock.Close()
	a, err := open(ctx, f, id, opts)
	if err != nil {
		return err
	}
	defer a.spool.Close()
	defer a.virt.Close()
	return a.work(ctx)
}

// Join joins the server with the token of opts, unless it was joined with it
// before or there is none, and returns the name of the hypervisor that this
// machine is. Where opts say that the server is, it is looked for from now on.
func Join(ctx context.Context, opts Options) (hypervisor string, err error) {
	f, lock, id, err := enter(ctx, opts)
	if err != nil {
		return "", err
	}
	return id.Hypervisor, errors.Join(f.save(identityFile, id), lock.Close())
}

// enter makes the data folder this process's own, until the lock is closed, and
// finds out who we are.
func enter(ctx context.Context, opts Options) (folder, *os.File, identity, error) {
	data, err := filepath.Abs(opts.Data)
	if err != nil {
		return "", nil, identity{}, err
	}
	_, statErr := os.Stat(data)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", nil, identity{}, err
	}
	f := folder(data)
	lock, err := f.lock()
	if err != nil {
		return "", nil, identity{}, err
	}
	id, err := identify(ctx, f, opts)
	if err != nil {
		if errors.Is(statErr, os.ErrNotExist) { // leave nothing behind
			_ = os.Remove(lock.Name())
			_ = os.Remove(data)
		}
		lock.Close()
		return "", nil, identity{}, err
	}
	return f, lock, id, nil
}

// work runs the agent's goroutines until ctx ends or the spool breaks.
func (a *agent) work(ctx context.Context) error {
	a.log.Info("agent started", "server", a.id.Server, "terraform", cmp.Or(a.tf.Name(), "none yet: the first run fetches one"))
	// The connection outlives the runs, to say how they ended.
	connCtx, disconnect := context.WithCancel(context.WithoutCancel(ctx))
	defer disconnect()
	var wg sync.WaitGroup
	wg.Go(func() { a.stayConnected(connCtx) })
	wg.Go(func() { a.watchGuests(connCtx) })
	wg.Go(func() { a.watchEvents(connCtx) })
	wg.Go(func() { a.watchLoad(connCtx) })
	wg.Go(func() { a.raisePools(connCtx) })
	var err error
	select {
	case <-ctx.Done():
	case <-a.spool.Broken():
		err = a.spool.Err()
	case ordered := <-a.become:
		err = ordered
	case <-a.welcomed:
	}
	a.run.Stop()
	a.drain(2 * time.Second)
	disconnect()
	wg.Wait()
	a.log.Info("agent stopped")
	return err
}

// drain gives a connected server the time to take what is in the spool.
func (a *agent) drain(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for a.link.Up() && a.spool.Pending() > 0 && pause(ctx, 20*time.Millisecond) == nil {
	}
}

// platformOf finds the platform that a config is for.
func (a *agent) platformOf(m wire.Manifest) (platform, error) {
	switch m.Platform {
	case model.PlatformSandbox:
		return sandbox{a}, nil
	case model.PlatformLibvirt:
		return a.virt, nil
	}
	return nil, fmt.Errorf("the config is for the platform %q, which this agent does not know: update the agent", m.Platform)
}
