// Command homelab runs a home lab over SSH: the server on an always-on
// machine, the agent on each hypervisor, and a demo of both on one machine.
// Everything else is asked of the server: `ssh homelab.lan help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"homelab/agent"
	"homelab/agent/wire"
	"homelab/model"
	"homelab/server"
	"homelab/server/demo"
	"homelab/server/local"
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the program: 0 is success, 1 failure, 2 wrong usage.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	var usage *local.UsageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(os.Stderr, "see `%s --help`\n", cmd.CommandPath())
		return 2
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "homelab",
		Short: "Run a home lab over SSH",
		Long: `homelab runs a home lab over SSH.

The server runs on an always-on machine, an agent on each hypervisor; people
only need ssh: ` + "`ssh homelab.lan`" + ` opens the dashboard, ` + "`ssh homelab.lan help`" + ` lists the
commands. To see it all on this machine: ` + "`homelab demo`" + `.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return local.Usage(errors.New("say which command: serve, agent, demo, install, uninstall, check or version"))
		},
	}
	root.SetFlagErrorFunc(local.BadFlag)
	root.AddCommand(newServe(), newAgent(), newDemo(), local.Install(join), local.Uninstall(), local.Check(), local.Version())
	return root
}

func newServe() *cobra.Command {
	var listen, data, metrics, restore, admin string
	var keys []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server: an SSH endpoint with the dashboard, the commands and the agents' subsystems.

At its first start it takes its first admin from the authorized_keys files named by --authorized-keys, by default
~/.ssh/authorized_keys and ~/.ssh/id_*.pub of the user who starts it. Later, users are managed over SSH.

With --restore it begins by putting a copy, made by ` + "`ssh homelab.lan backup`" + ` or lying in the data folder's backups, in place
of its database, which is kept aside. Started by root on the data of another user, it goes on as that user.

With --recover-admin, while no server runs, it lets the public keys of a file in as an admin's and ends: for who locked
themselves out.`,
		Example: "  homelab serve --listen :22 --data /var/lib/homelab\n  homelab serve --restore homelab.db",
		Args:    local.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if admin != "" {
				return server.RecoverAdmin(data, admin, cmd.OutOrStdout())
			}
			return serve(cmd.Context(), listen, metrics, restore, server.Options{Data: data, AuthorizedKeys: keys})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":2222", "address to listen on, `HOST:PORT`")
	cmd.Flags().StringVar(&data, "data", stateFolder("server"), "`folder` for the database and the host key")
	cmd.Flags().StringVar(&restore, "restore", "", "`file` to put in place of the database first; what was there is kept")
	cmd.Flags().StringVar(&admin, "recover-admin", "", "`file` of public keys that become an admin's, and no more: for who is locked out")
	cmd.Flags().StringArrayVar(&keys, "authorized-keys", nil, "`file` with the first admin's public keys (may be repeated)")
	cmd.Flags().StringVar(&metrics, "metrics", "", "address to serve Prometheus on, `HOST:PORT` such as 127.0.0.1:9100 (default off: anybody who reaches it may read)")
	return cmd
}

func serve(ctx context.Context, listen, metrics, restore string, opts server.Options) error {
	debug.SetGCPercent(50) // a Pi's memory is worth more than its time
	var from *os.File
	var err error
	if restore != "" {
		if from, err = os.Open(restore); err != nil {
			return err
		}
		defer from.Close()
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return listenError(listen, "--listen", err)
	}
	if metrics != "" {
		if opts.Metrics, err = net.Listen("tcp", metrics); err != nil {
			ln.Close()
			return listenError(metrics, "--metrics", err)
		}
	}
	opts.Listener, opts.Version, opts.Out = ln, local.ReadBuild().Version, os.Stdout
	opts.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	err = local.BecomeOwner(opts.Data) // what needed root is done
	if err == nil && from != nil {
		err = local.Restore(os.Stdout, opts.Data, from)
	}
	var srv *server.Server
	if err == nil {
		srv, err = server.New(opts)
	}
	if err != nil {
		ln.Close()
		if opts.Metrics != nil {
			opts.Metrics.Close()
		}
		return err
	}
	_, _ = daemon.SdNotify(true, daemon.SdNotifyReady) // that it runs; without systemd nobody waits for it
	return srv.Run(ctx)
}

