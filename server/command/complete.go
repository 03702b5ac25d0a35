package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"homelab/model"
)

// nameArgs completes arguments with the names of a kind: the first one, or any
// number of different ones.
func (s *session) nameArgs(kind model.Kind, many bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return s.candidates(kind, args, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// candidates are the names of a kind that begin as typed and are not there yet.
func (s *session) candidates(kind model.Kind, there []string, prefix string) []string {
	var names []string
next:
	for _, name := range s.names(kind) {
		for _, t := range there {
			if t == name {
				continue next
			}
		}
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// isCompletion tells whether a shell asks what could come next.
func isCompletion(args []string) bool {
	return len(args) > 1 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// complete answers a shell's question in cobra's own protocol. Values of flags
// are completed here: cobra keeps their functions in a map of the process,
// which would grow with every session.
func (s *session) complete(ctx context.Context, root *cobra.Command, args []string) error {
	if values, ok := s.flagValues(root, args[1:]); ok {
		write(s.io.Out, strings.Join(append(values, ":4"), "\n")+"\n")
		return nil
	}
	err := root.ExecuteContext(ctx)
	if err != nil {
		return &usageError{err: err}
	}
	return nil
}

// flagValues completes the value of a flag, typed as `--flag va` or
// `--flag=va`; ok is false when something else is asked for.
func (s *session) flagValues(root *cobra.Command, args []string) (values []string, ok bool) {
	last := args[len(args)-1]
	name, prefix, joined := strings.Cut(last, "=")
	rest := args[:len(args)-1]
	if !joined {
		if len(args) < 2 || strings.Contains(args[len(args)-2], "=") {
			return nil, false
		}
		name, prefix, rest = args[len(args)-2], last, args[:len(args)-2]
	}
	if !strings.HasPrefix(name, "--") || len(name) == 2 {
		return nil, false
	}
	cmd, _, err := root.Find(rest)
	if err != nil {
		return nil, false
	}
	flag := cmd.Flags().Lookup(name[2:])
	if flag == nil || flag.NoOptDefVal != "" && !joined {
		return nil, false
	}
	return s.valuesOf(flag, prefix), true
}

func (s *session) valuesOf(flag *pflag.Flag, prefix string) []string {
	done := ""
	if strings.HasSuffix(flag.Value.Type(), "Slice") {
		if i := strings.LastIndexByte(prefix, ','); i >= 0 {
			done, prefix = prefix[:i+1], prefix[i+1:]
		}
	}
	var words []string
	for _, kind := range flag.Annotations["homelab_kind"] {
		words = append(words, s.names(model.Kind(kind))...)
	}
	words = append(words, flag.Annotations["homelab_words"]...)
	if flag.Value.Type() == "bool" {
		words = append(words, "true", "false")
	}
	var values []string
	for _, word := range words {
		if strings.HasPrefix(word, prefix) {
			values = append(values, done+word)
		}
	}
	return values
}
