package command

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// plainFlags gives --plain to every command that reads, which are those that
// have --json: what they write can be listened to.
func (s *session) plainFlags(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		s.plainFlags(sub)
	}
	json := cmd.Flags().Lookup("json")
	if json == nil {
		return
	}
	cmd.Flags().BoolVar(&s.plain, "plain", false, "lines of words, without colours or columns, for screen readers")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.plain && json.Changed {
			return &usageError{err: errors.New("--plain and --json do not go together"), hint: seeHelp(cmd)}
		}
		return run(cmd, args)
	}
}

// sayTable writes each row as a line that says of each value what it is, as
// there is no column to look up to. What is empty is left out.
func (s *session) sayTable(t *table) {
	var b strings.Builder
	for _, row := range t.rows {
		var parts []string
		for i, c := range row {
			if text := strings.TrimSpace(clean(c.text)); text != "" && text != "–" && text != "-" {
				parts = append(parts, strings.ToLower(t.header[i])+" "+text)
			}
		}
		b.WriteString(strings.Join(parts, "; ") + "\n")
	}
	write(s.io.Out, b.String())
}

// sayPairs writes a thing's detail as lines.
func (s *session) sayPairs(pairs []pair) {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(strings.TrimSpace(strings.TrimSuffix(p.label, ":")+": "+clean(p.cell.text)) + "\n")
	}
	write(s.io.Out, b.String())
}
