package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// Join makes this machine's agent known to a server, once, and returns the name
// of the hypervisor that it is. Data is the agent's folder; an empty server is
// the token's own. With an empty token it has joined before, and keeps where the
// server is now.
type Join func(ctx context.Context, data, token, server string) (hypervisor string, err error)

// Install puts the server or the agent in place as a service of this machine.
func Install(join Join) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install server|agent",
		Short: "Install the server or the agent as a service of this machine",
		Long: `Install the server or the agent as a service of this machine: the binary, a systemd unit with few rights, and the
completion of this command for shells. It can be repeated, to update or to change how; "homelab uninstall" reverts it.`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return &UsageError{errors.New("say what to install: server or agent")}
		},
	}
	cmd.AddCommand(installServer(), installAgent(join))
	return cmd
}

// installFlags are those of both.
func installFlags(cmd *cobra.Command, i *installation) {
	cmd.Flags().BoolVar(&i.dry, "dry-run", false, "show all that would be done, and change nothing")
	cmd.Flags().StringVar(&i.root, "root", "", "`folder` that is the root of another machine, such as the mounted SD card of a Pi; nothing is started")
}

func installServer() *cobra.Command {
	i := &installation{}
	var port int
	var address string
	var keys []string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Install the server",
		Long: `Install the server as a service with a user of its own, which may write its data (` + serverData + `) and nothing else.

Its first admin is whoever holds the keys of --authorized-keys, by default those of the user who ran sudo
(~/.ssh/authorized_keys and ~/.ssh/id_*.pub). A key's comment NAME@HOST names the admin. With --port 22 it is reached as
` + "`ssh homelab.lan`" + `, if nothing else has that port: what is in the way is named.`,
		Example: "  sudo homelab install server\n  sudo homelab install server --port 22 --dry-run",
		Args:    NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i.ctx, i.out = cmd.Context(), cmd.OutOrStdout()
			if port < 1 || port > 65535 {
				return &UsageError{fmt.Errorf("--port %d is no port", port)}
			}
			if strings.ContainsAny(address, " \t\n\"'%\\") {
				return &UsageError{fmt.Errorf("--address %q is no address", address)}
			}
			return i.server(cmd.Root(), address, port, keys)
		},
	}
	installFlags(cmd, i)
	cmd.Flags().IntVar(&port, "port", 2222, "`port` to listen on")
	cmd.Flags().StringVar(&address, "address", "", "`address` of this machine to listen on (default all)")
	cmd.Flags().StringArrayVar(&keys, "authorized-keys", nil, "`file` with the first admin's public keys (may be repeated)")
	return cmd
}

func (i *installation) server(root *cobra.Command, address string, port int, keys []string) error {
	if err := i.check(); err != nil {
		return err
	}
	listen := listenOf(address, strconv.Itoa(port))
	if err := i.checkPort(listen); err != nil {
		return err
	}
	admins, err := i.adminKeys(keys)
	if err != nil {
		return err
	}
	binary, err := i.binary()
	if err != nil {
		return err
	}
	before := i.portBefore()
	if admins != nil {
		if err := i.write(adminKeysFile, admins); err != nil {
			return err
		}
	}
	if err := inOrder(
		func() error { return i.write(sysusersFile, []byte(sysusers)) },
		func() error { return i.run("systemd-sysusers", filepath.Base(sysusersFile)) },
		func() error {
			return i.write(filepath.Join(unitFolder, serverUnit), []byte(serverService(binary, listen)))
		},
		func() error { return i.completions(root) },
		func() error { return i.start(serverUnit) },
	); err != nil {
		return err
	}
	if !i.dry && i.root == "" {
		to := hostname()
		if port != 22 {
			to = fmt.Sprintf("-p %d %s", port, to)
		}
		i.sayf("the server runs; connect with: ssh %s", to)
		i.sayf("what it says: journalctl -u %s", serverUnit)
	}
	if before != "" && before != strconv.Itoa(port) {
		i.sayf("note: agents that have joined look for it on port %s still; on each hypervisor: sudo homelab install agent --server HOST:%d", before, port)
	}
	return nil
}

