package command

import (
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"homelab/model"
)

func uploadBinary(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upload",
		Short: "Give the server a binary for its agents to become",
		Long: `Give the server a binary of homelab for its agents to become, from standard input.
It is kept, one for each platform (linux_amd64, linux_arm64, …), which is read
from the binary itself.`,
		Example: "agent upload < homelab_0.5.0_linux_amd64",
		Args:    exactly(),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		if s.io.PTY {
			return usagef("a binary is read from standard input: leave ssh's -t away and redirect it with <")
		}
		b, err := s.lab.AddBinary(s.io.In)
		if err != nil {
			return fmt.Errorf("it is not taken: %w", err)
		}
		if *asJSON {
			return s.printJSON(b)
		}
		s.sayf("version %s for %s is here (%.1f MiB, SHA-256 %s); let agents become it with agent update NAME or --all", clean(b.Version), clean(b.Platform), mebibytes(b.Bytes), b.SHA256)
		return nil
	}
	return cmd
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func listBinaries(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "binaries", Short: "List the binaries that agents can become",
		Long:    "List the binaries that were uploaded for agents to become, one for each platform.",
		Example: "agent binaries", Args: exactly(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		all, err := s.lab.Binaries()
		if err != nil {
			return err
		}
		t := &table{header: []string{"platform", "version", "MiB", "uploaded", "sha256"}}
		for _, b := range all {
			t.add(cell{text: b.Platform}, cell{text: b.Version}, plainCell("%.1f", mebibytes(b.Bytes)), cell{text: s.age(b.Added)}, cell{text: b.SHA256[:min(12, len(b.SHA256))]})
		}
		switch {
		case *asJSON:
			return s.printJSON(all)
		case len(all) == 0:
			s.notef("there are none: agent upload < FILE")
		default:
			s.printTable(t)
		}
		return nil
	}
	return cmd
}

func updateAgent(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update NAME… | --all",
		Short: "Have agents become the version that was uploaded",
		Long: `Have agents become the version that was uploaded for their platform, over the
connection that they have. Each fetches the binary, checks it, and tries whether it
comes up and connects; only then it replaces its own, which is kept beside it as
homelab.old. If it does not, all stays as it was, and why is said. An agent is not
updated while a run of its is under way; guests notice nothing.`,
		Example:           "agent update thinkpad\nagent update --all",
		ValidArgsFunction: s.nameArgs(model.KindHypervisor, true),
	}
	all := cmd.Flags().Bool("all", false, "all agents that are connected")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		switch {
		case *all && len(names) > 0:
			return usagef("agent update takes names or --all, not both")
		case *all:
			if names = s.onlineAgents(); len(names) == 0 {
				s.notef("no agent is connected; nothing is updated")
			}
		case len(names) == 0:
			return &usageError{err: errors.New("agent update needs names, or --all"), hint: seeHelp(cmd)}
		}
		for _, name := range names {
			if err := s.mustExist(model.KindHypervisor, name); err != nil {
				return err
			}
		}
		errs := make([]error, len(names))
		var said sync.Mutex
		var updating sync.WaitGroup
		for i, name := range names {
			updating.Go(func() {
				b, unchanged, err := s.lab.UpdateAgent(cmd.Context(), name)
				said.Lock()
				defer said.Unlock()
				switch errs[i] = err; {
				case err != nil:
				case unchanged:
					s.sayf("%s has version %s already", clean(name), clean(b.Version))
				default:
					s.sayf("%s has version %s now", clean(name), clean(b.Version))
				}
			})
		}
		updating.Wait()
		return errors.Join(errs...)
	}
	return cmd
}

// onlineAgents are the hypervisors whose agent is connected.
func (s *session) onlineAgents() []string {
	var names []string
	for _, name := range model.Names(s.state().Hypervisors) {
		if s.hypervisorStatus(name).Agent == model.AgentOnline {
			names = append(names, name)
		}
	}
	return names
}
