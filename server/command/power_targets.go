package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"homelab/model"
)

// targets are what a power command works on: machines, whose power is wanted,
// and outlets that feed none, which are switched.
type targets struct {
	hypervisors []string
	outlets     []string
}

// which are the flags that say what a power command works on.
type which struct {
	groups  *[]string
	all     *bool
	profile *bool // nil where it cannot be said
}

func whichFlags(cmd *cobra.Command) which {
	f := cmd.Flags()
	w := which{
		groups: f.StringSlice("group", nil, "everything that the outlets of this group feed"),
		all:    f.Bool("all", false, "everything but essential outlets and what they feed"),
	}
	return w
}

// find resolves names: hypervisors first, then outlets.
func (s *session) find(cmd *cobra.Command, w which, names []string) (targets, error) {
	st := s.state()
	var t targets
	needed := w.profile != nil && *w.profile
	if len(names) == 0 && len(*w.groups) == 0 && !*w.all && !needed {
		return t, &usageError{err: fmt.Errorf("%s needs NAME, --group or --all", pathOf(cmd)), hint: seeHelp(cmd)}
	}
	for _, name := range names {
		if _, ok := st.Hypervisors[name]; ok {
			t.hypervisors = append(t.hypervisors, name)
		} else if _, ok := st.Outlets[name]; ok {
			t.outlet(st, name)
		} else {
			return t, s.noTarget(name)
		}
	}
	for _, group := range *w.groups {
		if err := t.group(st, group); err != nil {
			return t, err
		}
	}
	if *w.all {
		t.everything(st)
	}
	if needed {
		for _, name := range model.Names(st.Hypervisors) {
			if st.Needed(name) {
				t.hypervisors = append(t.hypervisors, name)
			}
		}
		if len(t.hypervisors) == 0 {
			return t, fmt.Errorf("profile %q has no VM to run", st.ActiveProfile())
		}
	}
	t.hypervisors, t.outlets = unique(t.hypervisors), unique(t.outlets)
	return t, nil
}

func (s *session) noTarget(name string) error {
	err := fmt.Errorf("there is no hypervisor or outlet named %q", name)
	if near := nearest(name, append(s.names(model.KindHypervisor), s.names(model.KindOutlet)...)); len(near) > 0 {
		return hint(err, "did you mean %s?", orList(near))
	}
	return hint(err, "see them all with: power status")
}

// outlet adds the machines that an outlet feeds, or itself when it feeds none.
func (t *targets) outlet(st *model.State, name string) {
	if fed := feeds(st, name); len(fed) > 0 {
		t.hypervisors = append(t.hypervisors, fed...)
		return
	}
	t.outlets = append(t.outlets, name)
}

func (t *targets) group(st *model.State, group string) error {
	found, groups := false, map[string]bool{}
	for _, name := range model.Names(st.Outlets) {
		for _, g := range st.Outlets[name].Groups {
			groups[g] = true
			if g == group {
				found = true
				t.outlet(st, name)
			}
		}
	}
	if found {
		return nil
	}
	err := fmt.Errorf("no outlet is in a group named %q", group)
	if len(groups) == 0 {
		return hint(err, "put outlets into one with: outlet edit NAME --group %s", shellQuote(group))
	}
	return hint(err, "the groups are %s", andList(model.Names(groups)))
}

func (t *targets) everything(st *model.State) {
	for _, name := range model.Names(st.Hypervisors) {
		essential := func(o string) bool { return st.Outlets[o].Essential }
		if !slices.ContainsFunc(st.Hypervisors[name].Outlets, essential) {
			t.hypervisors = append(t.hypervisors, name)
		}
	}
	for _, name := range model.Names(st.Outlets) {
		if !st.Outlets[name].Essential && len(feeds(st, name)) == 0 {
			t.outlets = append(t.outlets, name)
		}
	}
}
