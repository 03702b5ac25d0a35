package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// question is what a person must agree to before something is done.
type question struct {
	damage []string // each a line that says what will be lost or cut
	beside []string // likewise what happens beside that
	word   string   // to be typed; empty asks y/N
}

// confirm asks a person on a terminal; without one --yes must have been given.
func (s *session) confirm(ctx context.Context, q question, yes bool) error {
	if len(q.damage) == 0 || yes {
		return nil
	}
	if !s.io.PTY {
		errs := make([]error, 0, len(q.damage)+1)
		for _, d := range q.damage {
			errs = append(errs, &usageError{err: errors.New(d)})
		}
		return errors.Join(append(errs, &usageError{err: errors.New("nothing was done"), hint: "if that is what you want, repeat the command with --yes"})...)
	}
	for _, d := range q.damage {
		s.notef("%s", s.paint(yellow, clean(d)))
	}
	for _, b := range q.beside {
		s.notef("%s", clean(b))
	}
	prompt := "Go on? [y/N] "
	if q.word != "" {
		prompt = fmt.Sprintf("Type %s to go on: ", s.paint(bold, clean(q.word)))
	}
	write(s.io.Err, prompt)
	answer, err := s.key.line(ctx, s.io.Err)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	answer = strings.TrimSpace(answer)
	agreed := answer == q.word
	if q.word == "" {
		agreed = strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	}
	if !agreed {
		return errors.New("nothing was done")
	}
	return nil
}
