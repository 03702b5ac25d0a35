package model

import (
	"slices"
	"time"
)

// Power is the observed state of an outlet or a machine. Unknown is a state
// of its own and never shown as off.
type Power string

// States of power.
const (
	PowerUnknown Power = "unknown"
	PowerOn      Power = "on"
	PowerOff     Power = "off"
)

// AgentState is what is known of a hypervisor's agent.
type AgentState string

// States of an agent.
const (
	AgentNever   AgentState = "never"   // nobody joined as this hypervisor yet
	AgentOffline AgentState = "offline" // joined, not connected
	AgentOnline  AgentState = "online"
)

// Phase is what a hypervisor is doing, in one word; see NextAction for how it
// is found.
type Phase string

// Phases of a hypervisor.
const (
	PhaseNew         Phase = "new"      // no agent has joined yet
	PhaseOff         Phase = "off"      // its power is off
	PhaseOffline     Phase = "offline"  // its agent is not connected
	PhaseStarting    Phase = "starting" // power was switched on, the agent is awaited
	PhaseStopping    Phase = "stopping" // guests and machine are shutting down
	PhaseInSync      Phase = "in sync"  // what is desired is applied
	PhasePending     Phase = "pending"  // a run is about to start
	PhasePlanning    Phase = "planning"
	PhaseWaiting     Phase = "waiting" // for approval
	PhaseApplying    Phase = "applying"
	PhaseRetrying    Phase = "retrying" // the last run failed; RetryAt says when the next starts
	PhaseHeld        Phase = "held"
	PhaseConfiguring Phase = "configuring" // applied; the guests that count are not configured yet
	PhaseIncomplete  Phase = "incomplete"  // the config cannot be rendered; Error says why
	PhaseDrifted     Phase = "drifted"     // applied, and changed by hand since; Drift says what
)

// HypervisorStatus is what is observed of one hypervisor.
type HypervisorStatus struct {
	Power         Power      `json:"power"`
	Agent         AgentState `json:"agent"`
	AgentVersion  string     `json:"agent_version,omitempty"`
	AgentOld      string     `json:"agent_old,omitempty"`  // that it is older than the server, and what to do
	AgentSince    time.Time  `json:"agent_since,omitzero"` // since when Agent is what it is
	Phase         Phase      `json:"phase"`
	DesiredDigest string     `json:"desired_digest,omitempty"`
	AppliedDigest string     `json:"applied_digest,omitempty"`
	AppliedAt     time.Time  `json:"applied_at,omitzero"` // when that was last found to hold
	Run           uint64     `json:"run,omitzero"`        // the run under way
	LastRun       uint64     `json:"last_run,omitzero"`   // the newest run that was kept
	RetryAt       time.Time  `json:"retry_at,omitzero"`
	Failures      int        `json:"failures,omitzero"`  // runs failed in a row
	Since         time.Time  `json:"since,omitzero"`     // since when Phase is what it is
	Error         string     `json:"error,omitempty"`    // of the last run or rendering
	Sequence      *Sequence  `json:"sequence,omitempty"` // of the last order about its power; nil before the first
	Differs       string     `json:"differs,omitempty"`  // how its power is not what is wanted, with nothing being done about it
	Facts         Facts      `json:"facts,omitzero"`
	Guests        []Guest    `json:"guests"`
	// Load is nil while the agent is away. That it changed is published as
	// KindLoad and not as KindStatus.
	Load *Load `json:"load,omitempty"`
	// Drift is how VMs differ from what was applied.
	Drift          []Drift         `json:"drift,omitempty"`
	Lock           *StateLock      `json:"lock,omitempty"`            // nil: nobody holds terraform's state
	ForeignVolumes []ForeignVolume `json:"foreign_volumes,omitempty"` // that are in the way of VMs
	Images         []ImageFile     `json:"images,omitempty"`          // that its agent has put into the default pool
	// Salt is what the master of the machines knows of this one; nil if none
	// does. Configured counts the guests that its runs wait for.
	Salt       *SaltStatus `json:"salt,omitempty"`
	Configured *Configured `json:"configured,omitempty"`
}

// RunningGuests counts the guests of ours that are running.
func (s HypervisorStatus) RunningGuests() int {
	n := 0
	for _, g := range s.Guests {
		if g.ID != "" && g.State == GuestRunning {
			n++
		}
	}
	return n
}

// Guest finds the guest of the VM with that ID.
func (s HypervisorStatus) Guest(id string) (Guest, bool) {
	for _, g := range s.Guests {
		if g.ID == id && id != "" {
			return g, true
		}
	}
	return Guest{}, false
}

// AgentBinary is a program that the server has for agents to become.
type AgentBinary struct {
	Platform string    `json:"platform"` // such as linux_arm64
	Version  string    `json:"version"`
	SHA256   string    `json:"sha256"`
	Bytes    int64     `json:"bytes"`
	Added    time.Time `json:"added"`
}

