package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"homelab/model"
)

type poolJSON struct {
	Hypervisor string `json:"hypervisor"`
	model.Pool
}

func poolCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "pool", Aliases: []string{"pools"}, Short: "Where a hypervisor keeps disks"},
		listPools(s), addPool(s), editPool(s), removePool(s),
	)
}

func listPools(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "list [HYPERVISOR]",
		Aliases:           []string{"ls"},
		Short:             "List pools, of one hypervisor or of all",
		Example:           "pool list\npool list thinkpad --json",
		Args:              atMost("HYPERVISOR"),
		ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args...); err != nil {
			return err
		}
		pools := []poolJSON{}
		t := &table{header: []string{"hypervisor", "pool", "path", "kind"}}
		for _, name := range model.Names(s.state().Hypervisors) {
			if len(args) > 0 && args[0] != name {
				continue
			}
			for _, p := range s.state().Hypervisors[name].Pools {
				pools = append(pools, poolJSON{name, p})
				t.add(cell{text: name}, cell{text: p.Name}, cell{text: p.Path}, cell{text: poolKind(p)})
			}
		}
		if *asJSON {
			return s.printJSON(pools)
		}
		if len(pools) == 0 {
			s.notef("there are no pools")
			return nil
		}
		s.printTable(t)
		return nil
	}
	return cmd
}

// poolVerb makes a command that changes one pool of one hypervisor.
func poolVerb(s *session, cmd *cobra.Command, done string, edit func(h *model.Hypervisor, at int, pool string) error) *cobra.Command {
	cmd.Args = exactly("HYPERVISOR", "POOL")
	cmd.ValidArgsFunction = s.poolArgs
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.commit(cmd.Context(), opts, change{
			edit: model.Change(args[0], 0, func(h *model.Hypervisor) error {
				h.Pools = slices.Clone(h.Pools)
				at := slices.IndexFunc(h.Pools, func(p model.Pool) bool { return p.Name == args[1] })
				return edit(h, at, args[1])
			}),
			done: fmt.Sprintf("pool %s of %s is %s", args[1], args[0], done),
			same: fmt.Sprintf("pool %s of %s is like that", args[1], args[0]),
		})
	}
	return cmd
}

func (s *session) poolArgs(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return s.nameArgs(model.KindHypervisor, false)(cmd, args, toComplete)
	}
	var names []string
	for _, p := range s.state().Hypervisors[args[0]].Pools {
		names = append(names, p.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func addPool(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add HYPERVISOR POOL --path DIR",
		Short: "Add a pool to a hypervisor",
		Long: `Add a pool to a hypervisor: a folder that its agent makes and that extra disks can
lie in. With --nfs an export is mounted there, by libvirt; with --tmpfs a file system
in memory, by the agent: what lies there is gone when the machine is switched off, and
disks are made anew there, empty, when it is back.`,
		Example: "pool add thinkpad storage --path /srv/storage\npool add thinkpad nas --path /srv/nas --nfs nas.lan:/volume1/vms\npool add thinkpad ramdisk --path /srv/ramdisk --tmpfs 4GiB",
	}
	f := poolFields(s, cmd)
	return poolVerb(s, cmd, "added", func(h *model.Hypervisor, at int, pool string) error {
		if at >= 0 {
			return hint(fmt.Errorf("%s has a pool %q already", h.Name, pool), "change it with: pool edit %s %s --path DIR", shellQuote(h.Name), shellQuote(pool))
		}
		p := model.Pool{Name: pool}
		if err := f.apply(&p); err != nil {
			return err
		}
		if p.Path == "" {
			return &usageError{err: fmt.Errorf("say where it lies with --path DIR"), hint: seeHelp(cmd)}
		}
		h.Pools = append(h.Pools, p)
		return nil
	})
}

func poolFields(s *session, cmd *cobra.Command) *fields[model.Pool] {
	f := newFields[model.Pool](s, cmd)
	f.text("path", "the folder, absolute", func(p *model.Pool) *string { return &p.Path })
	f.text("nfs", "the export that is mounted there, HOST:/EXPORT; empty is none", func(p *model.Pool) *string { return &p.NFS })
	f.size("tmpfs", "size of the memory file system that is mounted there, such as 4GiB; 0 is none", model.ParseMiB, func(p *model.Pool) *int { return &p.TmpfsMiB })
	return f
}

// poolKind says what a pool is made of.
func poolKind(p model.Pool) string {
	switch {
	case p.NFS != "":
		return "nfs " + p.NFS
	case p.TmpfsMiB > 0:
		return "tmpfs " + mib(p.TmpfsMiB)
	}
	return "folder"
}

func editPool(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "edit HYPERVISOR POOL",
		Short:   "Change a pool",
		Long:    "Change a pool: its name, or as long as no disk lies in it what it is. A tmpfs can grow at any time.",
		Example: "pool edit thinkpad storage --path /srv/other",
	}
	f := poolFields(s, cmd)
	f.text("name", "a new name", func(p *model.Pool) *string { return &p.Name })
	return poolVerb(s, cmd, "changed", func(h *model.Hypervisor, at int, pool string) error {
		switch {
		case !f.some():
			return &usageError{err: fmt.Errorf("nothing to change was given"), hint: seeHelp(cmd)}
		case at < 0:
			return noPool(h, pool)
		}
		if err := f.apply(&h.Pools[at]); err != nil {
			return err
		}
		return nil
	})
}

func removePool(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "remove HYPERVISOR POOL",
		Aliases: []string{"rm"},
		Short:   "Remove a pool that no VM uses",
		Long:    "Remove a pool that no VM uses. The folder and its files stay.",
		Example: "pool remove thinkpad storage",
	}
	return poolVerb(s, cmd, "removed", func(h *model.Hypervisor, at int, pool string) error {
		if at < 0 {
			return noPool(h, pool)
		}
		h.Pools = slices.Delete(h.Pools, at, at+1)
		return nil
	})
}

func noPool(h *model.Hypervisor, pool string) error {
	var names []string
	for _, p := range h.Pools {
		names = append(names, p.Name)
	}
	return hint(fmt.Errorf("%s has no pool %q", h.Name, pool), "it has %s", andList(names))
}

// atMost takes these arguments or fewer.
func atMost(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return exactly(names...)(cmd, args)
		}
		return nil
	}
}
