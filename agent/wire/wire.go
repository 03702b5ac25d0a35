// Package wire is what agent and server say to each other: JSON lines on the
// "agent" subsystem's channel, the manifest in the tar of the "terraform"
// subsystem, and the token of an invite.
//
// The first frame each way carries the protocol version. Unknown fields are
// ignored; an unknown kind is answered with an error frame. A line is at most
// [MaxLine] bytes; a longer one ends the connection with a reason.
package wire

import (
	"time"

	"homelab/model"
)

// Version is that of the protocol. Peers whose versions differ by more than
// one refuse each other.
//
//   - 1: the first.
//   - 2: update, and what a hello says of the agent's binary.
const Version = 2

// MaxLine is the longest line, in bytes, newline included.
const MaxLine = 1 << 20

// The subsystems of the SSH endpoint.
const (
	SubsystemAgent     = "agent"
	SubsystemTerraform = "terraform"
	SubsystemJoin      = "join"
	SubsystemBinary    = "binary" // the program for the calling agent's platform
)

// Silence is how long a peer may say nothing (keepalives included) before it
// counts as gone; Keepalive is how often each side speaks.
const (
	Silence   = 15 * time.Second
	Keepalive = 5 * time.Second
)

// Frame is one line. Kind says which of the pointers is set.
type Frame struct {
	Kind string `json:"kind"`

	// From the agent.
	Hello     *Hello         `json:"hello,omitempty"`     // first
	Records   []model.Record `json:"records,omitempty"`   // contiguous, ascending
	Inventory *Inventory     `json:"inventory,omitempty"` // the latest counts
	Load      *model.Load    `json:"load,omitempty"`      // the latest counts

	// From the server.
	Welcome *Welcome `json:"welcome,omitempty"` // first
	Desired *Desired `json:"desired,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Ack     uint64   `json:"ack,omitempty"` // every record up to it is committed

	// Orders of the server (approve, cancel, restart, cut, adopt, prune, shutdown) carry a
	// number; the agent answers each with a result of that number, whose Error
	// is empty if the order was taken.
	Order uint64 `json:"order,omitempty"`
	RunID uint64 `json:"run_id,omitempty"` // of approve and cancel
	VM    string `json:"vm,omitempty"`     // ID of a VM, of restart, cut and adopt
	// Update is the program that an agent is to become, of update.
	Update *Update `json:"update,omitempty"`
	// Files are names of volumes, of prune.
	Files []string `json:"files,omitempty"`
	Error string   `json:"error,omitempty"`

	// GraceSeconds is how long a guest has to shut down before it is switched
	// off, of shutdown and restart; 0 is the agent's own.
	GraceSeconds int `json:"grace_seconds,omitempty"`
	// Force has the guest switched off without being asked, of restart.
	Force bool `json:"force,omitempty"`
}

// Kinds of frames.
const (
	KindHello     = "hello"     // agent → server
	KindRecords   = "records"   // agent → server
	KindInventory = "inventory" // agent → server
	KindLoad      = "load"      // agent → server
	KindWelcome   = "welcome"   // server → agent
	KindDesired   = "desired"   // server → agent
	KindRun       = "run"       // server → agent: start this run
	KindApprove   = "approve"   // server → agent: apply the plan of RunID
	KindCancel    = "cancel"    // server → agent: interrupt RunID; a second one kills
	KindShutdown  = "shutdown"  // server → agent: shut down guests, then the machine
	KindRestart   = "restart"   // server → agent: restart the guest of VM
	KindCut       = "cut"       // server → agent: switch the guest of VM off, without asking it
	KindAdopt     = "adopt"     // server → agent: the domain that bears the name of VM becomes ours
	KindPrune     = "prune"     // server → agent: remove these files of images if nothing uses them
	KindUpdate    = "update"    // server → agent: become another version of the program
	KindUnlock    = "unlock"    // server → agent: remove the lock that a dead process left on the state
	KindResult    = "result"    // agent → server: what became of Order
	KindAck       = "ack"       // server → agent
	KindPing      = "ping"      // both ways
	KindError     = "error"     // both ways: what could not be done, for the log
)

// Hello is the agent's first frame.
type Hello struct {
	Version      int         `json:"version"`
	AgentVersion string      `json:"agent_version"`
	Facts        model.Facts `json:"facts"`
	// Spool identifies the spool; a new one starts again at record 1.
	Spool         string   `json:"spool"`
	AppliedDigest string   `json:"applied_digest"`
	HostKeys      []string `json:"host_keys,omitempty"` // fingerprints of those that the agent trusts
	Unfinished    []uint64 `json:"unfinished"`          // runs that are under way in the agent
	// Platform is what the agent's binary was built for, such as linux_amd64
	// or linux_armv7; Binary is the SHA-256 of it. Both are empty where it
	// cannot be updated.
	Platform string `json:"platform,omitempty"`
	Binary   string `json:"binary,omitempty"`
	// Trial says that this is a new version that tries whether it can connect,
	// and ends when it was welcomed.
	Trial bool `json:"trial,omitempty"`
	// Failed says why the last update was taken back; empty if none was.
	Failed string `json:"failed,omitempty"`
}

// Welcome is the server's first frame.
type Welcome struct {
	Version       int    `json:"version"`
	ServerVersion string `json:"server_version"`
	Hypervisor    string `json:"hypervisor"` // that the agent's key is bound to
	// Ack is the last record of Hello.Spool that is committed.
	Ack uint64 `json:"ack"`
}

// Update is a program that an agent fetches by the subsystem "binary".
type Update struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
}

// Desired says which config is wanted now. A run of another digest that does
// not apply yet is superseded by it.
type Desired struct {
	Digest string `json:"digest"` // empty: nothing is to be done
}

// Run orders a run. The agent answers with records about it.
type Run struct {
	ID     uint64        `json:"id"`
	Kind   model.RunKind `json:"kind"`
	Digest string        `json:"digest"` // of the config to fetch
	// Review says that every plan with changes waits for approval.
	Review    bool            `json:"review"`
	Announced model.Announced `json:"announced"`
	// GraceSeconds is how long a guest has to shut down before it is switched
	// off; 0 is the agent's own.
	GraceSeconds int `json:"grace_seconds,omitempty"`
}

// Inventory is what the agent sees on its machine.
type Inventory struct {
	Guests []model.Guest `json:"guests"`
	// Disks are those of ours that exist, by terraform's state: the server
	// keeps them in the config as long as they are reported.
	Disks []model.Disk `json:"disks"`
	// Gone are those of them whose file is not there.
	Gone           []model.Disk          `json:"gone,omitempty"`
	ForeignVolumes []model.ForeignVolume `json:"foreign_volumes,omitempty"`
	Lock           *model.StateLock      `json:"lock,omitempty"`
	Images         []model.ImageFile     `json:"images,omitempty"` // that the agent has put into the default pool
	// Facts is set when they have changed since the hello.
	Facts *model.Facts `json:"facts,omitempty"`
}
