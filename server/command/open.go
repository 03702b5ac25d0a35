package command

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// Screens are what the dashboard can open: screens by their names, and one
// thing of a kind by its name or number.
type Screens struct{ Names, Things []string }

// Opens tells whether a command is `open SCREEN [NAME]` and nothing is wrong
// with it: then whoever runs it on a terminal is shown that screen. Without a
// terminal, or with something wrong, [Run] says what it needs.
func Opens(st *model.State, screens Screens, args []string) (screen []string, ok bool) {
	if len(args) == 0 || args[0] != "open" || checkScreen(st, screens, args[1:]) != nil {
		return nil, false
	}
	return args[1:], true
}

func checkScreen(st *model.State, screens Screens, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return errors.New("open needs SCREEN, and at most one NAME")
	}
	one := slices.Contains(screens.Things, args[0])
	switch {
	case len(args) == 2 && !one:
		return fmt.Errorf("open %s does not take %q", cut(args[0], 60), cut(args[1], 60))
	case len(args) == 2:
		return checkThing(st, args[0], args[1])
	case !slices.Contains(screens.Names, args[0]) && !slices.Contains(screens.Names, args[0]+"s"):
		return fmt.Errorf("there is no screen named %q; there are %s", cut(args[0], 60), andList(screens.Names))
	}
	return nil
}

// checkThing tells whether there is a thing of that name. Runs and revisions
// are no part of the state: theirs is a number, and the screen says if there is
// none.
func checkThing(st *model.State, kind, name string) error {
	if kind == "run" || kind == "revision" {
		if _, err := strconv.ParseUint(name, 10, 64); err != nil {
			return fmt.Errorf("open %s needs a number, not %q", kind, cut(name, 60))
		}
		return nil
	}
	ref := model.Ref{Kind: model.Kind(kind), Name: name}
	if _, ok := st.Get(ref); !ok {
		return &model.NotFoundError{Ref: ref}
	}
	return nil
}

func openCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "open SCREEN [NAME]",
		Short:   "Open the dashboard at a screen",
		Long:    "Open the dashboard at a screen, or at one VM, hypervisor, run or other thing. It needs a terminal: ssh -t.",
		Example: "open history\nopen vm web\nopen run 41",
		RunE: func(cmd *cobra.Command, args []string) error {
			err := checkScreen(s.state(), s.io.Screens, args)
			var missing *model.NotFoundError
			switch {
			case errors.As(err, &missing):
				return err
			case err != nil:
				return &usageError{err: err, hint: seeHelp(cmd)}
			}
			return &usageError{err: errors.New("the dashboard needs a terminal"), hint: "ask ssh for one with: ssh -t"}
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if len(args) == 0 {
				for _, name := range slices.Concat(s.io.Screens.Things, s.io.Screens.Names) {
					if strings.HasPrefix(name, prefix) {
						names = append(names, name)
					}
				}
			} else if len(args) == 1 && args[0] != "run" && args[0] != "revision" && slices.Contains(s.io.Screens.Things, args[0]) {
				names = s.candidates(model.Kind(args[0]), nil, prefix)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
