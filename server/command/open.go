package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// opensOne are the screens that show one thing, by name.
var opensOne = map[string]model.Kind{"vm": model.KindVM, "hypervisor": model.KindHypervisor}

// Opens tells whether a command is `open SCREEN [NAME]` and nothing is wrong
// with it: then whoever runs it on a terminal is shown that screen. Without a
// terminal, or with something wrong, [Run] says what it needs.
func Opens(st *model.State, screens, args []string) (screen []string, ok bool) {
	if len(args) == 0 || args[0] != "open" || checkScreen(st, screens, args[1:]) != nil {
		return nil, false
	}
	return args[1:], true
}

func checkScreen(st *model.State, screens, args []string) error {
	if len(args) == 0 || len(args) > 2 {
		return errors.New("open needs SCREEN, and at most one NAME")
	}
	kind, one := opensOne[args[0]]
	switch {
	case len(args) == 2 && !one:
		return fmt.Errorf("open %s does not take %q", cut(args[0], 60), cut(args[1], 60))
	case len(args) == 2:
		ref := model.Ref{Kind: kind, Name: args[1]}
		if _, ok := st.Get(ref); !ok {
			return &model.NotFoundError{Ref: ref}
		}
	case !slices.Contains(screens, args[0]) && !slices.Contains(screens, args[0]+"s"):
		return fmt.Errorf("there is no screen named %q; there are %s", cut(args[0], 60), andList(screens))
	}
	return nil
}

func openCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "open SCREEN [NAME]",
		Short:   "Open the dashboard at a screen",
		Long:    "Open the dashboard at a screen, or at one VM or hypervisor. It needs a terminal: ssh -t.",
		Example: "open history\nopen vm web",
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
				for _, name := range append([]string{"hypervisor", "vm"}, s.io.Screens...) {
					if strings.HasPrefix(name, prefix) {
						names = append(names, name)
					}
				}
			} else if kind, one := opensOne[args[0]]; one && len(args) == 1 {
				names = s.candidates(kind, nil, prefix)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
