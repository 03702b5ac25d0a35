package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func logsCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs NAME|RUN",
		Short: "The log of a run, or of a hypervisor's newest",
		Long: `Write the log of a run, or of the newest run of a hypervisor. With -f it goes on
while the log grows: to the end of the run, or for a hypervisor from run to run
until it is interrupted. --json is a list of records, and with -f a line each.`,
		Example: "logs 12\nlogs thinkpad -f",
		Args:    exactly("NAME or RUN"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			names, directive := s.nameArgs(model.KindHypervisor, false)(cmd, args, prefix)
			ids, _ := s.runArgs(cmd, args, prefix)
			return append(names, ids...), directive
		},
	}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on while it grows")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l := &log{s: s, out: s.io.Out, json: *asJSON}
		_, isName := s.state().Hypervisors[args[0]]
		if isName && *follow {
			return l.followHypervisor(cmd.Context(), args[0])
		}
		var err error
		if l.run, err = s.runOf(args[0], isName); err != nil {
			return err
		}
		if _, err := s.lab.Run(l.run); err != nil {
			return s.noRun(err)
		}
		if *follow {
			run, err := l.follow(cmd.Context(), nil)
			l.tellState(run)
			return err
		}
		if *asJSON {
			return l.all()
		}
		return l.drain()
	}
	return cmd
}

// runOf finds the run that logs is to show: a hypervisor's newest, or the one
// of that number.
func (s *session) runOf(text string, isName bool) (uint64, error) {
	if isName {
		return s.newestRun(text)
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 10, 64)
	if err != nil {
		return 0, &model.NotFoundError{Ref: model.Ref{Kind: model.KindHypervisor, Name: text}}
	}
	return id, nil
}

// newestRun is the run under way on a hypervisor, or else the newest that is
// kept.
func (s *session) newestRun(hypervisor string) (uint64, error) {
	if id := s.hypervisorStatus(hypervisor).Run; id != 0 {
		return id, nil
	}
	runs, err := s.lab.Runs(hypervisor)
	if err != nil {
		return 0, err
	}
	if len(runs) == 0 {
		return 0, hint(fmt.Errorf("%s has had no run yet", hypervisor), "start one with: apply %s", shellQuote(hypervisor))
	}
	return runs[0].ID, nil
}

// log writes the log of a run as far as it has grown.
type log struct {
	s     *session
	out   io.Writer
	json  bool
	run   uint64
	after uint64
	state model.RunState // that was told last
}

const logPage = 500

// drain writes what the log has gained.
func (l *log) drain() error {
	return l.pages(func(rec model.Record) error {
		if l.json {
			return l.s.printLine(rec)
		}
		l.print(rec)
		return nil
	})
}

// all writes the whole log as a list.
func (l *log) all() error {
	records := []model.Record{}
	err := l.pages(func(rec model.Record) error { records = append(records, rec); return nil })
	if err != nil {
		return err
	}
	return l.s.printJSON(records)
}

func (l *log) pages(each func(model.Record) error) error {
	for {
		records, err := l.s.lab.Log(l.run, l.after, logPage)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if err := each(rec); err != nil {
				return err
			}
			l.after = rec.Seq
		}
		if len(records) < logPage {
			return nil
		}
	}
}

func (l *log) print(rec model.Record) {
	s := l.s
	at := s.paint(faint, rec.Time.UTC().Format("15:04:05"))
	line := func(c colour, text string) {
		if text != "" {
			fmt.Fprintf(l.out, "%s %s\n", at, s.paint(c, cleanText(text)))
		}
	}
	c := colour("")
	switch rec.Level {
	case model.LevelWarn:
		c = yellow
	case model.LevelError:
		c = red
	}
	line(c, rec.Message)
	for _, v := range rec.Violations {
		line(red, violation(v))
	}
	if rec.Error != rec.Message { // what a run ended with is its last message too
		line(red, rec.Error)
	}
}

