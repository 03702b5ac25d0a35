package command

import (
	"bufio"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

// Restoration is what a copy of the store holds of the desired state.
type Restoration struct {
	State   *model.State
	Changed time.Time // when its last revision was made
	// Secrets puts back secrets of devices that are not known any more, once
	// the state is committed.
	Secrets func() error
}

func backupCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "backup",
		Short: "A copy of the whole store, while it runs",
		Long: `Write a consistent copy of the whole store while the server runs: the desired
state, its history, users and keys, secrets, runs, and the host key. Keep it as
you keep a key.

Two ways back: restore takes the desired state of it, as one change that can be
undone; on the server's machine, homelab serve --restore FILE puts all of it
back. homelab check FILE says whether a copy is sound. The server makes a copy of
its own each day and keeps 14, in the folder backups of its data.`,
		Example: "backup > homelab.db",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			if s.io.PTY {
				return usagef("a backup is no text for a terminal: leave ssh's -t away and redirect it with > homelab.db")
			}
			out := bufio.NewWriterSize(s.io.Out, 256<<10)
			if err := s.lab.Backup(out); err != nil {
				return err
			}
			return out.Flush()
		},
	}
}

func restoreCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Make the lab as it was in a backup",
		Long: `Make the desired state as it was in a backup, which is read from standard input:
VMs, hypervisors, outlets, images, settings and all else that people wrote. It is
one change, shown before it is made (--dry-run), asked about where it loses
something, and undone by undo.

What stays as it is: users and their keys, agents, the history, orders about
power and holds. A hypervisor that came since and has an agent stays too.`,
		Example: "restore --dry-run < homelab.db\nrestore --yes < homelab.db",
		Args:    exactly(),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if s.io.PTY {
			return usagef("a backup is read from standard input: leave ssh's -t away and redirect it with < homelab.db")
		}
		s.untyped = true
		back, err := s.lab.OpenBackup(s.io.In)
		if err != nil {
			return err
		}
		return s.commit(cmd.Context(), opts, change{
			edit: model.Merge(back.State, true),
			done: fmt.Sprintf("the lab is as it was at revision %d, of %s", back.State.Revision, back.Changed.UTC().Format("2006-01-02 15:04 UTC")),
			same: "the lab is as in the backup",
			then: func(changed bool) error {
				if !changed {
					return nil
				}
				return back.Secrets()
			},
		})
	}
	return cmd
}
