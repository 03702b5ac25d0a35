package model

import (
	"slices"
	"time"
)

// RunKind is what a run is for.
type RunKind string

// Kinds of runs.
const (
	RunPlan  RunKind = "plan"
	RunApply RunKind = "apply"
)

// RunState is where a run is.
type RunState string

// States of a run. A run is superseded only before it applies.
const (
	RunQueued     RunState = "queued"
	RunPlanning   RunState = "planning"
	RunWaiting    RunState = "waiting" // for approval
	RunApplying   RunState = "applying"
	RunSucceeded  RunState = "succeeded"
	RunFailed     RunState = "failed"
	RunCancelled  RunState = "cancelled"
	RunSuperseded RunState = "superseded"
	// RunNoop ends a run whose plan has no changes; such a run is not kept.
	RunNoop RunState = "noop"
)

// Ended tells whether a run in this state is over.
func (s RunState) Ended() bool {
	switch s {
	case RunSucceeded, RunFailed, RunCancelled, RunSuperseded, RunNoop:
		return true
	}
	return false
}

// Run is one attempt to plan or apply one config by one agent.
type Run struct {
	ID         uint64      `json:"id"` // unique in the lab, growing
	Hypervisor string      `json:"hypervisor"`
	Kind       RunKind     `json:"kind"`
	Digest     string      `json:"digest"`   // of the config, SHA-256 in hex
	Revision   uint64      `json:"revision"` // that the config was rendered from
	State      RunState    `json:"state"`
	Summary    Summary     `json:"summary"`
	Resources  []Resource  `json:"resources,omitempty"`  // in the order of the plan
	Violations []Violation `json:"violations,omitempty"` // why it waits: what nobody announced
	Started    time.Time   `json:"started"`
	Finished   time.Time   `json:"finished,omitzero"`
	Error      string      `json:"error,omitempty"` // what failed and what to do
}

// Summary counts resources: Add, Change and Destroy as the plan has them (a
// replaced one counts in Add and Destroy), Done of Total steps carried out.
type Summary struct {
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
	Done    int `json:"done"`
	Total   int `json:"total"`
}

// Resource is one step of a run: an action on one terraform resource.
type Resource struct {
	Address string         `json:"address"` // terraform's, such as libvirt_domain.vm_0123456789ab
	Label   string         `json:"label"`   // for people, such as "web domain"
	Action  string         `json:"action"`  // create, update, delete or replace, as terraform calls them; or ActionFetch
	Status  ResourceStatus `json:"status"`
	Seconds float64        `json:"seconds,omitzero"` // so far, or that it took

	DoneBytes  int64 `json:"done_bytes,omitzero"`  // of what is transferred
	TotalBytes int64 `json:"total_bytes,omitzero"` // 0 is unknown

	// Changes are the attributes that the plan changes, in their order, as far
	// as they are kept; what is secret of them is left out.
	Changes []AttributeChange `json:"changes,omitempty"`
}

// AttributeChange is one attribute of a resource before and after a run, as
// text of at most [MaxAttribute] bytes.
type AttributeChange struct {
	Path   string `json:"path"`             // such as memory or network_interface[0].bridge
	Before string `json:"before,omitempty"` // empty: it was not there
	After  string `json:"after,omitempty"`  // empty: it goes
	Forces bool   `json:"forces,omitzero"`  // the resource is made anew because of it
}

// Bounds of what is kept of a plan.
const (
	MaxChanges   = 30  // of one resource
	MaxAttribute = 160 // bytes of a path or a value
)

// ActionFetch is the action of a step that fetches an image. It comes before
// terraform's, and is not in the summary.
const ActionFetch = "fetch"

// ResourceStatus is how far one step is.
type ResourceStatus string

// States of a step.
const (
	ResourcePending ResourceStatus = "pending"
	ResourceRunning ResourceStatus = "running"
	ResourceDone    ResourceStatus = "done"
	ResourceFailed  ResourceStatus = "failed"
)

// Levels of log records.
const (
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

// Record is one numbered entry of an agent's spool: a log line of a run, a
// change of its state, or both. What an agent says of runs, it says in records
// only, so that their order is one and none is lost or comes twice.
type Record struct {
	Seq      uint64    `json:"seq"` // 1, 2, 3 … within one spool
	Run      uint64    `json:"run"`
	Time     time.Time `json:"time"` // UTC, by the agent's clock
	Level    string    `json:"level,omitempty"`
	Message  string    `json:"message,omitempty"` // a log line; empty is none
	Resource *Resource `json:"resource,omitempty"`
	// Set when the run changes:
	State      RunState    `json:"state,omitempty"`
	Summary    *Summary    `json:"summary,omitempty"`
	Violations []Violation `json:"violations,omitempty"`
	Error      string      `json:"error,omitempty"`
}

// Fold applies a record to the run that it is about, in place: a run that
// others may read is cloned first. Records of an ended run do not change its
// state.
func (r *Run) Fold(rec Record) {
	at := -1
	if rec.Resource != nil {
		at = slices.IndexFunc(r.Resources, func(old Resource) bool { return old.Address == rec.Resource.Address })
	}
	r.FoldAt(rec, at)
}

// FoldAt is Fold for one who knows where the record's resource lies in
// Resources; -1 appends it.
func (r *Run) FoldAt(rec Record, at int) {
	if rec.Resource != nil {
		r.foldResource(*rec.Resource, at)
	}
	if rec.Summary != nil {
		done := r.Summary.Done
		r.Summary = *rec.Summary
		r.Summary.Done = max(r.Summary.Done, done)
	}
	if rec.Violations != nil {
		r.Violations = rec.Violations
	}
	if rec.State == "" || r.State.Ended() {
		return
	}
	r.State = rec.State
	if rec.Error != "" {
		r.Error = rec.Error
	}
	if r.State.Ended() {
		r.Finished = rec.Time
	}
}

func (r *Run) foldResource(res Resource, at int) {
	old := ResourcePending
	if at < 0 {
		r.Resources = append(r.Resources, res)
	} else {
		old = r.Resources[at].Status
		if res.Changes == nil {
			res.Changes = r.Resources[at].Changes // the plan says them once
		}
		r.Resources[at] = res
	}
	if !old.finished() && res.Status.finished() && res.Action != ActionFetch {
		r.Summary.Done++
	}
}

func (s ResourceStatus) finished() bool { return s == ResourceDone || s == ResourceFailed }

// Clone copies the run with the slices that Fold writes into.
func (r Run) Clone() Run {
	r.Resources = slices.Clone(r.Resources)
	return r
}
