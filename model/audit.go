package model

import "time"

// AuditKind is what an entry of the audit is about.
type AuditKind string

// Kinds of entries.
const (
	AuditConnected AuditKind = "connected" // a known key got in
	AuditDid       AuditKind = "did"       // a command, a dashboard, an order; What says which
	AuditDenied    AuditKind = "denied"    // a known key wanted what it may not
	AuditRefused   AuditKind = "refused"   // a stranger was not let in
	AuditLeft      AuditKind = "left"      // an agent's connection ended, or somebody was put out
)

// Audited is one entry of the audit: who did what, or was refused. What is the
// same again within an hour is counted in the entry that there is.
type Audited struct {
	Number  uint64    `json:"number"`            // grows with every entry; one that is counted on gets a new one
	Time    time.Time `json:"time"`              // UTC, of the first
	Kind    AuditKind `json:"kind"`              //
	Who     string    `json:"who"`               // a user, "agent NAME", "invite of NAME", or "stranger"
	Address string    `json:"address,omitempty"` // IP address that it came from, without port
	Key     string    `json:"key,omitempty"`     // fingerprint; of strangers the one offered last
	What    string    `json:"what"`              // never with a secret in it
	Count   int       `json:"count"`             // how often
	Last    time.Time `json:"last"`              // UTC, of the last
}

// Session is a connection of somebody who was let in.
type Session struct {
	Who     string    `json:"who"`     // a user, "agent NAME" or "invite of NAME"
	Address string    `json:"address"` // HOST:PORT that it comes from
	Key     string    `json:"key"`     // fingerprint
	KeyName string    `json:"key_name,omitempty"`
	Client  string    `json:"client"` // what its SSH client calls itself
	Since   time.Time `json:"since"`  // UTC
	// Doing is what is open on the connection, such as "dashboard" or "logs
	// rack"; the names of commands only, never their arguments' secrets.
	Doing []string `json:"doing"`
}
