package model

import (
	"errors"
	"strings"
)

// SplitCommand takes a command line apart into its arguments, as a shell does
// with quotes and backslashes and nothing else: no variables, no patterns, no
// pipes.
func SplitCommand(text string) ([]string, error) {
	var argv []string
	var arg strings.Builder
	started, quote, escaped := false, rune(0), false
	for _, r := range text {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				arg.WriteRune('\\')
			}
			arg.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			started, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			arg.WriteRune(r)
		case r == '\'' || r == '"':
			started, quote = true, r
		case r == ' ' || r == '\t' || r == '\n':
			if started {
				argv = append(argv, arg.String())
				arg.Reset()
				started = false
			}
		default:
			started = true
			arg.WriteRune(r)
		}
	}
	switch {
	case escaped:
		return nil, errors.New("it ends with a backslash that is before nothing")
	case quote != 0:
		return nil, errors.New("unterminated quote")
	}
	if started {
		argv = append(argv, arg.String())
	}
	return argv, nil
}

// JoinCommand writes arguments so that SplitCommand takes them apart again.
func JoinCommand(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = a
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\|&;<>()$`*?[]#~") {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
