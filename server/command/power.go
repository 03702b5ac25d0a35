package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

func powerCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "power", Short: "Switch machines and outlets on and off"},
		powerOn(s), powerOff(s), powerCycle(s), powerStatus(s),
	)
}

// waiting are the flags of a command that can wait for power.
type waiting struct {
	wait    *bool
	timeout *time.Duration
}

// pause is a flag that takes a time to wait.
type pause time.Duration

func (p *pause) String() string { return time.Duration(*p).String() }
func (p *pause) Type() string   { return "duration" }

func (p *pause) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("must be a time such as 90s or 10m")
	}
	*p = pause(d)
	return nil
}

func waitFlags(cmd *cobra.Command, until string) waiting {
	timeout := pause(10 * time.Minute)
	cmd.Flags().Var(&timeout, "timeout", "how long to wait")
	return waiting{wait: cmd.Flags().Bool("wait", false, "wait until "+until), timeout: (*time.Duration)(&timeout)}
}

func powerOn(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "on [NAME…]",
		Short: "Switch machines and outlets on",
		Long: `Switch machines and outlets on. A NAME is a hypervisor or an outlet. That a
hypervisor is wanted on is stored: its outlets are switched on, after those that
they require, and its guests come up by themselves. --profile means all that the
active profile has VMs to run on.`,
		Example:           "power on thinkpad\npower on --group computers --wait\npower on --profile",
		ValidArgsFunction: s.powerArgs,
	}
	w, opts := whichFlags(cmd), mutating(cmd)
	w.profile = cmd.Flags().Bool("profile", false, "the machines that the active profile has VMs to run on")
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
		if err := s.orderPower(cmd.Context(), opts, t, s.wanting(model.PowerWantedOn, nil)); err != nil || !*wait.wait || *opts.dry {
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
		if err := s.orderPower(cmd.Context(), opts, t, s.wanting(model.PowerWantedOff, q.damage)); err != nil || *opts.dry {
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
	cut = slices.DeleteFunc(unique(cut), func(o string) bool { return s.state().Outlets[o].OnOnly() })
	q := s.cutting(cut, force)
	if force {
		return cut, q
	}
	q.damage = append(q.damage, s.shuttingDown(t.hypervisors)...)
	for _, h := range t.hypervisors {
		q = s.alsoEssential(q, h)
		for _, note := range s.alsoFed(h) {
			s.notef("note: %s", clean(note))
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

// shuttingDown says which guests go down with their machines, and which lose
// what these serve.
func (s *session) shuttingDown(hypervisors []string) []string {
	st := s.state()
	var outlets []string
	for _, name := range hypervisors {
		outlets = append(outlets, st.Hypervisors[name].Outlets...)
	}
	damage := st.SharesLost(s.lab.Status(), outlets, hypervisors)
	for _, name := range hypervisors {
		if status := s.hypervisorStatus(name); status.RunningGuests() > 0 {
			damage = append(damage, fmt.Sprintf("%s would be shut down, and with it %s", name, count(status.RunningGuests(), "running guest", "running guests")))
		}
		if n := s.hypervisorStatus(name).Logins(); n > 0 {
			damage = append(damage, fmt.Sprintf("%s would be shut down, and somebody is logged in on it (%s)", name, count(n, "session", "sessions")))
		}
	}
	return damage
}

// ordering is an order about the power of machines.
type ordering struct {
	what   string   // they are, such as "wanted on"
	damage []string // for a dry run
	order  func(*model.Hypervisor)
}

// wanting is the order that stores what is wanted. Where that is wanted already
// and is not so, it is ordered again.
func (s *session) wanting(power string, damage []string) ordering {
	return ordering{what: "wanted " + power, damage: damage, order: func(h *model.Hypervisor) {
		status := s.hypervisorStatus(h.Name)
		failed := status.Sequence != nil && status.Sequence.Error != ""
		h.Want(power, status.Differs != "" || failed || !h.PowerByHand && h.PowerBy != "")
	}}
}

// orderPower stores an order about the power of hypervisors.
func (s *session) orderPower(ctx context.Context, opts options, t targets, o ordering) error {
	if *opts.dry {
		say := s.sayer(opts)
		for _, d := range o.damage {
			say("%s", clean(d))
		}
		for _, name := range t.outlets {
			say("outlet %s would be switched %s", clean(name), strings.TrimPrefix(o.what, "wanted "))
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
			return model.Change(name, 0, func(h *model.Hypervisor) error { o.order(h); return nil })
		}),
		done: hypervisors(s).subject(t.hypervisors) + isAre(t.hypervisors) + o.what,
		then: func(bool) error {
			s.noteHeld(t.hypervisors)
			if o.what != "wanted "+model.PowerWantedOff {
				s.noteUnfed(t.hypervisors)
			}
			return nil
		},
	})
}

// alsoFed says which others an outlet of a machine feeds, so that it stays on.
func (s *session) alsoFed(hypervisor string) []string {
	var notes []string
	for _, o := range s.state().Hypervisors[hypervisor].Outlets {
		others := slices.DeleteFunc(feeds(s.state(), o), func(h string) bool { return h == hypervisor })
		if len(others) > 0 {
			notes = append(notes, fmt.Sprintf("outlet %s feeds %s too: it stays on until they are off", o, andList(others)))
		}
	}
	return notes
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
			if err := s.overruled(name, word, status); err != nil {
				return err
			}
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

// overruled tells that a machine will not be as it was ordered to: somebody
// ordered the opposite meanwhile, or it has failed.
func (s *session) overruled(name, word string, status model.HypervisorStatus) error {
	h := s.state().Hypervisors[name]
	switch seq := status.Sequence; {
	case h.PowerWanted != word:
		return hint(fmt.Errorf("%s wants %s %s since %s, and that counts now", or(h.PowerBy, "somebody"), name, h.PowerWanted, s.age(h.PowerAt)), "see power status %s", name)
	case seq != nil && seq.At.Equal(h.PowerAt) && seq.Error != "":
		return fmt.Errorf("%s is not %s: %s", name, word, seq.Error)
	}
	return nil
}

var errTooLong = errors.New("it took too long")

func (s *session) powerArgs(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return append(s.candidates(model.KindHypervisor, args, prefix), s.candidates(model.KindOutlet, args, prefix)...), cobra.ShellCompDirectiveNoFileComp
}
