package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func saltHighstate(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "highstate NAME…",
		Short: "Apply the whole state of VMs and hypervisors",
		Long: `Have the minions of VMs and hypervisors apply their whole state, and say how each
ended as it does. The exit status is 1 if any failed or did not answer.`,
		Example:           "salt highstate web\nsalt highstate web db --json",
		Args:              some("NAME"),
		ValidArgsFunction: s.minionArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "answer with a line of JSON for each, as it ends")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		begun := func() {
			if !*asJSON {
				s.notef("%s: state.apply is under way", clean(andList(names)))
			}
		}
		return s.answers(names, *asJSON, func(each func(model.SaltAnswer)) error {
			return s.lab.SaltApply(cmd.Context(), names, begun, each)
		})
	}
	return cmd
}

func saltCall(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "call NAME… FUNCTION [ARG…]",
		Short: "Call a Salt function on VMs and hypervisors",
		Long: `Call a Salt function on the minions of VMs and hypervisors, and write what each
answers as it comes. What comes before the first word with a dot in it are names.
Operators may call test.ping and state.apply, admins all. The exit status is 1 if
any failed or did not answer.`,
		Example:           "salt call web test.ping\nsalt call web db cmd.run uptime\nsalt call web state.apply motd",
		Args:              some("NAME"),
		ValidArgsFunction: s.minionArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "answer with a line of JSON for each, as it comes")
	cmd.Flags().SetInterspersed(false) // what follows the names is Salt's
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// Names of VMs and hypervisors have no dots.
		at := slices.IndexFunc(args, func(arg string) bool { return strings.Contains(arg, ".") })
		if at < 0 {
			return &usageError{err: errors.New("which function is to be called, such as test.ping?"), hint: seeHelp(cmd)}
		}
		if at == 0 {
			return &usageError{err: fmt.Errorf("on what is %s to be called? Name VMs or hypervisors first", args[0]), hint: seeHelp(cmd)}
		}
		names := unique(args[:at])
		return s.answers(names, *asJSON, func(each func(model.SaltAnswer)) error {
			return s.lab.SaltCall(cmd.Context(), names, args[at], args[at+1:], each)
		})
	}
	return cmd
}

// answers writes what minions answer as it comes, and fails if any failed.
func (s *session) answers(names []string, asJSON bool, ask func(each func(model.SaltAnswer)) error) error {
	var failed []string
	came := map[string]bool{}
	err := ask(func(a model.SaltAnswer) {
		if came[a.Name] = true; a.Failed() {
			failed = append(failed, a.Name)
		}
		if asJSON {
			_ = s.printLine(a) // the connection is gone: its context says so
			return
		}
		s.printAnswer(a)
	})
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case len(failed) > 0:
		slices.Sort(failed)
		return fmt.Errorf("%s failed", andList(failed))
	case err != nil:
		return err
	}
	for _, name := range names {
		if !came[name] {
			return fmt.Errorf("no answer came from %s", name)
		}
	}
	return nil
}

func (s *session) printAnswer(a model.SaltAnswer) {
	name := clean(a.Name)
	switch {
	case a.Error != "":
		s.sayf("%s: %s", name, s.paint(red, clean(a.Error)))
	case a.Down:
		s.sayf("%s: %s", name, s.paint(red, "no answer"))
	case a.Result != nil:
		ink := green
		if !a.Result.OK {
			ink = red
		}
		s.sayf("%s: %s", name, s.paint(ink, clean(resultText(a.Result))))
		s.printResult(a.Result, true)
	default:
		s.sayf("%s: %s", name, cleanText(plainValue(a.Value)))
	}
}

// plainValue is what a function returned, for people: a text as it is, the rest
// as JSON.
func plainValue(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var v any
	if json.Unmarshal(value, &v) != nil {
		return string(value)
	}
	indented, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return string(value)
	}
	return string(indented)
}

func saltKeys(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "The keys of minions on the Salt masters",
		Long:    "The keys of minions on the Salt masters, whose they are, and which nobody expects.",
		Example: "salt keys\nsalt keys --json",
		Args:    exactly(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		keys, err := s.lab.SaltKeys(cmd.Context())
		switch {
		case *asJSON && (len(keys) > 0 || err == nil):
			return errors.Join(s.printJSON(keys), err)
		case len(keys) == 0 && err == nil:
			s.notef("there are no keys, or no Salt master is asked: see salt master list")
		case len(keys) > 0:
			s.printSaltKeys(keys)
		}
		return err
	}
	return cmd
}

func (s *session) printSaltKeys(keys []model.SaltKey) {
	t := &table{header: []string{"id", "state", "of", "master", "fingerprint"}}
	for _, k := range keys {
		state, of := cell{text: k.State}, cell{text: or(k.VM, k.Hypervisor)}
		if k.State == "pending" {
			state.colour = yellow
		}
		if k.Stranger {
			of = cell{"a stranger", red}
		}
		t.add(cell{text: k.ID}, state, of, cell{text: k.Master}, cell{text: k.Fingerprint})
	}
	s.printTable(t)
}

func saltAccept(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "accept ID",
		Short: "Accept the pending key of a minion",
		Long: `Accept the pending key of a minion, once you have compared its fingerprint with
what the minion itself says: salt-call --local key.finger. Those of VMs are
accepted by themselves, as the lab has made them.`,
		Example: "salt accept thinkpad\nsalt accept thinkpad --fingerprint df:56:99…",
		Args:    exactly("ID"),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	fingerprint := cmd.Flags().String("fingerprint", "", "the key's, to accept that and no other, without asking")
	master := cmd.Flags().String("master", "", "the master that it waits on, if on several")
	annotate(cmd.Flags().Lookup("master"), "kind", string(model.KindSaltMaster))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := s.pendingKey(cmd.Context(), args[0], *master)
		if err != nil {
			return err
		}
		if *fingerprint == "" {
			line := fmt.Sprintf("the key of %s on %s has the fingerprint %s", key.ID, key.Master, key.Fingerprint)
			if key.Stranger {
				line += "; nobody expects this minion"
			}
			if err := s.confirm(cmd.Context(), question{damage: []string{line}}, *yes); err != nil {
				return err
			}
			*fingerprint = key.Fingerprint
		}
		if err := s.lab.SaltAccept(cmd.Context(), key.Master, key.ID, *fingerprint); err != nil {
			return err
		}
		s.sayf("the key of %s is accepted on %s", clean(key.ID), clean(key.Master))
		return nil
	}
	return cmd
}

// pendingKey finds the one pending key of an ID.
func (s *session) pendingKey(ctx context.Context, id, master string) (model.SaltKey, error) {
	keys, err := s.lab.SaltKeys(ctx)
	var found []model.SaltKey
	for _, k := range keys {
		if k.ID == id && k.State == "pending" && (master == "" || k.Master == master) {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return model.SaltKey{}, usagef("a key of %s waits on several masters: say which with --master", id)
	case err != nil:
		return model.SaltKey{}, err
	}
	return model.SaltKey{}, hint(fmt.Errorf("no key of %s is pending", id), "see: salt keys")
}
