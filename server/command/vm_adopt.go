package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

func adoptVM(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt NAME",
		Short: "Take over a foreign guest that bears a VM's name",
		Long: `Take over a guest that was there before, such as the predecessor's: one whose
domain, or whose volume, bears the name of a VM but is not ours. The next run shuts
it down, makes its domain anew and starts it on the disks that it had. --dry-run
says what is known of it and what that takes.`,
		Example:           "vm adopt NAME --dry-run\nvm adopt NAME",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindVM, false),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	dry := cmd.Flags().Bool("dry-run", false, "say what it takes, and do nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindVM, args[0]); err != nil {
			return err
		}
		vm := s.state().VMs[args[0]]
		takes := s.adoption(vm)
		if *dry {
			for _, line := range takes {
				s.sayf("%s", clean(line))
			}
			return nil
		}
		if err := s.confirm(cmd.Context(), question{damage: takes}, *yes); err != nil {
			return err
		}
		if err := s.lab.Adopt(cmd.Context(), vm.Name); err != nil {
			return err
		}
		s.sayf("%s is adopted; the next run on %s brings it under control", clean(vm.Name), clean(vm.Hypervisor))
		return nil
	}
	return cmd
}

// adoption says what it takes to adopt what bears the name of a VM.
func (s *session) adoption(vm model.VM) []string {
	takes := s.state().Adoption(vm, s.hypervisorStatus(vm.Hypervisor))
	for i := range takes {
		takes[i] = vm.Hypervisor + ": " + takes[i]
	}
	if len(takes) == 0 {
		return []string{fmt.Sprintf("whatever on %s bears the name of %s would become ours; nothing that does is known", vm.Hypervisor, vm.Name)}
	}
	return takes
}
