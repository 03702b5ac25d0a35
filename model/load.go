package model

import "time"

// Load is what a hypervisor's machine and its guests use, as the agent
// measured it last. Figures are rounded and small changes are not reported, so
// that a machine that idles says nothing for minutes. It is immutable.
type Load struct {
	CPUPercent    int        `json:"cpu_percent"` // of all its CPUs, 0 to 100
	Load1         float64    `json:"load_1"`      // load averages over 1, 5 and 15 minutes
	Load5         float64    `json:"load_5"`
	Load15        float64    `json:"load_15"`
	MemoryUsedMiB int        `json:"memory_used_mib"` // without what the system would give back at once
	MemoryMiB     int        `json:"memory_mib"`
	Booted        time.Time  `json:"booted,omitzero"` // UTC; since when the machine is up
	Logins        int        `json:"logins,omitzero"` // sessions of people who are logged in on it
	Pools         []PoolLoad `json:"pools"`           // those of the config, by name
	// Guests are those that run, foreign ones too, by the domain's name.
	Guests map[string]GuestLoad `json:"guests"`
	// Simulated tells that the guests' figures are made up: a sandbox has
	// guests only in name.
	Simulated bool `json:"simulated,omitzero"`
}

// PoolLoad is the space of a pool.
type PoolLoad struct {
	Name         string `json:"name"`
	CapacityMiB  int    `json:"capacity_mib"`
	AvailableMiB int    `json:"available_mib"`
}

// GuestLoad is what a guest uses that runs.
type GuestLoad struct {
	CPUPercent int `json:"cpu_percent"` // of all its virtual CPUs, 0 to 100
	// MemoryUsedMiB is what the guest says it uses, or, of one that says
	// nothing, what it holds of the machine's memory.
	MemoryUsedMiB int `json:"memory_used_mib"`
	MemoryMiB     int `json:"memory_mib"`    // that it has
	DiskUsedMiB   int `json:"disk_used_mib"` // that its disks take in their pools
	DiskMiB       int `json:"disk_mib"`      // that they can hold
}

// GuestLoad finds what a guest uses; false if that is not known.
func (s HypervisorStatus) GuestLoad(g Guest) (GuestLoad, bool) {
	if s.Load == nil {
		return GuestLoad{}, false
	}
	l, ok := s.Load.Guests[g.Name]
	return l, ok
}

// Logins counts the sessions of people on the machine, as far as is known.
func (s HypervisorStatus) Logins() int {
	if s.Load == nil || s.Agent != AgentOnline {
		return 0
	}
	return s.Load.Logins
}

// LoadPoint is the mean load over a minute or an hour of a VM's guest or a
// machine. What was not measured is NaN.
type LoadPoint struct {
	At         time.Time // its beginning
	CPUPercent float64   // of all its CPUs
	MemoryMiB  float64   // used
}

// StateLock is the lock on the terraform state of a hypervisor, while
// somebody else than its agent holds it or has left it behind.
type StateLock struct {
	Who       string    `json:"who"`       // user@host
	Operation string    `json:"operation"` // such as OperationTypeApply
	Created   time.Time `json:"created,omitzero"`
	PID       int       `json:"pid,omitzero"` // of the process that holds it
	Live      bool      `json:"live"`         // false: whoever made it is gone
}

// ForeignVolume is a volume that bears the name of a VM's disk and is not
// ours.
type ForeignVolume struct {
	VM   string `json:"vm"` // the VM's ID
	Pool string `json:"pool"`
	Name string `json:"name"`
}
