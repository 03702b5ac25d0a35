package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

func powerCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "power", Short: "Switch machines and outlets on and off"},
		powerOn(s), powerOff(s), powerStatus(s),
	)
}

// waiting are the flags of a command that can wait for power.
type waiting struct {
	wait    *bool
	timeout *time.Duration
}

func waitFlags(cmd *cobra.Command, until string) waiting {
	return waiting{
		wait:    cmd.Flags().Bool("wait", false, "wait until "+until),
		timeout: cmd.Flags().Duration("timeout", 10*time.Minute, "how long to wait"),
	}
}

func powerOn(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "on [NAME…]",
		Short: "Switch machines and outlets on",
		Long: `Switch machines and outlets on. A NAME is a hypervisor or an outlet. That a
hypervisor is wanted on is stored: its outlets are switched on, after those that
they require, and its guests come up by themselves.`,
		Example:           "power on thinkpad\npower on --group computers --wait",
		ValidArgsFunction: s.powerArgs,
	}
	w, opts := whichFlags(cmd), mutating(cmd)
	wait := waitFlags(cmd, "the machines' agents are connected")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := s.find(cmd, w, args)
		if err != nil {
			return err
		}
		if !*opts.dry {
			if err := s.switchAll(cmd.Context(), t.outlets, true, false, s.sayer(opts)); err != nil {
				return err
			}
		}
		if err := s.wantPower(cmd.Context(), opts, t, model.PowerWantedOn, nil); err != nil || !*wait.wait || *opts.dry {
			return err
		}
		return s.awaitPower(cmd.Context(), t.hypervisors, *wait.timeout, "on", func(st model.HypervisorStatus) bool {
			return st.Agent == model.AgentOnline
		})
	}
	return cmd
}

func powerOff(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "off [NAME…]",
		Short: "Shut machines down, then switch them and outlets off",
		Long: `Switch machines and outlets off. A NAME is a hypervisor or an outlet. That a
hypervisor is wanted off is stored: its agent shuts the guests down and then the
machine, and when it is really off its outlets are switched off. With --force
the outlets are switched off now, whatever runs.`,
		Example:           "power off thinkpad --yes\npower off --all --wait",
		ValidArgsFunction: s.powerArgs,
	}
	w, opts := whichFlags(cmd), mutating(cmd)
	force := cmd.Flags().Bool("force", false, "cut the power now, without shutting anything down")
	wait := waitFlags(cmd, "the machines are off")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := s.find(cmd, w, args)
		if err != nil {
			return err
		}
		cut, q := s.toCut(t, *force)
		if !*opts.dry {
			if err := s.confirm(cmd.Context(), q, *opts.yes); err != nil {
				return err
			}
			*opts.yes = true // once is enough
		}
		if err := s.wantPower(cmd.Context(), opts, t, model.PowerWantedOff, q.damage); err != nil || *opts.dry {
			return err
		}
		if err := s.switchAll(cmd.Context(), cut, false, *force, s.sayer(opts)); err != nil || !*wait.wait {
			return err
		}
		return s.awaitPower(cmd.Context(), t.hypervisors, *wait.timeout, "off", func(st model.HypervisorStatus) bool {
			return st.Power == model.PowerOff
		})
	}
	return cmd
}

// toCut finds the outlets to switch off now, and what to ask before: by force
// those of the machines too.
func (s *session) toCut(t targets, force bool) ([]string, question) {
	cut := slices.Clone(t.outlets)
	if force {
		for _, h := range t.hypervisors {
			cut = append(cut, s.state().Hypervisors[h].Outlets...)
		}
	}
	cut = unique(cut)
	q := s.cutting(cut, force)
	if force {
		return cut, q
	}
	q.damage = append(q.damage, s.shuttingDown(t.hypervisors)...)
	st := s.state()
	for _, h := range t.hypervisors {
		for _, o := range st.Hypervisors[h].Outlets {
			if st.Outlets[o].Essential {
				q.damage = append(q.damage, fmt.Sprintf("%s is fed by %s, which is essential: it carries this server or the way to it, and off may mean for good", h, o))
				q.word = h
			}
		}
	}
	return cut, q
}

// sayer is where a command tells what it does: beside the answer when that is
// JSON.
func (s *session) sayer(opts options) func(string, ...any) {
	if *opts.json {
		return s.notef
	}
	return s.sayf
}

// shuttingDown says which guests go down with their machines.
func (s *session) shuttingDown(hypervisors []string) []string {
	var damage []string
	for _, name := range hypervisors {
		if status := s.hypervisorStatus(name); status.RunningGuests() > 0 {
			damage = append(damage, fmt.Sprintf("%s would be shut down, and with it %s", name, count(status.RunningGuests(), "running guest", "running guests")))
		}
	}
	return damage
}

// wantPower stores what power is wanted of the hypervisors.
func (s *session) wantPower(ctx context.Context, opts options, t targets, wanted string, damage []string) error {
	if *opts.dry {
		say := s.sayer(opts)
		for _, d := range damage {
			say("%s", clean(d))
		}
		for _, o := range t.outlets {
			say("outlet %s would be switched %s", clean(o), wanted)
		}
	}
	if len(t.hypervisors) == 0 {
		if *opts.json {
			return s.printJSON(outcome{DryRun: *opts.dry})
		}
		return nil
	}
	return s.commit(ctx, opts, change{
		edit: each(t.hypervisors, func(name string) model.Edit {
			return model.Change(name, 0, func(h *model.Hypervisor) error { h.PowerWanted = wanted; return nil })
		}),
		done: hypervisors(s).subject(t.hypervisors) + isAre(t.hypervisors) + "wanted " + wanted,
		then: func(bool) error {
			s.noteHeld(t.hypervisors)
			if wanted == model.PowerWantedOn {
				s.noteUnfed(t.hypervisors)
			}
			return nil
		},
	})
}

// awaitPower waits until every machine is as wanted, telling each step.
func (s *session) awaitPower(ctx context.Context, names []string, timeout time.Duration, word string, ok func(model.HypervisorStatus) bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTooLong)
	defer stop()
	w := s.lab.Watch()
	defer w.Close()
	told := map[string]model.Phase{}
	for {
		var left []string
		for _, name := range names {
			status := s.hypervisorStatus(name)
			if ok(status) {
				if told[name] != "done" {
					s.notef("%s is %s", clean(name), word)
					told[name] = "done"
				}
				continue
			}
			left = append(left, name)
			if told[name] != status.Phase {
				s.notef("%s: %s", clean(name), status.Phase)
				told[name] = status.Phase
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-w.C():
			w.Take()
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errTooLong) {
				return hint(fmt.Errorf("%s not %s after %s", andList(left), word, timeout), "see why with: power status")
			}
			return context.Cause(ctx)
		}
	}
}

var errTooLong = errors.New("it took too long")

func (s *session) powerArgs(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return append(s.candidates(model.KindHypervisor, args, prefix), s.candidates(model.KindOutlet, args, prefix)...), cobra.ShellCompDirectiveNoFileComp
}
