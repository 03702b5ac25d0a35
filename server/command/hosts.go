package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

func hostsCommand(s *session) *cobra.Command {
	return s.reachCommand("hosts", "The guests' names and addresses, as lines for /etc/hosts",
		`The names and addresses of the guests, as lines for your machine's /etc/hosts:
static addresses, else those that the hypervisors' agents report.`,
		func(r model.Reach) { s.sayf("%s\t%s %s", r.Address, clean(r.VM), clean(r.Host)) })
}

func sshConfigCommand(s *session) *cobra.Command {
	return s.reachCommand("ssh-config", "The guests, as blocks for ~/.ssh/config",
		`A Host block for each guest, with its address and the user that the settings name:
write it to ~/.ssh/config.d/homelab, and say in ~/.ssh/config: Include config.d/*`,
		func(r model.Reach) {
			s.sayf("Host %s %s\n    HostName %s", clean(r.VM), clean(r.Host), r.Address)
			if user := s.state().Settings.GuestUser; user != "" {
				s.sayf("    User %s", clean(user))
			}
		})
}

// reachCommand prints something of each guest whose address is known, and notes
// the others.
func (s *session) reachCommand(use, summary, long string, print func(model.Reach)) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: summary, Long: long, Example: use, Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		all := model.Reaches(s.state(), s.lab.Status())
		if *asJSON {
			return s.printJSON(all)
		}
		var unknown []string
		for _, r := range all {
			if r.Address == "" {
				unknown = append(unknown, r.VM)
				continue
			}
			print(r)
		}
		if len(unknown) > 0 {
			s.notef("note: no address is known of %s", clean(andList(unknown)))
		}
		return nil
	}
	return cmd
}
