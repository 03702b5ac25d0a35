package command

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// usageError is a command that was typed wrongly; hint says what to do.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// hinted is a failure with advice of its own.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }

func hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// errSaid is a failure that has been told already.
var errSaid = errors.New("failed")

// longest is how much of an error's line is shown: what was typed may be huge.
const longest = 800

// report tells an error and what to do about it, and returns the exit status.
func (s *session) report(err error) int {
	if err == nil {
		return exitDone
	}
	var bare *bareError
	if errors.As(err, &bare) {
		fmt.Fprintf(s.io.Err, "%s %v\n\n", s.paint(red, "error:"), err)
		s.help(s.io.Err, bare.cmd)
		return exitUsage
	}
	status := s.status(err)
	if errors.Is(err, errSaid) {
		return status
	}
	hints := map[string]bool{}
	for _, e := range flatten(err) {
		for line := range strings.Lines(e.Error()) {
			fmt.Fprintln(s.io.Err, s.paint(red, "error:"), cut(clean(strings.TrimRight(line, "\r\n")), longest))
		}
		if h := s.hint(e); h != "" && !hints[h] {
			hints[h] = true
			fmt.Fprintln(s.io.Err, cut(clean(h), longest))
		}
	}
	return status
}

// status is wrong usage where what was typed is to blame: there is no such
// command or flag, or a flag or a field does not take its value. What was read
// from standard input, or what there is in the lab, makes the command fail.
func (s *session) status(err error) int {
	var usage *usageError
	if errors.As(err, &usage) || len(model.FieldErrors(err)) > 0 && !s.untyped {
		return exitUsage
	}
	return exitFailed
}

// flatten takes joined errors apart, so that each gets its line.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// hint says what to do about an error; empty when its text does.
func (s *session) hint(err error) string {
	var (
		usage   *usageError
		advised *hinted
		missing *model.NotFoundError
		exists  *model.ExistsError
		moved   *model.ConflictError
		field   *model.FieldError
		used    *model.ReferencedError
		kept    *model.ProtectedError
	)
	switch {
	case errors.As(err, &advised):
		return advised.hint
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &missing):
		return s.missingHint(missing.Ref)
	case errors.As(err, &exists):
		if verb := command(exists.Ref.Kind); verb != "" {
			return fmt.Sprintf("change it with: %s edit %s", verb, shellQuote(exists.Ref.Name))
		}
	case errors.As(err, &field):
		if near := nearest(field.Value, s.names(fieldKinds[field.Field])); len(near) > 0 && !slices.Contains(near, field.Value) {
			return "did you mean " + orList(near) + "?"
		}
	case errors.As(err, &used):
		if at := slices.IndexFunc(used.By, func(r model.Ref) bool { return r.Kind == model.KindVM }); at >= 0 && used.Ref.Kind == model.KindImage {
			return fmt.Sprintf("give each VM another image first, such as: vm edit %s --image NAME; or remove the VM", shellQuote(used.By[at].Name))
		}
	case errors.As(err, &kept):
		return "take the protection away with: vm unprotect " + shellQuote(kept.VM)
	case errors.As(err, &moved):
		if verb := command(moved.Ref.Kind); verb != "" {
			return fmt.Sprintf("look at it with: %s show %s", verb, shellQuote(moved.Ref.Name))
		}
	}
	return ""
}

// fieldKinds are the kinds of things that fields name.
var fieldKinds = map[string]model.Kind{
	"image": model.KindImage, "hypervisor": model.KindHypervisor, "profiles": model.KindProfile,
	"salt_master": model.KindSaltMaster, "outlets": model.KindOutlet, "requires": model.KindOutlet, "outlet": model.KindOutlet, "shares": model.KindShare,
}

func (s *session) missingHint(ref model.Ref) string {
	names := s.names(ref.Kind)
	if near := nearest(ref.Name, names); len(near) > 0 {
		return "did you mean " + orList(near) + "?"
	}
	verb := command(ref.Kind)
	switch {
	case verb == "":
		return ""
	case len(names) == 0:
		return fmt.Sprintf("there is none yet; add one with: %s add NAME", verb)
	}
	return fmt.Sprintf("see them all with: %s list", verb)
}

// command is the noun that works on a kind of thing; empty when none does.
func command(k model.Kind) string {
	switch k {
	case model.KindVM, model.KindHypervisor, model.KindProfile, model.KindImage, model.KindOutlet, model.KindShare, model.KindUser:
		return string(k)
	case model.KindSaltMaster:
		return "salt master"
	}
	return ""
}

// names lists what exists of a kind.
func (s *session) names(k model.Kind) []string {
	var names []string
	for _, ref := range s.state().Refs() {
		if ref.Kind == k {
			names = append(names, ref.Name)
		}
	}
	return names
}

// badFlag turns cobra's complaint about a flag into ours.
func badFlag(cmd *cobra.Command, err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = errors.New(strings.Replace(err.Error(), number.Error(), plainly(number), 1))
	}
	return &usageError{err: err, hint: seeHelp(cmd)}
}

// plainly says what Go's complaint about a value means.
func plainly(e *strconv.NumError) string {
	switch {
	case errors.Is(e.Err, strconv.ErrRange):
		return "is out of range"
	case e.Func == "ParseBool":
		return "must be true or false"
	case e.Func == "ParseUint":
		return "must be a whole number, 0 or more"
	case e.Func == "ParseFloat":
		return "must be a number"
	}
	return "must be a whole number"
}

func seeHelp(cmd *cobra.Command) string {
	if path := pathOf(cmd); path != "" {
		return "see: " + path + " --help"
	}
	return "see: help"
}

// pathOf is a command without the program's name, such as "vm add".
func pathOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	return strings.TrimSpace(pathOf(cmd.Parent()) + " " + cmd.Name())
}

// nearest finds the names that somebody may have meant, best first.
func nearest(typed string, names []string) []string {
	if len(typed) > 100 {
		return nil
	}
	best, limit := []string(nil), max(1, min(3, len(typed)/3))
	for d := 0; d <= limit && len(best) == 0; d++ {
		for _, name := range names {
			if distance(strings.ToLower(typed), strings.ToLower(name)) == d {
				best = append(best, name)
			}
		}
	}
	if len(best) == 0 && len(typed) >= 2 {
		for _, name := range names {
			if strings.HasPrefix(name, strings.ToLower(typed)) {
				best = append(best, name)
			}
		}
	}
	return best[:min(3, len(best))]
}

// distance counts the letters that differ; two that are swapped count once.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func orList(words []string) string { return list(words, "or") }

func andList(words []string) string { return list(words, "and") }

func list(words []string, conj string) string {
	if len(words) > 8 {
		words = append(words[:7:7], fmt.Sprintf("%d more", len(words)-7))
		conj = "and"
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + conj + " " + words[len(words)-1]
}

// write writes and forgets: a client that is gone ends the session by its
// context.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
