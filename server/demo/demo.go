// Package demo is the home lab that `homelab demo` shows: a real server, three
// hypervisors that are sandboxes (real agents, a real terraform, no libvirt),
// and a terminal on a real SSH connection. It leaves nothing behind, unless a
// folder for its data is named.
//
// It never imports the agent: main hands over what starts one.
package demo

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/server"
)

// Agent is one agent to run until its context ends.
type Agent struct {
	Data     string // its folder
	Token    string // empty if it has joined before
	Log      *slog.Logger
	Shutdown func(context.Context) error // plays the machine that is shut down
}

// Options say how the demo runs.
type Options struct {
	Data     string // folder to keep; empty is a temporary one
	Listen   string // HOST:PORT; with an empty one the first free port from 2222 on
	Headless bool   // print how to connect instead of opening the dashboard
	Version  string
	RunAgent func(context.Context, Agent) error
}

// bootTime is how long a machine of the demo takes from power to agent.
const bootTime = 2 * time.Second

// lab is a demo that runs.
type runner struct {
	opts   Options
	folder string
	log    *slog.Logger
	srv    *server.Server
	client *ssh.Client

	ctx  context.Context // of everything that the demo starts
	wg   sync.WaitGroup
	mu   sync.Mutex
	stop map[string]context.CancelFunc // by machine that is on
}

// Run runs the demo until the person quits the dashboard or ctx ends.
func Run(ctx context.Context, opts Options) error {
	if !opts.Headless && !isTerminal() {
		return errors.New("this is not a terminal: use `homelab demo --headless` and connect with ssh")
	}
	folder, cleanup, err := dataFolder(opts.Data)
	if err != nil {
		return err
	}
	defer cleanup()
	logFile, err := os.OpenFile(filepath.Join(folder, "demo.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &runner{
		opts: opts, folder: folder, ctx: ctx, stop: map[string]context.CancelFunc{},
		log: slog.New(slog.NewTextHandler(logFile, nil)),
	}
	err = r.run(cancel)
	cancel()
	r.wg.Wait()
	return err
}

func dataFolder(data string) (folder string, cleanup func(), err error) {
	if data != "" {
		// What is printed must hold in every folder.
		if data, err = filepath.Abs(data); err != nil {
			return "", nil, err
		}
		return data, func() {}, os.MkdirAll(data, 0o700)
	}
	folder, err = os.MkdirTemp("", "homelab-demo-")
	return folder, func() { _ = os.RemoveAll(folder) }, err
}

// run starts everything, then waits for the person or the end.
func (r *runner) run(cancel context.CancelFunc) error {
	key, keyFile, err := r.loginKey()
	if err != nil {
		return err
	}
	ln, err := listen(r.opts.Listen)
	if err != nil {
		return err
	}
	config := filepath.Join(r.folder, "ssh")
	again := "ssh -F " + quoted(config) + " demo"
	r.srv, err = server.New(server.Options{
		Data: filepath.Join(r.folder, "server"), Listener: ln, Version: r.opts.Version, Log: r.log, Out: io.Discard, Notice: "a second terminal: " + again, Client: again,
		AuthorizedKeys: append([]string{keyFile + ".pub"}, personalKeys()...), Simulated: r.switched,
	})
	if err != nil {
		ln.Close()
		return err
	}
	if err := r.fill(); err != nil {
		return err
	}
	failed := make(chan error, 1)
	if err := writeConfig(config, keyFile, ln.Addr(), r.srv.HostKey()); err != nil {
		return err
	}
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		failed <- r.srv.Run(r.ctx)
		cancel()
	}()
	if r.client, err = dial(r.ctx, r.srv.Addr().String(), key, r.srv.HostKey()); err != nil {
		return err
	}
	defer r.client.Close()
	if err := r.powerOn(); err != nil {
		return err
	}
	if r.opts.Headless {
		fmt.Println(again)
		fmt.Fprintln(os.Stderr, "the demo runs until Ctrl-C")
		<-r.ctx.Done()
	} else if err := attach(r.ctx, r.client); err != nil {
		return err
	}
	cancel()
	return <-failed
}

// fill gives a new lab its contents; one that is kept from an earlier demo
// stays as it is.
func (r *runner) fill() error {
	if len(r.srv.Store().State().Hypervisors) > 0 {
		return nil
	}
	if _, err := r.srv.Store().Commit("demo", "homelab demo", lab()); err != nil {
		return err
	}
	now := time.Now()
	return errors.Join(r.srv.Store().RecordWatts(yesterday(now)...), r.srv.Store().RecordLoads(loadsYesterday(now)...))
}

// powerOn switches the outlets on that are on from the beginning, as a person
// would: by a command over SSH. Machines boot by what follows.
func (r *runner) powerOn() error {
	for _, outlet := range onAtFirst {
		if _, err := r.command("outlet on " + outlet); err != nil {
			return err
		}
	}
	return nil
}

// switched is called when a simulated outlet has been switched.
func (r *runner) switched(outlet string, on bool) {
	machine := machineFedBy(outlet)
	if machine == "" || r.ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !on {
		if stop := r.stop[machine]; stop != nil {
			stop()
		}
		delete(r.stop, machine)
		return
	}
	if r.stop[machine] != nil {
		return
	}
	ctx, stop := context.WithCancel(r.ctx)
	r.stop[machine] = stop
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		if err := r.boot(ctx, machine, stop); err != nil && ctx.Err() == nil {
			r.log.Error("agent ended", "machine", machine, "error", err)
		}
	}()
}

// boot plays a machine from power to shutdown.
func (r *runner) boot(ctx context.Context, machine string, halt func()) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(bootTime):
	}
	a := Agent{
		Data: filepath.Join(r.folder, machine), Log: r.log.With("machine", machine),
		Shutdown: func(context.Context) error { halt(); return nil },
	}
	if _, joined := r.srv.Store().State().Agents[machine]; !joined {
		var err error
		if a.Token, err = r.invite(machine); err != nil {
			return err
		}
	}
	return r.opts.RunAgent(ctx, a)
}

// loginKey makes, or finds, the key that opens the demo.
func (r *runner) loginKey() (ssh.Signer, string, error) {
	file := filepath.Join(r.folder, "demo_key")
	if old, err := os.ReadFile(file); err == nil {
		signer, err := ssh.ParsePrivateKey(old)
		return signer, file, err
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "homelab demo")
	if err != nil {
		return nil, "", err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, "", err
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	if err := os.WriteFile(file+".pub", []byte(public[:len(public)-1]+" demo\n"), 0o600); err != nil {
		return nil, "", err
	}
	return signer, file, os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

// personalKeys are the person's own public keys, so that plain ssh gets in too.
func personalKeys() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
	return files
}

// listen opens the address, or the first free port from 2222 on.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		ln, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s is in use by another program: choose another with --listen", addr)
		}
		return ln, err
	}
	var err error
	for port := 2222; port < 2242; port++ {
		var ln net.Listener
		if ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return ln, nil
		}
	}
	return nil, err
}