// adminKeys are the public keys of the first admin, nil where there is a lab or
// a file of them already.
func (i *installation) adminKeys(files []string) ([]byte, error) {
	for _, name := range []string{serverData + "/homelab.db", adminKeysFile} {
		if _, err := os.Stat(i.path(name)); err == nil && files == nil {
			i.sayf("unchanged %s", name)
			return nil, nil
		}
	}
	named := files != nil
	if !named {
		files = keysOfCaller()
	}
	var found bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && named {
			return nil, fmt.Errorf("read the first admin's keys: %w", err)
		}
		for line := range bytes.Lines(text) {
			_, _, options, _, err := ssh.ParseAuthorizedKey(line)
			if line = bytes.TrimSpace(line); err == nil && len(options) == 0 && line[0] != '#' && !bytes.Contains(found.Bytes(), line) {
				fmt.Fprintf(&found, "%s\n", line)
			}
		}
	}
	if found.Len() == 0 {
		return nil, fmt.Errorf("there is no public key without options in %s, so nobody could connect: name a file of public keys with --authorized-keys", strings.Join(files, ", "))
	}
	return found.Bytes(), nil
}

func installAgent(join Join) *cobra.Command {
	i := &installation{}
	var token, server string
	cmd := &cobra.Command{
		Use:   "agent --join TOKEN",
		Short: "Install the agent of this hypervisor",
		Long: `Install the agent of this hypervisor as a service. It joins first, with the token that
` + "`ssh homelab.lan agent invite NAME`" + ` prints; if that fails nothing is installed. Where it has joined before, no token is needed.

It runs as root, as libvirt needs it, with what rights can be taken from it.`,
		Example: "  sudo homelab install agent --join homelab-join-…",
		Args:    NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i.ctx, i.out = cmd.Context(), cmd.OutOrStdout()
			return i.agent(cmd.Root(), join, token, server)
		},
	}
	installFlags(cmd, i)
	cmd.Flags().StringVar(&token, "join", "", "`token` of an invite")
	cmd.Flags().StringVar(&server, "server", "", "address of the server, `HOST:PORT`, if it is another than the token's or was moved")
	return cmd
}

func (i *installation) agent(root *cobra.Command, join Join, token, server string) error {
	if err := i.check(); err != nil {
		return err
	}
	if err := i.join(join, token, server); err != nil {
		return err
	}
	binary, err := i.binary()
	if err != nil {
		return err
	}
	if err := inOrder(
		func() error { return i.write(filepath.Join(unitFolder, agentUnit), []byte(agentService(binary))) },
		func() error { return i.completions(root) },
		func() error { return i.start(agentUnit) },
	); err != nil {
		return err
	}
	if !i.dry && i.root == "" {
		i.sayf("the agent is started; what it says: journalctl -u %s", agentUnit)
	}
	if _, err := os.Stat("/run/libvirt/libvirt-sock"); err != nil && i.root == "" {
		i.sayf("note: libvirt does not run here yet; on Debian: apt install libvirt-daemon-system qemu-system qemu-utils")
	}
	return nil
}

// join makes this machine's agent known to the server, once.
func (i *installation) join(join Join, token, server string) error {
	_, err := os.Stat(i.path(filepath.Join(agentData, "identity.json")))
	switch joined := err == nil; {
	case token == "" && joined && server == "":
		i.sayf("unchanged %s: it has joined before", agentData)
		return nil
	case token == "" && !joined:
		return &UsageError{errors.New("the agent has not joined yet: give --join TOKEN, which `ssh homelab.lan agent invite NAME` prints")}
	}
	if _, _, err := net.SplitHostPort(server); server != "" && err != nil {
		return &UsageError{fmt.Errorf("--server %q must be HOST:PORT", server)}
	}
	if _, err := wire.ParseToken(token); token != "" && err != nil {
		return &UsageError{err}
	}
	if i.dry {
		what := "join the server with the token, and keep who we are in " + agentData
		if token == "" {
			what = "look for the server at " + server + " from now on"
		}
		i.sayf("would %s", what)
		return nil
	}
	stopped := i.root == "" && i.stopUnit(agentUnit) // a running agent holds the folder
	name, err := join(i.ctx, i.path(agentData), token, server)
	if err != nil {
		if stopped {
			err = errors.Join(err, i.run("systemctl", "start", agentUnit))
		}
		return err
	}
	if i.changed = true; token == "" {
		i.sayf("%s looks for the server at %s from now on", name, server)
		return nil
	}
	i.sayf("joined as %s", name)
	return nil
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return name
}
