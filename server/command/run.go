package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func runCommand(s *session) *cobra.Command {
	return parent(&cobra.Command{Use: "run", Aliases: []string{"runs"}, Short: "What was planned and applied"}, listRuns(s), showRun(s), unlockRun(s))
}

func unlockRun(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlock NAME",
		Short: "Remove a lock that was left on a hypervisor's state",
		Long: `Remove the lock on terraform's state that a process of a hypervisor has left
behind which is gone. While one is at work it is refused, and says which: a run is
ended with cancel, a terraform that somebody runs by hand is ended there.
hypervisor show says who holds the lock.`,
		Example: "run unlock thinkpad",
		Args:    exactly("NAME"), ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args[0]); err != nil {
			return err
		}
		if err := s.lab.Unlock(cmd.Context(), args[0]); err != nil {
			return err
		}
		s.sayf("the state of %s is not locked any more", clean(args[0]))
		return nil
	}
	return cmd
}

func listRuns(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "list [HYPERVISOR]",
		Aliases:           []string{"ls"},
		Short:             "List runs, newest first",
		Example:           "run list\nrun list thinkpad --json",
		Args:              atMost("HYPERVISOR"),
		ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	asJSON := jsonFlag(cmd)
	limit := cmd.Flags().Uint("limit", 0, "at most this many; 0 is all that are kept")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args...); err != nil {
			return err
		}
		runs, err := s.lab.Runs(strings.Join(args, ""))
		if err != nil {
			return err
		}
		if *limit > 0 {
			runs = runs[:min(len(runs), int(min(*limit, 1<<30)))]
		}
		if *asJSON {
			return s.printJSON(runs)
		}
		if len(runs) == 0 {
			s.notef("there are no runs")
			return nil
		}
		t := &table{header: []string{"run", "hypervisor", "kind", "state", "changes", "started", "took", "error"}}
		for _, r := range runs {
			t.add(plainCell("%d", r.ID), cell{text: r.Hypervisor}, cell{text: string(r.Kind)}, runStateCell(r.State),
				cell{text: summary(r)}, cell{text: s.age(r.Started)}, cell{text: s.lasted(r)}, cell{text: firstLine(r.Error)})
		}
		s.printTable(t)
		return nil
	}
	return cmd
}

// summary is such as "+2 ~1 -1, 3 of 4".
func summary(r model.Run) string {
	text := fmt.Sprintf("+%d ~%d -%d", r.Summary.Add, r.Summary.Change, r.Summary.Destroy)
	if r.Summary.Total > 0 && r.Summary.Done < r.Summary.Total && r.Kind == model.RunApply {
		text += fmt.Sprintf(", %d of %d", r.Summary.Done, r.Summary.Total)
	}
	return text
}

func (s *session) lasted(r model.Run) string {
	switch {
	case r.Started.IsZero():
		return ""
	case r.Finished.IsZero():
		return took(s.now().Sub(r.Started))
	}
	return took(r.Finished.Sub(r.Started))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func showRun(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show RUN",
		Short:             "Show one run and what it does",
		Example:           "run show 12",
		Args:              exactly("RUN"),
		ValidArgsFunction: s.runArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := number(cmd, "RUN", args[0])
		if err != nil {
			return err
		}
		run, err := s.lab.Run(id)
		if err != nil {
			return s.noRun(err)
		}
		if *asJSON {
			return s.printJSON(run)
		}
		s.printRun(run)
		return nil
	}
	return cmd
}

func (s *session) printRun(r model.Run) {
	pairs := []pair{
		{"run", plainCell("%d", r.ID)},
		{"hypervisor", cell{text: r.Hypervisor}},
		{"kind", cell{text: string(r.Kind)}},
		{"state", runStateCell(r.State)},
		{"changes", cell{text: summary(r)}},
		{"revision", plainCell("%d", r.Revision)},
		{"digest", cell{text: short(r.Digest)}},
		{"started", cell{text: s.age(r.Started)}},
		{"took", cell{text: s.lasted(r)}},
	}
	for _, line := range strings.Split(r.Error, "\n") {
		if line != "" {
			pairs = append(pairs, pair{"error", cell{line, red}})
		}
	}
	s.printPairs(pairs)
	s.printResources(r)
	for _, v := range r.Violations {
		s.sayf("%s", s.paint(red, clean(violation(v))))
	}
	if r.State == model.RunWaiting {
		s.sayf("\n%s", s.howToGoOn(r))
	}
}

func violation(v model.Violation) string {
	did := "would be deleted"
	if v.Action == "replace" {
		did = "would be replaced"
	}
	return fmt.Sprintf("%s %s, which nobody announced", or(v.Label, v.Address), did)
}

func (s *session) printResources(r model.Run) {
	if len(r.Resources) == 0 {
		return
	}
	t := &table{header: []string{"action", "what", "status", "took"}}
	for _, res := range r.Resources {
		c := cell{text: string(res.Status)}
		switch res.Status {
		case model.ResourceDone:
			c.colour = green
		case model.ResourceFailed:
			c.colour = red
		}
		seconds := ""
		if res.Seconds > 0 {
			seconds = fmt.Sprintf("%.1fs", res.Seconds)
		}
		action := cell{text: res.Action}
		if res.Action == "delete" || res.Action == "replace" {
			action.colour = yellow
		}
		t.add(action, cell{text: or(res.Label, res.Address)}, c, cell{text: seconds})
	}
	s.sayf("")
	s.printTable(t)
}

func (s *session) howToGoOn(r model.Run) string {
	return fmt.Sprintf("run %d waits for approval: approve %d, or cancel %d", r.ID, r.ID, r.ID)
}

// noRun gives a run that is not there its hint.
func (s *session) noRun(err error) error {
	var missing *model.NotFoundError
	if errors.As(err, &missing) {
		return hint(err, "the kept ones are in: run list")
	}
	return err
}

// number reads the number of a run or a revision, with or without a #.
func number(cmd *cobra.Command, what, text string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil || n == 0 {
		return 0, &usageError{err: fmt.Errorf("%s is a number, and %q is none", what, cut(text, 60)), hint: seeHelp(cmd)}
	}
	return n, nil
}

func (s *session) runArgs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	runs, _ := s.lab.Runs("")
	var ids []string
	for _, r := range runs[:min(len(runs), 20)] {
		ids = append(ids, cobra.CompletionWithDesc(strconv.FormatUint(r.ID, 10), fmt.Sprintf("%s %s", r.Hypervisor, r.State)))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
