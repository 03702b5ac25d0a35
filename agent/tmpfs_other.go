//go:build !linux

package agent

import "errors"

func mountTmpfs(string, int) error { return errors.New("a tmpfs can be had on Linux only") }
