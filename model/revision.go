package model

import (
	"encoding/json"
	"time"
)

// Revision is one committed change of the desired state.
type Revision struct {
	Number  uint64         `json:"revision"`
	Time    time.Time      `json:"time"`            // UTC
	Who     string         `json:"who"`             // a user, or "agent NAME", or "homelab"
	Via     string         `json:"via"`             // the command as typed, or the screen
	Undoes  uint64         `json:"undoes,omitzero"` // the revision that this one reverts
	Changes []ObjectChange `json:"changes"`
}

// ObjectChange is what a revision did to one object. Before is empty for an
// object that was added, After for one that was removed.
type ObjectChange struct {
	Ref
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}
