package model

// Placement is what one hypervisor carries of one VM: the part of the desired
// state that decides what a change does to its guest and its disks.
type Placement struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Hypervisor string `json:"hypervisor"`
	Network    string `json:"network"` // of the hypervisor
	Domain     bool   `json:"domain"`  // it has a domain
	Running    bool   `json:"running"`
	Protected  bool   `json:"protected"`
	MemoryMiB  int    `json:"memory_mib"`
	CPUs       int    `json:"cpus"`
	NICs       int    `json:"nics"`
	Root       bool   `json:"root"`       // it has a root disk
	Extra      bool   `json:"extra"`      // it has an extra disk
	ExtraPool  string `json:"extra_pool"` // of the extra disk
	Rebuild    int    `json:"rebuild"`
	Image      string `json:"image,omitempty"` // source of the image
	DiskGiB    int    `json:"disk_gib,omitempty"`
	ExtraGiB   int    `json:"extra_disk_gib,omitempty"`
	Accel      string `json:"accel,omitempty"`  // of the hypervisor
	Moving     string `json:"moving,omitempty"` // where it is being moved to
	Back       bool   `json:"back,omitempty"`   // they are there, of an earlier move
	Copy       bool   `json:"copy,omitempty"`   // it was moved; these are its old disks
	// Seed is what its cloud-init seed is made from, in one comparable string
	// of lines KEY=VALUE; long values are hashed.
	Seed string `json:"seed"`
}

// Action is what happens to a VM's guest.
type Action string

// Actions, from harmless to destructive.
const (
	ActionCreate   Action = "create"   // a new domain (on disks that were kept, if there are any)
	ActionChange   Action = "change"   // in place, the guest keeps running
	ActionStart    Action = "start"    // the guest is started
	ActionStop     Action = "stop"     // the guest is shut down, its domain stays
	ActionRestart  Action = "restart"  // the domain is made anew, the disks stay
	ActionRecreate Action = "recreate" // domain and root disk are made anew
	ActionRemove   Action = "remove"   // the domain goes, the disks stay
	ActionDestroy  Action = "destroy"  // the domain, if there is one, and the disks go
)

// Impact is what a change does to one VM on one hypervisor.
type Impact struct {
	Hypervisor string   `json:"hypervisor"`
	VM         string   `json:"vm"` // name
	ID         string   `json:"id"`
	Action     Action   `json:"action"`
	Fields     []string `json:"fields,omitempty"`     // that make it so, such as memory_mib
	DisksLost  []string `json:"disks_lost,omitempty"` // DiskRoot, DiskExtra
	// Note says what else a person should know, such as that new cloud-init
	// settings reach the guest only when it is rebuilt.
	Note      string `json:"note,omitempty"`
	Protected bool   `json:"protected,omitempty"`
	Running   bool   `json:"running,omitempty"` // a guest that is wanted on is hit
}

// Announced lists what people have agreed to lose on one hypervisor since its
// last success: by committing changes whose preview said so.
type Announced struct {
	Domains []string `json:"domains"` // IDs of VMs whose domain may be destroyed or replaced
	Disks   []Disk   `json:"disks"`   // that may be deleted or replaced
}

// Violation is a destruction in terraform's plan that nobody announced.
type Violation struct {
	Address string `json:"address"`
	Label   string `json:"label"`  // for people, such as "web root disk"
	Action  string `json:"action"` // delete or replace
}

// Deletion is one destructive step of a terraform plan.
type Deletion struct {
	Address string // of the resource
	Replace bool   // it is made anew
}
