package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"homelab/model"
)

func powerCycle(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cycle NAME…",
		Short: "Cut the power of stuck machines and give it back",
		Long: `Cut the power of machines that are stuck for a moment and give it back: on the
machine's own controller where it has one, else on all that feeds it. Nothing is
shut down. Then the machine is wanted on. A NAME is a hypervisor, or an outlet
that feeds none.`,
		Example:           "power cycle thinkpad --yes\npower cycle thinkpad --wait",
		Args:              some("NAME"),
		ValidArgsFunction: s.powerArgs,
	}
	opts := mutating(cmd)
	wait := waitFlags(cmd, "the machines' agents are connected again")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := s.find(cmd, which{groups: &[]string{}, all: new(bool)}, args)
		if err != nil {
			return err
		}
		q := s.cutting(t.outlets, true)
		for _, name := range t.hypervisors {
			if status := s.hypervisorStatus(name); up(status) {
				q.damage = append(q.damage, fmt.Sprintf("%s would lose its power while it is up, with %s running: what they have not written would be lost",
					name, count(status.RunningGuests(), "guest", "guests")))
				q.word = name
			}
			q = s.alsoEssential(q, name)
		}
		if !*opts.dry {
			if err := s.confirm(cmd.Context(), q, *opts.yes); err != nil {
				return err
			}
			*opts.yes = true // once is enough
			if err := s.cycleAll(cmd, t.outlets, true, s.sayer(opts)); err != nil {
				return err
			}
		}
		if err := s.orderPower(cmd.Context(), opts, t, ordering{what: "cycled", damage: q.damage, order: (*model.Hypervisor).Cycle}); err != nil || !*wait.wait || *opts.dry {
			return err
		}
		return s.awaitPower(cmd.Context(), t.hypervisors, *wait.timeout, "on", func(st model.HypervisorStatus) bool {
			return st.Agent == model.AgentOnline && st.Sequence != nil && st.Sequence.Goal == "cycle" && !st.Sequence.Ended.IsZero()
		})
	}
	return cmd
}

// alsoEssential adds to a question what a machine that is fed by something
// essential carries.
func (s *session) alsoEssential(q question, hypervisor string) question {
	st := s.state()
	for _, o := range st.Hypervisors[hypervisor].Outlets {
		if st.Outlets[o].Essential {
			q.damage = append(q.damage, fmt.Sprintf("%s is fed by %s, which is essential: it carries this server or the way to it, and off may mean for good", hypervisor, o))
			q.word = hypervisor
		}
	}
	return q
}

func cycleOutlet(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cycle NAME…",
		Short: "Take the power of outlets away for a moment",
		Long: `Take the power of outlets away for a moment and give it back: by the device itself
where it can, so that it comes on again whatever becomes of the way to it. It ends
when the devices are on again. One that feeds a machine that is up is left alone
unless --force is given.`,
		Example:           "outlet cycle router",
		Args:              some("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindOutlet, true),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	force := cmd.Flags().Bool("force", false, "cut the power even of a machine that is up")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		if err := s.mustExist(model.KindOutlet, names...); err != nil {
			return err
		}
		if err := s.confirm(cmd.Context(), s.cutting(names, *force), *yes); err != nil {
			return err
		}
		return s.cycleAll(cmd, names, *force, s.sayf)
	}
	return cmd
}

func (s *session) cycleAll(cmd *cobra.Command, names []string, force bool, say func(string, ...any)) error {
	names = s.byRequirement(names)
	slices.Reverse(names)
	return s.eachOf(names, func(name string) error {
		if err := s.lab.CycleOutlet(cmd.Context(), name, force); err != nil {
			return err
		}
		say("outlet %s was off and is on", clean(name))
		return nil
	})
}
