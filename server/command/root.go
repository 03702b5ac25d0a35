package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The groups of the help's first page.
const (
	groupThings = "things"
	groupPower  = "power"
	groupRuns   = "runs"
	groupAccess = "access"
	groupLab    = "lab"
)

// displayName is how people call the program.
const displayName = "ssh homelab.lan"

// newRoot makes the tree of commands.
func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "homelab",
		Short: "The home lab: its machines, its VMs and their power",
		Long: `Without a command the dashboard opens. With one, the answer is written and the
connection ends: standard output is the answer, standard error what is beside it,
and the exit status is 0 (done), 1 (failed) or 2: wrong usage, such as a value that
its flag or field does not take, or a confirmation that nobody was there to give
(see --yes).`,
		Annotations:        map[string]string{cobra.CommandDisplayNameAnnotation: displayName},
		SilenceErrors:      true,
		SilenceUsage:       true,
		CompletionOptions:  cobra.CompletionOptions{DisableDefaultCmd: true},
		DisableSuggestions: true, // ours are better
	}
	root.SetFlagErrorFunc(badFlag)
	root.SetGlobalNormalizationFunc(sameFlag)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 && args[0] != "help" {
			s.unknown = unknownCommand(cmd, args[0])
			return
		}
		s.help(s.io.Out, cmd)
	})
	root.AddGroup(
		&cobra.Group{ID: groupThings, Title: "Things"},
		&cobra.Group{ID: groupPower, Title: "Power"},
		&cobra.Group{ID: groupRuns, Title: "Runs"},
		&cobra.Group{ID: groupAccess, Title: "Access"},
		&cobra.Group{ID: groupLab, Title: "The lab"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupThings, vmCommand(s), hypervisorCommand(s), profileCommand(s), imageCommand(s), poolCommand(s), shareCommand(s), roleCommand(s), outletCommand(s), saltCommand(s), consoleCommand(s))
	add(groupPower, powerCommand(s), holdCommand(s), releaseCommand(s))
	add(groupRuns, planCommand(s), applyCommand(s), approveCommand(s), cancelCommand(s), runCommand(s), logsCommand(s), configCommand(s))
	add(groupAccess, userCommand(s), keyCommand(s), agentCommand(s), hostkeyCommand(s))
	add(groupLab, openCommand(s), hostsCommand(s), sshConfigCommand(s), settingsCommand(s), historyCommand(s), undoCommand(s), watchCommand(s), importCommand(s), exportCommand(s), backupCommand(s), restoreCommand(s), completionCommand(s))
	help := helpCommand(s)
	help.GroupID = groupLab
	root.SetHelpCommandGroupID(groupLab)
	root.SetHelpCommand(help)
	parent(root)
	offer(root, s.lab.User().Role)
	s.plainFlags(root)
	return root
}

// aloneToo marks a command that does something alone and has others below it.
const aloneToo = "homelab_alone"

// bareError is a command that only has others below it, called alone.
type bareError struct{ cmd *cobra.Command }

func (e *bareError) Error() string { return pathOf(e.cmd) + " needs a COMMAND" }

// parent makes a command of one that only has others below it: what it does not
// know it refuses with a suggestion, and alone it does nothing, which is told
// with its help.
func parent(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && !cmd.HasParent():
			return cmd.Help()
		case len(args) == 0:
			return &bareError{cmd}
		case args[0] == "help":
			found, rest, err := cmd.Find(args[1:])
			if err != nil || len(rest) > 0 {
				return unknownCommand(found, rest[0])
			}
			return found.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	return cmd
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && !strings.HasPrefix(sub.Name(), "_") {
			names = append(names, sub.Name())
			names = append(names, sub.Aliases...)
		}
	}
	path := pathOf(cmd)
	e := &usageError{err: fmt.Errorf("unknown command %q", strings.TrimSpace(path+" "+cut(name, 60))), hint: seeHelp(cmd)}
	if near := nearest(name, names); len(near) > 0 {
		for i := range near {
			near[i] = strings.TrimSpace(path + " " + near[i])
		}
		e.hint = "did you mean " + orList(near) + "?"
	}
	return e
}

