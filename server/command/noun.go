package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

// noun is what the verbs list, show, add, edit and remove need to know of a
// kind of thing.
type noun[T any] struct {
	s      *session
	kind   model.Kind
	word   string // as in the commands, such as vm
	plural string // for people, such as VMs
	all    func(*model.State) map[string]T
	name   func(*T) *string
	fresh  func(name string) T
	fields func(*fields[T])
	// prepare makes of a new thing what its flags can be applied to.
	prepare func(*fields[T], *T) error
	// secret notes on the thing which secrets it was given.
	secret func(*T, map[string]string) error
	// complete fills in what add was not told, or says what to choose from.
	complete func(*fields[T], *T) error
	next     string // what to do once one is added, with %s for its name
	json     func(*model.State, T) any
	header   []string
	row      func(*model.State, T) []cell
	detail   func(*model.State, T) []pair
}

func (n noun[T]) list(keep ...func(*cobra.Command) func(T) bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List all " + n.plural,
		Example: n.word + " list\n" + n.word + " list --json",
		Args:    exactly(),
	}
	asJSON := jsonFlag(cmd)
	var filters []func(T) bool
	for _, k := range keep {
		filters = append(filters, k(cmd))
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		st := n.s.state()
		n.s.picture = newPicture(n.s.lab.Status())
		things := []any{}
		t := &table{header: n.header}
	next:
		for _, name := range model.Names(n.all(st)) {
			thing := n.all(st)[name]
			for _, keep := range filters {
				if !keep(thing) {
					continue next
				}
			}
			if *asJSON {
				things = append(things, n.json(st, thing))
			} else {
				t.add(n.row(st, thing)...)
			}
		}
		switch {
		case *asJSON:
			return n.s.printJSON(things)
		case len(t.rows) == 0:
			n.s.notef("there are no %s", n.plural)
		default:
			n.s.printTable(t)
		}
		return nil
	}
	return cmd
}

func (n noun[T]) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one " + n.kind.Word(),
		Example:           n.word + " show NAME\n" + n.word + " show NAME --json",
		Args:              exactly("NAME"),
		ValidArgsFunction: n.s.nameArgs(n.kind, false),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		st := n.s.state()
		thing, ok := n.all(st)[args[0]]
		if !ok {
			return n.missing(args[0])
		}
		if *asJSON {
			return n.s.printJSON(n.json(st, thing))
		}
		n.s.printPairs(n.detail(st, thing))
		return nil
	}
	return cmd
}

func (n noun[T]) missing(name string) error {
	return &model.NotFoundError{Ref: model.Ref{Kind: n.kind, Name: name}}
}

func (n noun[T]) add(example, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "add NAME",
		Short:   "Add " + article(n.kind.Word()),
		Long:    long,
		Example: example,
		Args:    exactly("NAME"),
	}
	opts := mutating(cmd)
	f := newFields[T](n.s, cmd)
	n.fields(f)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, ok := n.all(n.s.state())[args[0]]; ok {
			return &model.ExistsError{Ref: model.Ref{Kind: n.kind, Name: args[0]}}
		}
		thing := n.fresh(args[0])
		secrets, err := f.readSecrets(cmd.Context())
		if err != nil {
			return err
		}
		if n.prepare != nil {
			if err := n.prepare(f, &thing); err != nil {
				return err
			}
		}
		if err := n.apply(f, &thing, secrets); err != nil {
			return err
		}
		if n.complete != nil {
			if err := n.complete(f, &thing); err != nil {
				return err
			}
		}
		return n.s.commit(cmd.Context(), opts, change{
			edit: model.Add(thing),
			done: fmt.Sprintf("%s %s is added", n.kind.Word(), args[0]),
			then: func(bool) error {
				if err := n.s.keepSecrets(cmd.Context(), args[0], secrets); err != nil {
					return err
				}
				if n.next != "" {
					n.s.notef("next: "+n.next, shellQuote(args[0]))
				}
				return nil
			},
		})
	}
	return cmd
}

// apply sets what was given, and notes the secrets among that.
func (n noun[T]) apply(f *fields[T], obj *T, secrets map[string]string) error {
	if err := f.apply(obj); err != nil || n.secret == nil {
		return err
	}
	return n.secret(obj, secrets)
}

