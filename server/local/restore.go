package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"homelab/model/store"
)

// Restore puts a copy in place of the database of a data folder.
func Restore(out io.Writer, data string, from io.Reader) error {
	report, aside, err := store.Restore(filepath.Join(data, "homelab.db"), from)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "restored: %s\n", contents(report))
	if aside != "" {
		fmt.Fprintf(out, "the database before is kept as %s\n", aside)
	}
	return nil
}

// BecomeOwner gives up root for the user whose data it is, so that nothing in
// the folder becomes root's: a service of that user could not write it.
func BecomeOwner(folder string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil // it is made now, as root's own
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	if u, err := user.LookupId(strconv.Itoa(int(owner.Uid))); err == nil {
		_ = os.Setenv("HOME", u.HomeDir)
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(int(owner.Gid)), syscall.Setuid(int(owner.Uid))); err != nil {
		return fmt.Errorf("%s belongs to user %d, and this cannot go on as that user: %w", folder, owner.Uid, err)
	}
	return nil
}

// Check looks whether a copy of the database is sound.
func Check() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Look whether a copy of the database is sound",
		Long: `Look whether a copy of the database is sound, and change nothing: that all of it can be read, that what it says is valid,
and that its history made it what it is. The database of a server that runs cannot be looked at; a copy of it can:
` + "`ssh homelab.lan backup > homelab.db`" + `.`,
		Example: "  homelab check homelab.db",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &UsageError{errors.New("say which file")}
			}
			return nil
		},
	}
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := store.Check(args[0])
		var locked *store.LockedError
		if errors.As(err, &locked) {
			return fmt.Errorf("%w, or check a copy: ssh homelab.lan backup > copy.db", err)
		}
		if err != nil {
			return err
		}
		if *asJSON {
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(report)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is sound: %s\n", args[0], contents(report))
		return err
	}
	return cmd
}

func contents(r store.Report) string {
	text := fmt.Sprintf("revision %d", r.Revision)
	if !r.Changed.IsZero() {
		text += " of " + r.Changed.Local().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%s, hypervisors: %d, VMs: %d, users: %d, runs: %d, %.1f MiB", text, r.Hypervisors, r.VMs, r.Users, r.Runs, float64(r.Bytes)/(1<<20))
}
