// Package local has the commands of homelab about the machine that it is on:
// what installs it there and takes it away, what looks after its database, and
// what says which homelab it is. Those that run server, agent and demo are
// main's own.
package local

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError is a wrong call, as opposed to a failure.
type UsageError struct{ error }

// Usage makes an error one about how the program was called.
func Usage(err error) error { return &UsageError{err} }

// BadFlag makes what a flag does not take a wrong call, in plain words.
func BadFlag(_ *cobra.Command, err error) error {
	var number *strconv.NumError
	if errors.As(err, &number) {
		err = errors.New(strings.Replace(err.Error(), number.Error(), "must be a whole number", 1))
	}
	return &UsageError{err}
}

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &UsageError{fmt.Errorf("`%s` takes no argument %q", cmd.CommandPath(), args[0])}
	}
	return nil
}
