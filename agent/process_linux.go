package agent

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// groupAttr puts a process into a group of its own that is interrupted when
// the agent dies.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
}

// startTime identifies the process that has that number now, "" if none has
// or if it is a zombie.
func startTime(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything but comes first
	fields := strings.Fields(rest)
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return bootID() + " " + fields[19]
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

func sameBoot(start string) bool {
	boot, _, _ := strings.Cut(start, " ")
	return boot == bootID()
}
