// Package local has the commands of homelab about the machine that it is on:
// what installs it there and takes it away, what looks after its database, and
// what says which homelab it is. Those that run server, agent and demo are
// main's own.
package local

import (
	"fmt"

	"github.com/spf13/cobra"
)

// UsageError is a wrong call, as opposed to a failure.
type UsageError struct{ error }

// Usage makes an error one about how the program was called.
func Usage(err error) error { return &UsageError{err} }

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &UsageError{fmt.Errorf("`%s` takes no argument %q", cmd.CommandPath(), args[0])}
	}
	return nil
}
