package local

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

// Uninstall takes away what Install put in place; the data stays.
func Uninstall() *cobra.Command {
	i := &installation{}
	cmd := &cobra.Command{
		Use:   "uninstall [server|agent]",
		Short: "Take the services and files of an installation away",
		Long: `Take away what "homelab install" put in place: of the server, of the agent, or of both. The data stays, and where it lies
is said; so do guests, which need no agent to run.`,
		Example:   "  sudo homelab uninstall agent\n  sudo homelab uninstall --dry-run",
		ValidArgs: []string{"server", "agent"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &UsageError{errors.New("say server, agent, or nothing for both")}
			}
			if len(args) == 0 {
				args = []string{"server", "agent"}
			}
			i.ctx, i.out = cmd.Context(), cmd.OutOrStdout()
			return i.uninstall(args)
		},
	}
	installFlags(cmd, i)
	return cmd
}

func (i *installation) uninstall(whats []string) error {
	for _, what := range whats {
		if _, _, err := unitOf(what); err != nil {
			return &UsageError{err}
		}
	}
	if err := i.check(); err != nil {
		return err
	}
	for _, what := range whats {
		unit, data, _ := unitOf(what)
		if err := i.removeUnit(unit); err != nil {
			return err
		}
		if what == "server" {
			if _, err := os.Stat(i.path(sysusersFile)); err == nil {
				i.sayf("kept the user homelab, whose the data is")
			}
			if err := inOrder(func() error { return i.remove(sysusersFile) }, func() error { return i.remove(adminKeysFile) }); err != nil {
				return err
			}
			if !i.dry {
				_ = os.Remove(i.path(filepath.Dir(adminKeysFile))) // only if it is empty
			}
		}
		if _, err := os.Stat(i.path(data)); err == nil {
			i.sayf("kept %s, the %s's data: remove it by hand if it is of no use any more", data, what)
		}
	}
	if i.installed(serverUnit, whats) || i.installed(agentUnit, whats) {
		i.sayf("kept %s, which the other service needs", installedBinary)
		return nil
	}
	for _, shell := range completionFiles {
		if err := i.remove(shell.file); err != nil {
			return err
		}
	}
	return i.remove(installedBinary)
}

// installed tells whether a unit is there and stays.
func (i *installation) installed(unit string, going []string) bool {
	for _, what := range going {
		if u, _, _ := unitOf(what); u == unit {
			return false
		}
	}
	_, err := os.Stat(i.path(filepath.Join(unitFolder, unit)))
	return err == nil
}

// removeUnit stops a service and forgets it.
func (i *installation) removeUnit(unit string) error {
	file := filepath.Join(unitFolder, unit)
	if _, err := os.Stat(i.path(file)); errors.Is(err, fs.ErrNotExist) {
		i.sayf("%s is not installed", unit)
		return nil
	}
	if i.root != "" {
		return inOrder(func() error { return i.run("systemctl", "disable", unit) }, func() error { return i.remove(file) })
	}
	return inOrder(
		func() error { return i.run("systemctl", "disable", "--now", unit) },
		func() error { return i.remove(file) },
		func() error { return i.run("systemctl", "daemon-reload") },
	)
}

// stopUnit stops a service, and tells whether it ran.
func (i *installation) stopUnit(unit string) bool {
	ran := exec.CommandContext(i.ctx, "systemctl", "is-active", "--quiet", unit).Run() == nil
	_ = exec.CommandContext(i.ctx, "systemctl", "stop", unit).Run() // also one that waits to be restarted
	return ran
}

// remove removes a file that may not be there.
func (i *installation) remove(name string) error {
	if _, err := os.Lstat(i.path(name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if i.dry {
		i.sayf("would remove %s", name)
		return nil
	}
	if err := os.Remove(i.path(name)); err != nil {
		return err
	}
	i.sayf("removed %s", name)
	return nil
}