// Facts are what an agent found out about its machine.
type Facts struct {
	Hostname  string `json:"hostname"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	CPUs      int    `json:"cpus"`
	MemoryMiB int    `json:"memory_mib"`
	Accel     string `json:"accel,omitempty"`     // kvm or tcg, as found; empty on sandbox
	Terraform string `json:"terraform,omitempty"` // such as "terraform 1.11.4"
	Libvirt   string `json:"libvirt,omitempty"`   // version; empty where there is none
}

// GuestState is the state of a guest, in libvirt's words.
type GuestState string

// States of a guest.
const (
	GuestRunning  GuestState = "running"
	GuestStopped  GuestState = "stopped"
	GuestPaused   GuestState = "paused"
	GuestStopping GuestState = "stopping"
	GuestCrashed  GuestState = "crashed"
	GuestUnknown  GuestState = "unknown"
)

// Guest is a domain as an agent reports it. ID is empty for one that is not
// ours; Conflict is the ID of the VM whose name it bears all the same.
type Guest struct {
	ID       string     `json:"id"`                 // of the VM; empty if nobody of this lab defined it
	MadeFor  string     `json:"made_for,omitempty"` // ID of a VM that this lab does not have: another's, or one that was removed
	Name     string     `json:"name"`               // of the domain
	State    GuestState `json:"state"`
	Conflict string     `json:"conflict,omitempty"`
	// Addresses are the IP addresses that it has, as far as libvirt or the
	// guest's agent tells, IPv4 first, without those of the link.
	Addresses []string  `json:"addresses,omitempty"`
	Since     time.Time `json:"since,omitzero"` // UTC; since when it runs; zero of one that does not
	// OffBy is when it is switched off, by the clock of its hypervisor in UTC, if
	// it does not shut down as it was asked to; zero: it was not asked.
	OffBy time.Time `json:"off_by,omitzero"`
	// What one that is not ours has, as far as libvirt tells.
	MemoryMiB int         `json:"memory_mib,omitzero"`
	CPUs      int         `json:"cpus,omitzero"`
	Disks     []GuestDisk `json:"disks,omitempty"`
	// Transient tells that the domain was undefined while its guest runs on: it
	// is gone when that stops.
	Transient bool `json:"transient,omitzero"`
}

// Equal tells whether two reports of a guest say the same.
func (g Guest) Equal(o Guest) bool {
	return g.ID == o.ID && g.Name == o.Name && g.State == o.State && g.Conflict == o.Conflict && g.MadeFor == o.MadeFor && g.Transient == o.Transient &&
		g.Since.Equal(o.Since) && g.OffBy.Equal(o.OffBy) && slices.Equal(g.Addresses, o.Addresses) &&
		g.MemoryMiB == o.MemoryMiB && g.CPUs == o.CPUs && slices.Equal(g.Disks, o.Disks)
}

// GuestDisk is a disk of a guest that is not ours.
type GuestDisk struct {
	Path    string `json:"path"`              // or POOL/VOLUME
	SizeMiB int    `json:"size_mib,omitzero"` // that the guest sees; 0 is unknown
}

// Disk names one of a VM's disks.
type Disk struct {
	VM   string `json:"vm"`   // the VM's ID
	Disk string `json:"disk"` // DiskRoot or DiskExtra
}

// The disks that a VM can have.
const (
	DiskRoot  = "root"
	DiskExtra = "extra"
)

// Applied is what a hypervisor's agent last carried out in full: nothing yet if
// it has no digest.
type Applied struct {
	Digest     string      `json:"digest"`
	At         time.Time   `json:"at"`
	Placements []Placement `json:"placements"`
	// Tried is what else the configs placed whose runs came to nothing since; any
	// of it may have been made. One VM may be there in several ways.
	Tried []Placement `json:"tried,omitempty"`
}

// OutletStatus is what is observed of one outlet.
type OutletStatus struct {
	State    Power     `json:"state"`
	Assumed  bool      `json:"assumed,omitempty"` // what was last ordered; the device cannot be asked
	Since    time.Time `json:"since,omitzero"`
	Observed time.Time `json:"observed,omitzero"` // when the device was last asked or ordered
	Error    string    `json:"error,omitempty"`   // of the last order or question

	Watts    *float64 `json:"watts,omitempty"`     // that its meter says; nil is unknown
	EnergyWh *float64 `json:"energy_wh,omitempty"` // that the device has counted itself
}

// Status is the observed state of the whole lab. What is handed out is
// immutable.
type Status struct {
	Hypervisors map[string]HypervisorStatus
	Outlets     map[string]OutletStatus
	Shares      map[string]ShareStatus      // by share
	Meters      map[string]Metered          // by outlet: those that something was recorded of
	Runs        map[uint64]Run              // those under way
	Minions     map[string]SaltStatus       // of VMs, by the VM's ID
	SaltMasters map[string]SaltMasterStatus // those that are asked
	Moves       map[string]MoveStatus       // of VMs, by the VM's ID; those that ended lately too
}
