package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

// pruning is the answer of image prune in JSON.
type pruning struct {
	Pruned bool `json:"pruned"`
	model.Unused
}

func pruneImages(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove images and files of images that nothing uses",
		Long: `Remove images that no VM is made from, and on the hypervisors whose agents are
connected the files of images that no disk stands on. Only files that an agent has
fetched or copied itself are removed, never those at an image's --path.`,
		Example: "image prune --dry-run\nimage prune --yes",
		Args:    exactly(),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		u := model.FindUnused(s.state(), s.lab.Status())
		if u.None() || *opts.dry {
			return s.tellPruning(opts, pruning{false, u})
		}
		if err := s.confirm(cmd.Context(), question{damage: few(u.Lines())}, *opts.yes); err != nil {
			return err
		}
		if len(u.Images) > 0 {
			if _, err := s.lab.Commit(cmd.Context(), s.via, u.Forget()); err != nil {
				return err
			}
		}
		on := u.On()
		err := s.eachOf(model.Names(on), func(hv string) error {
			return s.lab.PruneImages(cmd.Context(), hv, on[hv])
		})
		if err != nil {
			return err
		}
		return s.tellPruning(opts, pruning{true, u})
	}
	return cmd
}

func (s *session) tellPruning(opts options, p pruning) error {
	switch {
	case *opts.json:
		return s.printJSON(p)
	case p.None():
		s.sayf("every image is used; nothing to remove")
		return nil
	case *opts.dry:
		s.sayf("dry run: nothing is changed")
	}
	for _, line := range p.Lines() {
		s.sayf("%s", clean(line))
	}
	if p.Bytes > 0 {
		s.sayf("%s in all", model.SizeOf(p.Bytes))
	}
	return nil
}
