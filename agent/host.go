package agent

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// What Linux says of the machine, in /proc; other systems say nothing.

// cpuTimes are what a machine's CPUs have done since it booted, in ticks.
type cpuTimes struct{ busy, total uint64 }

// percent is how busy the CPUs were since before, 0 to 100.
func (t cpuTimes) percent(before cpuTimes) int {
	if t.total <= before.total || t.busy < before.busy {
		return 0
	}
	return int(min(100*(t.busy-before.busy)/(t.total-before.total), 100))
}

func readCPUTimes() cpuTimes {
	var t cpuTimes
	for i, f := range strings.Fields(fileField("/proc/stat", "cpu ")) {
		n, _ := strconv.ParseUint(f, 10, 64)
		if i >= 8 { // guests' time is in the user's
			break
		}
		t.total += n
		if i != 3 && i != 4 { // idle, and waiting for a disk
			t.busy += n
		}
	}
	return t
}

// memoryUsedMiB is what is in use, without what would be given back at once.
func memoryUsedMiB() int {
	kib, err := strconv.Atoi(strings.TrimSuffix(fileField("/proc/meminfo", "MemAvailable:"), " kB"))
	if err != nil {
		return 0
	}
	return memoryMiB() - kib>>10
}

// loadAverages are those over 1, 5 and 15 minutes.
func loadAverages() (loads [3]float64) {
	b, _ := os.ReadFile("/proc/loadavg")
	for i, f := range strings.Fields(string(b)) {
		if i < len(loads) {
			loads[i], _ = strconv.ParseFloat(f, 64)
		}
	}
	return loads
}

// bootTime is since when the machine is up; zero where that is not known.
func bootTime() time.Time {
	s, err := strconv.ParseInt(fileField("/proc/stat", "btime "), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// numberIn reads a file that holds a number; 0 where there is none.
func numberIn(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

// ticks is how many clock ticks /proc counts a second: the kernel's USER_HZ.
const ticks = 100

// processSince is since when a process runs; zero where that is not known.
func processSince(pid int) time.Time {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}
	}
	_, rest, _ := strings.Cut(string(b), ") ") // a name may hold anything but this
	fields := strings.Fields(rest)
	boot := bootTime()
	if len(fields) < 20 || boot.IsZero() {
		return time.Time{}
	}
	start, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return boot.Add(time.Duration(start/ticks) * time.Second)
}