func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

// helpCommand is `help [COMMAND]`.
func helpCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND…]",
		Short:   "Help about a command",
		Example: "  help\n  help vm add",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || found == nil {
				return unknownCommand(cmd.Root(), args[0])
			}
			if len(rest) > 0 {
				return unknownCommand(found, rest[0])
			}
			s.help(s.io.Out, found)
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			found, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range found.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), toComplete) {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// help writes a command's page.
func (s *session) help(to io.Writer, cmd *cobra.Command) {
	var b strings.Builder
	b.WriteString(reflow(or(cmd.Long, cmd.Short), min(s.room(), 84)) + "\n\n")
	b.WriteString(s.paint(bold, "Usage") + "\n")
	switch {
	case !cmd.HasParent():
		b.WriteString("  " + displayName + " COMMAND [ARGUMENTS…] [FLAGS]\n")
	case cmd.HasAvailableSubCommands():
		if cmd.Annotations[aloneToo] != "" {
			b.WriteString("  " + cmd.CommandPath() + " [FLAGS]\n")
		}
		b.WriteString("  " + cmd.CommandPath() + " COMMAND\n")
	default:
		b.WriteString("  " + strings.TrimSuffix(cmd.UseLine(), " [flags]") + " [FLAGS]\n")
	}
	if len(cmd.Aliases) > 0 {
		b.WriteString("\n" + s.paint(bold, "Also called") + "\n  " + strings.Join(cmd.Aliases, ", ") + "\n")
	}
	s.helpCommands(&b, cmd)
	if cmd.Example != "" {
		b.WriteString("\n" + s.paint(bold, "Examples") + "\n")
		for line := range strings.Lines(cmd.Example) {
			b.WriteString("  " + displayName + " " + inShell(strings.TrimSpace(line)) + "\n")
		}
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() && !onlyHelp(flags) {
		b.WriteString("\n" + s.paint(bold, "Flags") + "\n" + flags.FlagUsagesWrapped(s.io.Width))
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nMore about one: " + strings.TrimSpace(pathOf(cmd)+" COMMAND --help") + "\n")
	}
	write(to, b.String())
}

// reflow breaks paragraphs anew to a width; one with indented lines stays as it
// is.
func reflow(text string, width int) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = fold(strings.Fields(p), width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// fold puts words into lines, and breaks none: not at the hyphen of a flag.
func fold(words []string, width int) string {
	var b strings.Builder
	used := 0
	for _, word := range words {
		n := ansi.StringWidth(word)
		switch {
		case used == 0:
		case used+1+n > width:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}

func onlyHelp(flags *pflag.FlagSet) bool {
	only := true
	flags.VisitAll(func(f *pflag.Flag) { only = only && (f.Name == "help" || f.Hidden) })
	return only
}

func (s *session) helpCommands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	line := func(sub *cobra.Command) {
		fmt.Fprintf(b, "  %-*s  %s\n", cmd.NamePadding(), sub.Name(), cut(sub.Short, max(20, s.room()-cmd.NamePadding()-6)))
	}
	if len(cmd.Groups()) == 0 {
		b.WriteString("\n" + s.paint(bold, "Commands") + "\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				line(sub)
			}
		}
		return
	}
	for _, group := range cmd.Groups() {
		b.WriteString("\n" + s.paint(bold, group.Title) + "\n")
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && sub.IsAvailableCommand() {
				line(sub)
			}
		}
	}
}

// inShell is a command as a person types it behind ssh: what is quoted for the server
// is quoted once more, because ssh joins its words with spaces.
func inShell(command string) string {
	if !strings.ContainsAny(command, `'"`) {
		return command
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(command) + `"`
}

// room is the width that text may take.
func (s *session) room() int {
	if s.io.PTY && s.io.Width > 0 {
		return s.io.Width
	}
	return 100
}