// follow writes the log while it grows, until the run ends. step is called with
// the run each time that it is read; its error ends the following. A run that
// is gone had nothing to do.
func (l *log) follow(ctx context.Context, step func(model.Run) error) (model.Run, error) {
	w := l.s.lab.Watch()
	defer w.Close()
	for {
		run, err := l.s.lab.Run(l.run)
		var gone *model.NotFoundError
		if errors.As(err, &gone) {
			return model.Run{ID: l.run, State: model.RunNoop}, nil
		}
		if err != nil {
			return run, err
		}
		if err := l.drain(); errors.As(err, &gone) {
			continue
		} else if err != nil {
			return run, err
		}
		if run.State.Ended() {
			return run, nil
		}
		l.tellState(run)
		if step != nil {
			if err := step(run); err != nil {
				return run, err
			}
		}
		if err := await(ctx, w); err != nil {
			return run, err
		}
	}
}

// tellState says where the run is, when that has changed.
func (l *log) tellState(run model.Run) {
	if l.json || run.State == l.state || run.State == "" {
		return
	}
	l.state = run.State
	c := runStateCell(run.State)
	fmt.Fprintf(l.out, "run %d: %s\n", run.ID, l.s.paint(c.colour, c.text))
}

// await waits for a change of anything.
func await(ctx context.Context, w *model.Watcher) error {
	select {
	case <-w.C():
		w.Take()
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// followHypervisor follows run after run.
func (l *log) followHypervisor(ctx context.Context, name string) error {
	w := l.s.lab.Watch()
	defer w.Close()
	if _, ok := l.s.runAfter(name, 0); !ok {
		l.s.notef("%s has had no run yet: waiting for one", clean(name))
	}
	var last uint64
	for {
		if id, ok := l.s.runAfter(name, last); ok {
			last, l.run, l.after = id, id, 0
			run, err := l.follow(ctx, nil)
			if err != nil {
				return err
			}
			l.tellState(run)
			continue
		}
		if err := await(ctx, w); err != nil {
			return err
		}
	}
}

// runAfter is the oldest run of a hypervisor that is newer than last; the
// newest of all where last is 0.
func (s *session) runAfter(hypervisor string, last uint64) (uint64, bool) {
	if last == 0 {
		id, err := s.newestRun(hypervisor)
		return id, err == nil
	}
	runs, err := s.lab.Runs(hypervisor) // newest first
	if err != nil {
		return 0, false
	}
	var next uint64
	for _, r := range runs {
		if r.ID <= last {
			break
		}
		next = r.ID
	}
	return next, next != 0
}

// followRun follows a run that a person started or approved, asks them when it
// waits for approval, and fails when it fails.
func (s *session) followRun(ctx context.Context, id uint64, asJSON, approved bool) error {
	l := &log{s: s, out: s.io.Out, run: id}
	if asJSON {
		l.out = s.io.Err
	}
	run, err := l.follow(ctx, func(run model.Run) error {
		if run.State != model.RunWaiting || approved {
			return nil
		}
		if !s.io.PTY {
			return hint(fmt.Errorf("run %d waits for approval", run.ID), "look at it with: run show %d; then: approve %d, or cancel %d", run.ID, run.ID, run.ID)
		}
		s.printResources(run)
		if len(run.Violations) == 0 {
			if err := s.confirm(ctx, question{damage: []string{fmt.Sprintf("run %d waits for approval: %s", run.ID, summary(run))}}, false); err != nil {
				return hint(err, "%s", s.howToGoOn(run))
			}
		}
		approved = true
		return s.approve(ctx, run, false)
	})
	if errors.Is(err, errInterrupted) {
		s.notef("run %d goes on without you; stop it with: cancel %d", id, id)
	}
	if err != nil {
		return err
	}
	if asJSON {
		if err := s.printJSON(run); err != nil {
			return err
		}
	}
	return s.ended(run, asJSON)
}

// ended tells how a run ended.
func (s *session) ended(run model.Run, quiet bool) error {
	var text string
	switch run.State {
	case model.RunNoop:
		text = fmt.Sprintf("nothing to change, so run %d is not kept", run.ID)
	case model.RunSucceeded:
		text = fmt.Sprintf("run %d succeeded: %s", run.ID, summary(run))
		if run.Kind == model.RunPlan {
			text = fmt.Sprintf("run %d planned: %s", run.ID, summary(run))
			if !quiet {
				s.printResources(run)
			}
		}
	case model.RunFailed:
		return hint(fmt.Errorf("run %d failed: %s", run.ID, firstLine(run.Error)), "its whole log: logs %d", run.ID)
	default:
		return fmt.Errorf("run %d was %s", run.ID, run.State)
	}
	if !quiet {
		s.sayf("%s", s.paint(green, clean(text)))
	}
	return nil
}
