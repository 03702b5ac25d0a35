//go:build unix && !linux

package agent

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// groupAttr puts a process into a group of its own.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// startTime identifies the process that has that number now, "" if none has.
func startTime(pid int) string {
	b, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func bootID() string { return "" }

func sameBoot(string) bool { return true }