func listenError(listen, flag string, err error) error {
	var address *net.AddrError
	switch {
	case errors.As(err, &address):
		return local.Usage(fmt.Errorf("%s %q must be HOST:PORT, or :PORT for all addresses of this machine", flag, listen))
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: choose another with %s", listen, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s needs more rights than this user has: choose a port above 1023 with %s, or give the binary CAP_NET_BIND_SERVICE", listen, flag)
	}
	return fmt.Errorf("listen on %s: %w", listen, err)
}

func newAgent() *cobra.Command {
	var opts agent.Options
	var token, halt string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent of this hypervisor",
		Long: `Run the agent of this hypervisor: it keeps one connection to the server, applies the Terraform that it is given there, and
says what happens.

It joins once, with the token that ` + "`ssh homelab.lan agent invite NAME`" + ` prints; later starts need none.`,
		Example: "  homelab agent --join homelab-join-…",
		Args:    local.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			argv, err := model.SplitCommand(halt)
			if err != nil || len(argv) == 0 {
				return local.Usage(fmt.Errorf("--shutdown-command %q is no command: give a program and its arguments, such as \"systemctl poweroff\"", halt))
			}
			if _, err := wire.ParseToken(token); token != "" && err != nil {
				return local.Usage(err)
			}
			opts.Shutdown = agent.PowerOff(argv...)
			opts.Token, opts.Version = token, local.ReadBuild().Version
			opts.Platform, opts.Args, opts.Trial = local.ReadBuild().Platform(), os.Args[1:], os.Getenv(agent.TrialEnv) != ""
			if opts.Executable, err = local.Executable(); err != nil {
				return err
			}
			opts.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
			return agent.Run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&token, "join", "", "`token` of an invite")
	cmd.Flags().StringVar(&opts.Server, "server", "", "address of the server, `HOST:PORT`, if it is another than the token's")
	cmd.Flags().StringVar(&halt, "shutdown-command", shutdownCommand(), "`command` that shuts this machine down, run without a shell; also $HOMELAB_SHUTDOWN_COMMAND")
	cmd.Flags().StringVar(&opts.Data, "data", stateFolder("agent"), "`folder` for the agent's key, terraform's state and the spool")
	return cmd
}

func shutdownCommand() string {
	if command := os.Getenv("HOMELAB_SHUTDOWN_COMMAND"); command != "" {
		return command
	}
	return "systemctl poweroff"
}

// stateFolder is where a server or agent keeps its data by default: systemd's
// StateDirectory, root's /var/lib/homelab, or the user's XDG state home.
func stateFolder(what string) string {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	if os.Getuid() == 0 {
		return filepath.Join("/var/lib/homelab", what)
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "homelab", what)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(".", "homelab-"+what)
	}
	return filepath.Join(home, ".local", "state", "homelab", what)
}

// join makes this machine's agent known to a server.
func join(ctx context.Context, data, token, server string) (string, error) {
	return agent.Join(ctx, agent.Options{Data: data, Token: token, Server: server})
}

func newDemo() *cobra.Command {
	var opts demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole home lab on this machine",
		Long: `Show a whole home lab on this machine: a server, three hypervisors (sandboxes: real agents and a real terraform, no
libvirt) and the dashboard in this terminal, over a real SSH connection. Quitting ends it all and leaves nothing behind.`,
		Args: local.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Headless, "headless", false, "print how to connect instead of opening the dashboard")
	cmd.Flags().StringVar(&opts.Listen, "listen", "", "address to listen on, `HOST:PORT` (default the first free port from 127.0.0.1:2222 on)")
	cmd.Flags().StringVar(&opts.Data, "data", "", "`folder` that keeps the demo's state (default a temporary one)")
	return cmd
}

func runDemo(ctx context.Context, opts demo.Options) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	terraform, err := agent.FindTerraform(ctx, filepath.Join(cache, "homelab"), func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err != nil {
		return err
	}
	opts.Version = local.ReadBuild().Version
	opts.RunAgent = func(ctx context.Context, a demo.Agent) error {
		return agent.Run(ctx, agent.Options{
			Data: a.Data, Token: a.Token, Log: a.Log, Shutdown: a.Shutdown, Version: opts.Version, Terraform: terraform,
		})
	}
	return demo.Run(ctx, opts)
}
