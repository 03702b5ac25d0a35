package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a Salt master serves; empty is VMs.
const (
	ServesVMs         = "vms"
	ServesHypervisors = "hypervisors"
)

// ServesVMs tells whether the master's minions are the VMs.
func (m SaltMaster) ServesVMs() bool { return m.Serves != ServesHypervisors }

// ReachLocal alone reaches a master that is on the server's machine, as whom
// the server runs.
const ReachLocal = "local"

// Asked tells whether the master's command line is reached at all.
func (m SaltMaster) Asked() bool { return len(m.Reach) > 0 }

// SaltState is what is known of one minion, in words for people.
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
	Done   int         `json:"done,omitzero"`  // states carried out, while it configures
	Total  int         `json:"total,omitzero"` // 0 where the master sends no progress
	Result *SaltResult `json:"result,omitempty"`
}

// SaltResult is how a minion's last state.apply ended.
type SaltResult struct {
	Job    string     `json:"job"`
	At     time.Time  `json:"at"`
	OK     bool       `json:"ok"`
	Errors []string   `json:"errors,omitempty"` // why nothing could be carried out
	Steps  []SaltStep `json:"states"`
}

// SaltStep is one state of a result.
type SaltStep struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Function string   `json:"function"` // such as file.managed
	SLS      string   `json:"sls"`
	OK       bool     `json:"ok"`
	Changes  []string `json:"changes"` // keys of what changed
	Comment  string   `json:"comment"`
	Seconds  float64  `json:"seconds"`
}

// Changed counts the states that changed something.
func (r *SaltResult) Changed() int {
	n := 0
	for _, s := range r.Steps {
		if len(s.Changes) > 0 {
			n++
		}
	}
	return n
}

// Failure says in one line what failed first; empty if nothing did.
func (r *SaltResult) Failure() string {
	switch failed := slices.IndexFunc(r.Steps, func(s SaltStep) bool { return !s.OK }); {
	case r.OK:
		return ""
	case failed >= 0:
		s := r.Steps[failed]
		return s.ID + ": " + firstLine(s.Comment)
	case len(r.Errors) > 0:
		return firstLine(r.Errors[0])
	}
	return "the minion says that it failed, and not why"
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// String says the status in words, such as "configured, 2 changed" or "failed:
// motd: the file cannot be written".
func (s SaltStatus) String() string {
	switch {
	case s.State == SaltConfiguring && s.Total > 0:
		return fmt.Sprintf("%s, %d of %d states", s.State, s.Done, s.Total)
	case s.State == SaltConfigured && s.Result != nil:
		if n := s.Result.Changed(); n > 0 {
			return fmt.Sprintf("%s, %d changed", s.State, n)
		}
	case s.State == SaltFailed && s.Result != nil:
		return string(s.State) + ": " + s.Result.Failure()
	}
	return string(s.State)
}

// SaltMasterStatus is what is observed of one Salt master.
type SaltMasterStatus struct {
	Reached   bool      `json:"reached"` // its command line answers
	Since     time.Time `json:"since,omitzero"`
	Error     string    `json:"error,omitempty"`
	Pending   []string  `json:"pending"`   // IDs whose keys wait to be accepted
	Strangers []string  `json:"strangers"` // IDs of keys that nobody expects
}

// SaltKey is a minion's key on a master.
type SaltKey struct {
	Master      string `json:"master"`
	ID          string `json:"id"`
	State       string `json:"state"`                 // accepted, pending, rejected or denied
	Fingerprint string `json:"fingerprint,omitempty"` // of one that is pending
	VM          string `json:"vm,omitempty"`          // whose it is
	Hypervisor  string `json:"hypervisor,omitempty"`
	Stranger    bool   `json:"stranger"` // nobody expects it
}

// SaltAnswer is what one minion answered to a call, or how its state.apply
// ended. Name is of the VM or hypervisor that it is.
type SaltAnswer struct {
	Name   string          `json:"name"`
	Minion string          `json:"minion"`
	Down   bool            `json:"down,omitempty"`   // it did not answer
	Value  json.RawMessage `json:"value,omitempty"`  // of a function that runs no states
	Result *SaltResult     `json:"result,omitempty"` // of one that does
	Error  string          `json:"error,omitempty"`  // why there is neither
}

// Failed tells whether the minion did not do what it was asked.
func (a SaltAnswer) Failed() bool {
	return a.Down || a.Error != "" || a.Result != nil && !a.Result.OK
}

// Configured counts guests that must be configured for a run to count.
type Configured struct {
	Done   int `json:"done"`
	Failed int `json:"failed"`
	Total  int `json:"total"`
}

func (c Configured) String() string {
	text := fmt.Sprintf("%d of %d configured", c.Done, c.Total)
	if c.Failed > 0 {
		text += fmt.Sprintf(", %d failed", c.Failed)
	}
	return text
}

// AwaitsSalt tells whether a hypervisor's guests must be configured for its
// runs to count.
func (s *State) AwaitsSalt(hypervisor string) bool {
	return s.Hypervisors[hypervisor].AwaitSalt || s.Profiles[s.ActiveProfile()].AwaitSalt
}

// Configured counts the guests of a hypervisor that are to run and have a Salt
// master that is asked, by what is known of their minions.
func (s *State) Configured(hypervisor string, minions map[string]SaltStatus) Configured {
	var c Configured
	for _, vm := range s.VMsOn(hypervisor) {
		if !vm.Running || !s.HasDomain(vm) || !s.SaltMasters[s.Master(vm)].Asked() {
			continue
		}
		c.Total++
		switch minions[vm.ID].State {
		case SaltConfigured:
			c.Done++
		case SaltFailed:
			c.Failed++
		}
	}
	return c
}
