package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

// pruning is what image prune removes, and its answer in JSON.
type pruning struct {
	Pruned bool         `json:"pruned"`
	Images []string     `json:"images"` // that no VM is made from
	Files  []prunedFile `json:"files"`
	Bytes  int64        `json:"bytes"` // that the files take
}

type prunedFile struct {
	Hypervisor string `json:"hypervisor"`
	model.ImageFile
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
		p := s.prunable()
		if len(p.Images)+len(p.Files) == 0 || *opts.dry {
			return s.tellPruning(opts, p)
		}
		if err := s.confirm(cmd.Context(), question{damage: few(p.lines())}, *opts.yes); err != nil {
			return err
		}
		if len(p.Images) > 0 {
			if _, err := s.lab.Commit(cmd.Context(), s.via, each(p.Images, model.Remove[model.Image])); err != nil {
				return err
			}
		}
		p.Pruned = true
		err := s.eachOf(p.hypervisors(), func(hv string) error {
			return s.lab.PruneImages(cmd.Context(), hv, p.on(hv))
		})
		if err != nil {
			return err
		}
		return s.tellPruning(opts, p)
	}
	return cmd
}

// prunable finds what nothing uses.
func (s *session) prunable() pruning {
	p := pruning{Images: []string{}, Files: []prunedFile{}}
	for _, name := range model.Names(s.state().Images) {
		if usersOf(s.state(), name) == 0 {
			p.Images = append(p.Images, name)
		}
	}
	status := s.lab.Status().Hypervisors
	for _, hv := range model.Names(status) {
		if status[hv].Agent != model.AgentOnline {
			continue
		}
		for _, f := range status[hv].Images {
			if !f.Used {
				p.Files = append(p.Files, prunedFile{hv, f})
				p.Bytes += f.Bytes
			}
		}
	}
	return p
}

// lines say what is removed.
func (p pruning) lines() []string {
	var lines []string
	for _, name := range p.Images {
		lines = append(lines, fmt.Sprintf("image %s is removed: no VM is made from it", name))
	}
	for _, f := range p.Files {
		why := "no disk stands on it"
		if f.Partial {
			why = "it was fetched in part"
		}
		lines = append(lines, fmt.Sprintf("%s: %s of image %s, %s, is removed: %s", f.Hypervisor, f.Volume, f.Image, size(f.Bytes), why))
	}
	return lines
}

func (p pruning) hypervisors() []string {
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Hypervisor)
	}
	return unique(names)
}

// on are the files on a hypervisor.
func (p pruning) on(hypervisor string) []string {
	var files []string
	for _, f := range p.Files {
		if f.Hypervisor == hypervisor {
			files = append(files, f.Volume)
		}
	}
	return files
}

func (s *session) tellPruning(opts options, p pruning) error {
	switch {
	case *opts.json:
		return s.printJSON(p)
	case len(p.Images)+len(p.Files) == 0:
		s.sayf("every image is used; nothing to remove")
		return nil
	case *opts.dry:
		s.sayf("dry run: nothing is changed")
	}
	for _, line := range p.lines() {
		s.sayf("%s", clean(line))
	}
	if p.Bytes > 0 {
		s.sayf("%s in all", size(p.Bytes))
	}
	return nil
}
