package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

func planCommand(s *session) *cobra.Command {
	return startCommand(s, model.RunPlan, "plan NAME", "See what an apply would do on a hypervisor",
		"Let a hypervisor's agent plan its config and show what an apply would do. Nothing is changed.")
}

func applyCommand(s *session) *cobra.Command {
	return startCommand(s, model.RunApply, "apply NAME", "Apply a hypervisor's config at once",
		`Apply a hypervisor's config at once, without waiting for the next try. The run's
log is followed to its end, and the exit status says how it went; --detach comes
back at once. Where runs count once the guests are configured (--await-salt of the
hypervisor or the active profile), that is waited for too. A run that waits for approval is asked about on a terminal.`)
}

func startCommand(s *session, kind model.RunKind, use, summary, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: summary, Long: long, Example: string(kind) + " thinkpad",
		Args: exactly("NAME"), ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	detach := cmd.Flags().Bool("detach", false, "come back as soon as the run is ordered")
	asJSON := cmd.Flags().Bool("json", false, "answer with the run in JSON, at its end")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args[0]); err != nil {
			return err
		}
		run, err := s.lab.StartRun(cmd.Context(), args[0], kind)
		if err != nil {
			return err
		}
		if *detach {
			if *asJSON {
				return s.printJSON(run)
			}
			s.sayf("run %d is %s; follow it with: logs %d -f", run.ID, run.State, run.ID)
			return nil
		}
		if err := s.followRun(cmd.Context(), run.ID, *asJSON, false); err != nil || kind != model.RunApply {
			return err
		}
		return s.awaitConfigured(cmd.Context(), args[0], *asJSON)
	}
	return cmd
}

func approveCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "approve RUN",
		Short:             "Let a run that waits apply its plan",
		Long:              "Let a run that waits for approval apply its plan, and follow it to its end.",
		Example:           "approve 12",
		Args:              exactly("RUN"),
		ValidArgsFunction: s.runArgs,
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	detach := cmd.Flags().Bool("detach", false, "come back at once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := number(cmd, "RUN", args[0])
		if err != nil {
			return err
		}
		run, err := s.lab.Run(id)
		if err != nil {
			return s.noRun(err)
		}
		if run.State != model.RunWaiting {
			return hint(fmt.Errorf("run %d does not wait for approval: it %s", id, isNow(run.State)), "see: run show %d", id)
		}
		if err := s.approve(cmd.Context(), run, *yes); err != nil || *detach {
			return err
		}
		if err := s.followRun(cmd.Context(), run.ID, false, true); err != nil || run.Kind != model.RunApply {
			return err
		}
		return s.awaitConfigured(cmd.Context(), run.Hypervisor, false)
	}
	return cmd
}

// isNow says a state of a run as the end of a sentence about it.
func isNow(s model.RunState) string {
	switch s {
	case model.RunQueued, model.RunPlanning, model.RunWaiting, model.RunApplying:
		return "is " + string(s)
	case model.RunNoop:
		return "has found nothing to change"
	case model.RunCancelled, model.RunSuperseded:
		return "was " + string(s)
	}
	return "has " + string(s)
}

// approve asks about what the run would destroy, and lets it go on.
func (s *session) approve(ctx context.Context, run model.Run, yes bool) error {
	var q question
	for _, v := range run.Violations {
		q.damage = append(q.damage, violation(v))
		q.word = run.Hypervisor
	}
	if err := s.confirm(ctx, q, yes); err != nil {
		return err
	}
	if err := s.lab.Approve(ctx, run.ID); err != nil {
		return err
	}
	s.notef("run %d is approved", run.ID)
	return nil
}

func cancelCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "cancel RUN",
		Short:             "Interrupt a run; a second time kills it",
		Long:              "Interrupt a run gracefully: what it has begun it ends. A second cancel kills it.",
		Example:           "cancel 12",
		Args:              exactly("RUN"),
		ValidArgsFunction: s.runArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := number(cmd, "RUN", args[0])
			if err != nil {
				return err
			}
			if err := s.lab.Cancel(cmd.Context(), id); err != nil {
				return s.noRun(err)
			}
			s.sayf("run %d is told to stop", id)
			return nil
		},
	}
}
