package wire

import "golang.org/x/crypto/ssh"

// ChannelConsole is the type of the SSH channel that the server opens on an
// agent's connection to be attached to a guest's serial console: raw bytes both
// ways. The agent refuses it with the reason; when the console ends it writes
// the reason on the channel's standard error and closes it.
const ChannelConsole = "console@homelab"

// ConsoleOpen is what the server says as it opens one.
type ConsoleOpen struct {
	VM string // ID
}

// Payload is what an open request carries.
func (o ConsoleOpen) Payload() []byte { return ssh.Marshal(o) }

// ChannelDisk is the type of the SSH channels by which the server has a disk of
// a VM that moves copied: one to the agent that sends it and one to the agent that
// takes it, between which it passes lines of JSON and bytes on.
//
//	sender → taker  DiskHead, a line
//	taker → sender  DiskAnswer, a line
//	sender → taker  the bytes from DiskAnswer.Offset to DiskHead.Size, and then
//	                DiskSum, a line; nothing of both if the taker has it
//	taker           DiskResult, a line
//
// Who fails says why on the channel's standard error and closes it.
const ChannelDisk = "disk@homelab"

// DiskBase is what a root disk is an overlay of, as a disk of [DiskOpen].
const DiskBase = "base"

// DiskOpen is what the server says as it opens one.
type DiskOpen struct {
	VM       string // ID
	Disk     string // root, extra or DiskBase
	Send     bool   // else it is to be taken
	Platform string
	Pool     string // that the disk is in
	Folder   string // of that pool
	File     string // name of the volume in it; of a base that of the root disk
}

// DiskHead says what comes.
type DiskHead struct {
	Size int64  `json:"size"`           // bytes
	Base string `json:"base,omitempty"` // file name of what a disk is an overlay of, or of the base itself
	Sum  string `json:"sum,omitempty"`  // SHA-256 of a base, in hex
}

// DiskAnswer says what is wanted of it.
type DiskAnswer struct {
	Have   bool  `json:"have,omitempty"` // the taker has it already
	Offset int64 `json:"offset"`         // bytes that an earlier try has brought
}

// DiskSum ends the bytes: SHA-256 of the whole disk, in hex.
type DiskSum struct {
	Sum string `json:"sum"`
}

// DiskResult is how the taker ends; without an error the disk is whole and safe.
type DiskResult struct {
	Error string `json:"error,omitempty"`
}