func (n noun[T]) edit(example string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "edit NAME",
		Short:             "Change fields of " + article(n.kind.Word()),
		Long:              "Change fields of " + article(n.kind.Word()) + ": those whose flags are given. When nothing differs, nothing is done.",
		Example:           example,
		Args:              exactly("NAME"),
		ValidArgsFunction: n.s.nameArgs(n.kind, false),
	}
	opts := mutating(cmd)
	f := newFields[T](n.s, cmd)
	n.fields(f)
	f.text("name", "a new name", n.name)
	base := cmd.Flags().Uint64("version", 0, "refuse if it was changed since this `version`, as show --json gave it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !f.some() {
			return &usageError{err: fmt.Errorf("nothing to change was given"), hint: seeHelp(cmd)}
		}
		secrets, err := f.readSecrets(cmd.Context())
		if err != nil {
			return err
		}
		name := args[0]
		return n.s.commit(cmd.Context(), opts, change{
			edit: model.Change(args[0], *base, func(obj *T) error {
				err := n.apply(f, obj, secrets)
				name = *n.name(obj)
				return err
			}),
			done: fmt.Sprintf("%s %s is changed", n.kind.Word(), args[0]),
			same: fmt.Sprintf("%s %s is like that", n.kind.Word(), args[0]),
			then: func(bool) error { return n.s.keepSecrets(cmd.Context(), name, secrets) },
		})
	}
	return cmd
}

func (n noun[T]) remove(long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "remove NAME…",
		Aliases:           []string{"rm"},
		Short:             "Remove " + n.plural,
		Long:              long,
		Example:           n.word + " remove NAME",
		Args:              some("NAME"),
		ValidArgsFunction: n.s.nameArgs(n.kind, true),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		return n.s.commit(cmd.Context(), opts, change{
			edit: each(names, model.Remove[T]),
			done: n.subject(names) + isAre(names) + "removed",
		})
	}
	return cmd
}

// setting is a verb that changes the things named by its arguments in one way.
type setting[T any] struct {
	verb, short, long string
	done              string // what they are then, such as "enabled"
	apply             func(*T)
	// expected tells of impacts that the verb itself announces; see change.
	expected func(model.Impact) bool
	// before refuses what cannot be, and says what else must be agreed to.
	before func(names []string) (ask []string, err error)
	then   func(ctx context.Context, names []string, changed bool) error
}

func (n noun[T]) set(v setting[T]) *cobra.Command {
	cmd := &cobra.Command{
		Use:               v.verb + " NAME…",
		Short:             v.short,
		Long:              v.long,
		Example:           n.word + " " + v.verb + " NAME",
		Args:              some("NAME"),
		ValidArgsFunction: n.s.nameArgs(n.kind, true),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		c := change{
			edit: each(names, func(name string) model.Edit {
				return model.Change(name, 0, func(obj *T) error { v.apply(obj); return nil })
			}),
			done:     n.subject(names) + isAre(names) + v.done,
			expected: v.expected,
		}
		if v.before != nil {
			var err error
			if c.ask, err = v.before(names); err != nil {
				return err
			}
		}
		if v.then != nil {
			c.then = func(changed bool) error { return v.then(cmd.Context(), names, changed) }
		}
		return n.s.commit(cmd.Context(), opts, c)
	}
	return cmd
}

func (n noun[T]) subject(names []string) string {
	if len(names) == 1 {
		return n.kind.Word() + " " + names[0]
	}
	return n.plural + " " + andList(names)
}

func each(names []string, edit func(string) model.Edit) model.Edit {
	edits := make([]model.Edit, len(names))
	for i, name := range names {
		edits[i] = edit(name)
	}
	return model.Edits(edits...)
}

func isAre(names []string) string {
	if len(names) == 1 {
		return " is "
	}
	return " are "
}

func unique(names []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

func article(word string) string {
	switch word[0] {
	case 'a', 'e', 'i', 'o':
		return "an " + word
	}
	return "a " + word
}

// exactly asks for these arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > len(names):
			return &usageError{err: fmt.Errorf("%s does not take %q", pathOf(cmd), cut(args[len(names)], 60)), hint: seeHelp(cmd)}
		case len(args) < len(names):
			return &usageError{err: fmt.Errorf("%s needs %s", pathOf(cmd), andList(names[len(args):])), hint: seeHelp(cmd)}
		}
		return nil
	}
}

// some asks for at least one argument.
func some(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{err: fmt.Errorf("%s needs %s", pathOf(cmd), name), hint: seeHelp(cmd)}
		}
		return nil
	}
}
