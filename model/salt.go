package model

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a Salt master serves.
const (
	ServesVMs         = "vms"
	ServesHypervisors = "hypervisors"
)

// SaltState is what is known of one minion.
type SaltState string

// States of a minion. Unknown is said where its master is not asked, or has
// not answered yet.
const (
	SaltUnknown     SaltState = "unknown"
	SaltNever       SaltState = "never seen"
	SaltPending     SaltState = "key pending"
	SaltDenied      SaltState = "key denied" // it came with another key than the accepted one
	SaltRejected    SaltState = "key rejected"
	SaltUp          SaltState = "up"
	SaltConfiguring SaltState = "configuring"
	SaltConfigured  SaltState = "configured"
	SaltFailed      SaltState = "failed"
	SaltDown        SaltState = "down"
)

// SaltStatus is what a Salt master knows of one minion.
type SaltStatus struct {
	Master string      `json:"master"`
	Minion string      `json:"minion"` // its ID
	State  SaltState   `json:"state"`
	Since  time.Time   `json:"since,omitzero"`
	Up     bool        `json:"up"`             // as far as is known
	Done   int         `json:"done,omitzero"`  // states carried out, while it configures
	Total  int         `json:"total,omitzero"` // 0 where the master sends no progress
	Result *SaltResult `json:"result,omitempty"`
}

// SaltResult is how the last state.apply of a minion ended.
type SaltResult struct {
	Job     string       `json:"job"`
	At      time.Time    `json:"at"`
	OK      bool         `json:"ok"`
	Changed int          `json:"changed"` // states that changed something
	Errors  []string     `json:"errors"`  // of a tree that could not be rendered
	States  []SaltResult1 `json:"states"`
}

// SaltResult1 is one state of a result.
type SaltResult1 struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Function string   `json:"function"` // such as file.managed
	SLS      string   `json:"sls"`
	OK       bool     `json:"ok"`
	Changes  []string `json:"changes"` // what changed, a line each
	Comment  string   `json:"comment"`
	Seconds  float64  `json:"seconds"`
}
