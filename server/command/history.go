package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func historyCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Who changed what, newest first",
		Long: `Show who changed what, newest first. With --audit: who connected from where with
which key, what they did beside changes, and what was refused. What is the same
again within an hour is counted, not repeated.`,
		Example: "history\nhistory --limit 5 --json\nhistory --audit",
		Args:    exactly(),
	}
	asJSON := jsonFlag(cmd)
	limit := cmd.Flags().Uint("limit", 20, "at most this many")
	before := cmd.Flags().Uint64("before", 0, "only those before this `revision`, or number of the audit")
	audit := cmd.Flags().Bool("audit", false, "who connected and did what, and what was refused; for admins")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *limit == 0 {
			return &usageError{err: errors.New("--limit is at least 1"), hint: seeHelp(cmd)}
		}
		if *audit {
			return s.showAudit(cmd.Context(), *before, int(min(*limit, 30_000)), *asJSON)
		}
		revs, err := s.lab.History(*before, int(min(*limit, 10_000)))
		if err != nil {
			return err
		}
		if *asJSON {
			for i := range revs {
				revs[i].Changes = openChanges(revs[i].Changes)
			}
			return s.printJSON(revs)
		}
		if len(revs) == 0 {
			s.notef("nothing has been changed yet")
			return nil
		}
		t := &table{header: []string{"revision", "when", "who", "what", "via"}}
		for _, r := range revs {
			t.add(plainCell("%d", r.Number), cell{text: s.age(r.Time)}, cell{text: r.Who}, cell{text: what(r)}, cell{text: r.Via})
		}
		s.printTable(t)
		return nil
	}
	return cmd
}

func (s *session) showAudit(ctx context.Context, before uint64, limit int, asJSON bool) error {
	entries, err := s.lab.Audit(ctx, before, limit)
	switch {
	case err != nil:
		return err
	case asJSON:
		return s.printJSON(entries)
	case len(entries) == 0:
		s.notef("nothing has been noted yet")
		return nil
	}
	t := &table{header: []string{"number", "last", "who", "from", "what", "times"}}
	for _, e := range entries {
		var c colour
		switch e.Kind {
		case model.AuditRefused, model.AuditDenied:
			c = yellow
		}
		what := e.What
		if e.Kind == model.AuditRefused || e.Kind == model.AuditDenied {
			what = string(e.Kind) + ": " + what
		}
		t.add(plainCell("%d", e.Number), cell{text: s.age(e.Last)}, cell{text: e.Who}, cell{text: e.Address}, cell{what, c}, plainCell("%d", e.Count))
	}
	s.printTable(t)
	return nil
}

// what says in a few words what a revision did.
func what(r model.Revision) string {
	var parts []string
	for _, c := range r.Changes[:min(3, len(r.Changes))] {
		did := "changed"
		switch {
		case len(c.Before) == 0:
			did = "added"
		case len(c.After) == 0:
			did = "removed"
		}
		parts = append(parts, thing(c.Ref)+" "+did)
	}
	if more := len(r.Changes) - 3; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	if r.Undoes != 0 {
		return fmt.Sprintf("%s (revision %d undone)", strings.Join(parts, ", "), r.Undoes)
	}
	return strings.Join(parts, ", ")
}

// thing names an object for people; there are settings once.
func thing(ref model.Ref) string {
	if ref.Kind == model.KindSettings {
		return ref.Kind.Word()
	}
	return ref.Kind.Word() + " " + ref.Name
}

// openChanges are changes without the secrets in them.
func openChanges(changes []model.ObjectChange) []model.ObjectChange {
	open := make([]model.ObjectChange, len(changes))
	for i, c := range changes {
		if c.Kind == model.KindOutlet {
			c.Before, c.After = openOutlet(c.Before), openOutlet(c.After)
		}
		open[i] = c
	}
	return open
}

func openOutlet(data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		return data
	}
	var o model.Outlet
	if json.Unmarshal(data, &o) != nil {
		return nil
	}
	out, err := json.Marshal(withoutSecrets(o))
	if err != nil {
		return nil
	}
	return out
}

func undoCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "undo REVISION",
		Short:   "Revert one revision",
		Long:    "Revert one revision. It is refused when later ones changed the same things.",
		Example: "undo 12",
		Args:    exactly("REVISION"),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := number(cmd, "REVISION", args[0])
		if err != nil {
			return err
		}
		revs, err := s.lab.History(n+1, 1)
		if err != nil {
			return err
		}
		if len(revs) == 0 || revs[0].Number != n {
			return hint(fmt.Errorf("there is no revision %d", n), "see: history")
		}
		s.untyped = true
		if touched(s.state(), revs[0]) {
			// Nothing to preview: it is refused, and the store says by whom.
			if _, err := s.lab.Undo(cmd.Context(), s.via, n); err != nil {
				return err
			}
		}
		return s.commit(cmd.Context(), opts, change{
			edit:   reverse(revs[0]),
			revert: n,
			done:   fmt.Sprintf("revision %d (%s) is undone", n, what(revs[0])),
			then:   func(bool) error { s.tellMissing(revs[0]); return nil },
		})
	}
	return cmd
}

// tellMissing says which secrets did not come back with what was undone.
func (s *session) tellMissing(rev model.Revision) {
	for _, c := range rev.Changes {
		if c.Kind != model.KindOutlet {
			continue
		}
		for _, field := range s.lab.MissingSecrets(c.Name) {
			s.notef("the %s of outlet %s is not known any more; set it again: outlet edit %s --%s -", field, clean(c.Name), shellQuote(c.Name), field)
		}
	}
}

// touched tells whether something that a revision changed was changed again.
func touched(st *model.State, rev model.Revision) bool {
	for _, c := range rev.Changes {
		value, there := st.Get(c.Ref)
		switch {
		case c.Kind == model.KindInvite: // does not come back
		case len(c.After) == 0 && there, len(c.After) > 0 && !there:
			return true
		case there && versionOf(value) != rev.Number:
			return true
		}
	}
	return false
}

// versionOf is an object's version, whatever its type.
func versionOf(value any) uint64 {
	var meta struct{ Version uint64 }
	data, err := json.Marshal(value)
	if err != nil || json.Unmarshal(data, &meta) != nil {
		return 0
	}
	return meta.Version
}

// reverse is the edit that an undo amounts to, for its preview; whether it may
// be done is for the store to say. A VM's rebuilds are not taken back.
func reverse(rev model.Revision) model.Edit {
	return func(st *model.State) error {
		for _, c := range rev.Changes {
			if len(c.Before) == 0 {
				if err := st.Drop(c.Ref); err != nil {
					return err
				}
				continue
			}
			rebuilt := st.VMs[c.Name].Rebuild
			if err := st.Put(c.Ref, c.Before); err != nil {
				return err
			}
			if vm := st.VMs[c.Name]; c.Kind == model.KindVM && vm.Rebuild < rebuilt {
				vm.Rebuild = rebuilt
				st.VMs[c.Name] = vm
			}
		}
		return nil
	}
}
