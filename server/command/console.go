package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

// isConsole tells of the command whose keys are a guest's: Ctrl-C too.
func isConsole(args []string) bool { return len(args) > 0 && args[0] == "console" }

func consoleCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "console VM",
		Short: "Type at a guest's serial console",
		Long: `Attach to the serial console of a VM's guest: what you type goes to it as it is,
Ctrl-C too. It needs a terminal (ssh -t); without one the console is watched.

Ctrl-] and then a key is for homelab:

  q  leave (or . or Ctrl-] again)
  w  take over the keyboard: many may watch, one types
  s  tell the guest the size of your window, by typing stty at its shell: a
     serial line does not carry it
  ]  send Ctrl-] itself
  ?  who is here, and this list

Operators and admins may do this. The guest needs a login on its serial port,
which cloud images have.`,
		Example:           "console web\nconsole web --watch",
		Args:              exactly("VM"),
		ValidArgsFunction: s.nameArgs(model.KindVM, false),
	}
	watch := cmd.Flags().Bool("watch", false, "leave the keyboard to others")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindVM, args[0]); err != nil {
			return err
		}
		t := model.Terminal{Out: s.io.Out}
		if s.io.Terminal != nil {
			t = *s.io.Terminal
		}
		why, err := s.lab.Console(cmd.Context(), args[0], *watch, t)
		if err != nil {
			return err
		}
		if why == "" {
			why = "you have left"
		}
		s.notef("the console of %s is closed: %s", clean(args[0]), clean(why))
		return nil
	}
	return cmd
}
