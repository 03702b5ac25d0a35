package model

import "time"

// Kind is a kind of thing that the desired state consists of, or that a
// [Ref] can point at.
type Kind string

// The kinds of the desired state, by the words of the command line.
const (
	KindSettings   Kind = "settings"
	KindProfile    Kind = "profile"
	KindImage      Kind = "image"
	KindOutlet     Kind = "outlet"
	KindSaltMaster Kind = "salt_master"
	KindHypervisor Kind = "hypervisor"
	KindVM         Kind = "vm"
	KindShare      Kind = "share"
	KindRole       Kind = "role"
	KindUser       Kind = "user"
	KindAgent      Kind = "agent"
	KindInvite     Kind = "invite"
)

// Kinds of observed things; they appear in refs of the [Hub] only.
const (
	KindStatus       Kind = "status"        // a hypervisor's HypervisorStatus, by hypervisor name
	KindOutletStatus Kind = "outlet_status" // by outlet name
	KindShareStatus  Kind = "share_status"  // by share name
	KindRun          Kind = "run"           // a run's state or progress, by decimal run ID
	KindLog          Kind = "log"           // a run's log grew, by decimal run ID
	KindSalt         Kind = "salt"          // a minion's SaltStatus, by the name of its VM or hypervisor, or a master's, by its name
	KindMeters       Kind = "meters"        // what meters and loads recorded, once a minute; named "meters"
	KindEditing      Kind = "editing"       // who edits a thing in a dashboard; named "KIND NAME"
	KindLoad         Kind = "load"          // a hypervisor's Load, by hypervisor name; every ten seconds at most
	KindMinion       Kind = "minion"        // a VM's minion, by the VM's ID; it has secrets only
	KindSessions     Kind = "sessions"      // who is connected; named "sessions"
	KindAudit        Kind = "audit"         // who did what, written every few seconds; named "audit"
)

// Ref names one thing of the lab.
type Ref struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
}

func (r Ref) String() string { return string(r.Kind) + " " + r.Name }

// Meta is what the store keeps beside each object. Editors leave it alone.
type Meta struct {
	Version uint64    `json:"version"`          // the revision that last changed the object
	Created time.Time `json:"created,omitzero"` // UTC; zero of what a new lab begins with
	Changed time.Time `json:"changed,omitzero"` // UTC; likewise
}

// VM is a virtual machine: defined once under a name unique in the lab,
// placed on one hypervisor, member of one or more profiles.
type VM struct {
	ID           string   `json:"id"` // permanent: 12 lower-case hex digits, see NewID
	Name         string   `json:"name"`
	Profiles     []string `json:"profiles"`
	Hypervisor   string   `json:"hypervisor"`
	Role         string   `json:"role"` // a Salt grain, and the [GuestRole] of that name, if there is one; may be empty
	Image        string   `json:"image"`
	MemoryMiB    int      `json:"memory_mib"`
	CPUs         int      `json:"cpus"`
	DiskGiB      int      `json:"disk_gib"`       // root disk; 0 is the image's own size
	ExtraDiskGiB int      `json:"extra_disk_gib"` // 0 is no extra disk
	ExtraPool    string   `json:"extra_pool"`     // pool of the extra disk; empty is "default"
	ExtraFormat  string   `json:"extra_format"`   // of the extra disk: qcow2 or raw; empty is qcow2
	NICs         int      `json:"nics"`
	IP           string   `json:"ip"`          // address with prefix of the first NIC; empty is DHCP
	Gateway      string   `json:"gateway"`     // of its static address; empty is the settings'
	DNS          []string `json:"dns"`         // name servers beside its static address; none: the settings'
	Shares       []string `json:"shares"`      // that it mounts on demand
	SaltMaster   string   `json:"salt_master"` // empty is the settings' default
	Enabled      bool     `json:"enabled"`     // has a domain while its profile is active
	Running      bool     `json:"running"`     // whether that domain is on
	Protected    bool     `json:"protected"`   // nothing may remove its disks
	Rebuild      int      `json:"rebuild"`     // counts rebuilds; a new number means a new root disk
	// A move with its disks: MovingTo is where they are copied to while the guest
	// is off, MovedFrom where the old copy is until the guest is up at the new
	// place. Both are the same while it is taken back. See [MoveTo].
	MovingTo  string `json:"moving_to,omitempty"`
	MovedFrom string `json:"moved_from,omitempty"`
	Meta
}

// Platforms that a hypervisor's config can be rendered for.
const (
	PlatformLibvirt = "libvirt"
	PlatformSandbox = "sandbox" // terraform_data resources: needs terraform only
)

// Accelerations of a libvirt hypervisor.
const (
	AccelAuto = "auto" // the agent finds out whether KVM boots a guest
	AccelKVM  = "kvm"
	AccelTCG  = "tcg"
)

// Policies of a hypervisor.
const (
	PolicyAuto   = "auto"   // a plan that destroys only what was announced is applied at once
	PolicyReview = "review" // every plan with changes waits for approval
)

// What is wanted of a hypervisor's physical power.
const (
	PowerWantedOn   = "on"
	PowerWantedOff  = "off"
	PowerWantedNone = "none" // left to people
)

// Hypervisor is a physical machine that runs libvirt/KVM and one agent.
type Hypervisor struct {
	Name        string   `json:"name"`
	Platform    string   `json:"platform"`
	Accel       string   `json:"accel"`
	Network     string   `json:"network"` // macvtap:IFACE, bridge:NAME or nat:NETWORK
	Pools       []Pool   `json:"pools"`   // "default" is always there
	Policy      string   `json:"policy"`
	Outlets     []string `json:"outlets"` // that feed it
	Address     string   `json:"address"` // host name or IP address; may be empty
	Hold        bool     `json:"hold"`    // no reconciling until released
	PowerWanted string   `json:"power_wanted"`

	// Whose order PowerWanted is, and when it was given; see StampPower.
	PowerBy     string    `json:"power_by,omitempty"`
	PowerAt     time.Time `json:"power_at,omitzero"`
	PowerWhy    string    `json:"power_why,omitempty"`    // of an automatic order
	PowerByHand bool      `json:"power_by_hand,omitzero"` // until a schedule or a release policies leave it alone
	PowerCycle  bool      `json:"power_cycle,omitzero"`   // its power is cut first

	PowerPolicy string   `json:"power_policy"` // manual, profile or schedule; empty is manual
	Schedules   []string `json:"schedules"`    // such as "on 0 18 * * 1-5 Europe/Amsterdam"; see ParseSchedule
	IdleMinutes int      `json:"idle_minutes"` // off after that long without a running guest; 0 is never
	Wake        bool     `json:"wake"`         // on when a VM on it is started

	AwaitSalt bool `json:"await_salt"` // its runs count once its guests are configured
	Meta
}

// Pool is a pool of libvirt on one hypervisor, made by its agent: a folder, or
// what is mounted there.
type Pool struct {
	Name     string `json:"name"`
	Path     string `json:"path"`                // absolute, on the hypervisor
	NFS      string `json:"nfs,omitempty"`       // HOST:/EXPORT that is mounted at Path; empty is none
	TmpfsMiB int    `json:"tmpfs_mib,omitempty"` // size of the memory file system at Path; 0 is none
}

// Profile is a named set of VMs. Exactly one profile is active.
type Profile struct {
	Name      string `json:"name"`
	Active    bool   `json:"active"`
	AwaitSalt bool   `json:"await_salt"` // runs count once the guests are configured, while it is active
	Meta
}

// Image is a base disk image that root disks are copy-on-write overlays of. It
// has either a path or a URL.
type Image struct {
	Name string `json:"name"`
	Path string `json:"path"` // absolute, on the hypervisor
	URL  string `json:"url"`  // http, https or file; its agent fetches it
	// Checksum is sha256:HEX or sha512:HEX of the file, the URL of a list of
	// checksums that the publisher keeps, or ChecksumNone. Empty is as that,
	// and possible with a path only.
	Checksum string `json:"checksum"`
	Meta
}

// Outlet is anything that switches power. It feeds the hypervisors that name
// it, which may be several or none. Of its devices' settings that of its
// driver counts; what is secret of it lies in the store, apart.
type Outlet struct {
	Name          string              `json:"name"`
	Driver        string              `json:"driver"`
	Groups        []string            `json:"groups"`
	Requires      []string            `json:"requires"`          // outlets that must be on before this one
	Essential     bool                `json:"essential"`         // left out of --all; carries the server or the way to it
	DelaySeconds  int                 `json:"delay_seconds"`     // after switching it, before the next is: inrush
	IdleWatts     float64             `json:"idle_watts"`        // what it feeds counts as off below that; 0 is that the meter says nothing of it
	Secrets       []string            `json:"secrets,omitempty"` // names of those that the device needs, never what they are
	HTTP          HTTPOutlet          `json:"http,omitzero"`
	Tasmota       TasmotaOutlet       `json:"tasmota,omitzero"`
	Shelly        ShellyOutlet        `json:"shelly,omitzero"`
	ESPHome       ESPHomeOutlet       `json:"esphome,omitzero"`
	HomeAssistant HomeAssistantOutlet `json:"home_assistant,omitzero"`
	Redfish       RedfishOutlet       `json:"redfish,omitzero"`
	IPMI          IPMIOutlet          `json:"ipmi,omitzero"`
	WOL           WOLOutlet           `json:"wol,omitzero"`
	Command       CommandOutlet       `json:"command,omitzero"`
	Simulated     SimulatedOutlet     `json:"simulated,omitzero"`
	Meta
}

// SaltMaster is a Salt master that configures VMs or hypervisors.
type SaltMaster struct {
	Name    string `json:"name"`
	Address string `json:"address"` // that minions use
	Serves  string `json:"serves"`  // vms or hypervisors; empty is vms
	// Reach is what precedes salt, salt-key and salt-run on the command line
	// that reaches them, such as "ssh pi2 sudo -n", or the word "local"; empty:
	// nothing is asked.
	Reach []string `json:"reach"`
	// Repository is the line of the package repository that guests install
	// their minion from, such as "deb https://… stable main"; empty: it is
	// in their image.
	Repository    string `json:"repository"`
	RepositoryKey string `json:"repository_key"` // that signs it, as text
	Meta
}

// Settings are the lab's.
type Settings struct {
	GuestUser  string   `json:"guest_user"`  // made in each guest, with SSHKeys
	SSHKeys    []string `json:"ssh_keys"`    // authorized_keys lines for GuestUser
	Gateway    string   `json:"gateway"`     // empty is the first address of a VM's network
	DNS        []string `json:"dns"`         // name servers of guests with a static address
	Search     []string `json:"search"`      // DNS search domains of the same
	SaltMaster string   `json:"salt_master"` // the default; empty is none
	Timezone   string   `json:"timezone"`    // of guests; empty is the image's
	Locale     string   `json:"locale"`      // of guests, such as nl_NL.UTF-8; empty is the image's
	Packages   []string `json:"packages"`    // installed in each guest
	Hosts      bool     `json:"hosts"`       // guests know the names of the lab's guests that have a static address

	GuestGraceSeconds int  `json:"guest_grace_seconds"` // a guest has to shut down before it is switched off; 0 is [DefaultGuestGrace]
	PowerGraceSeconds int  `json:"power_grace_seconds"` // a machine has to be off after its agent went, where nothing tells; 0 is 30
	RestorePower      bool `json:"restore_power"`       // when the server starts, what is wanted on and is off is switched on

	PriceKWh float64 `json:"price_kwh"` // of a kilowatt-hour; 0 is unknown
	Currency string  `json:"currency"`  // of the price, such as EUR

	// How people are told of what nobody watches. Where is secret.
	NotifyCommand  []string `json:"notify_command"`          // gets the message as JSON on its standard input
	NotifyPerHour  int      `json:"notify_per_hour"`         // messages at most; 0 is 10
	NotifyPatience int      `json:"notify_patience_seconds"` // how long something is wrong before it is told; 0 is 120

	// UserCA are the public keys of authorities whose certificates let people
	// in: as the first of the certificate's principals that is a user's name.
	UserCA []string `json:"user_ca"`
	// Revoked are certificates that let nobody in: "serial:N", "id:KEY-ID", or
	// the fingerprint of the key that is certified.
	Revoked []string `json:"revoked"`
	Meta
}

// Role is what a user may do.
type Role string

// Roles, each including those before it.
const (
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
)

// User is a person. The key with which somebody connects decides who it is.
type User struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	Keys []Key  `json:"keys"`
	Meta
}

// Key is a public key of a user. Its options are those of an authorized_keys
// line that mean something here.
type Key struct {
	Name        string    `json:"name"`             // the comment, or the fingerprint's beginning
	PublicKey   string    `json:"public_key"`       // "ssh-ed25519 AAAA…", without comment
	Fingerprint string    `json:"fingerprint"`      // "SHA256:…", as ssh-keygen -l prints it
	From        []string  `json:"from"`             // addresses that it may be used from, see [Key.AllowsFrom]; none is any
	Expires     time.Time `json:"expires,omitzero"` // from then on it lets nobody in; zero is never
	Restrict    bool      `json:"restrict"`         // commands only: no terminal, so no dashboard and nothing that asks
	Added       time.Time `json:"added"`
}

// Agent is the key that speaks for one hypervisor; it is named as that.
type Agent struct {
	Hypervisor  string    `json:"hypervisor"`
	PublicKey   string    `json:"public_key"`
	Fingerprint string    `json:"fingerprint"`
	Joined      time.Time `json:"joined"`
	Meta
}

// Invite lets one agent join as one hypervisor, once, until it expires. Only
// the public half of the one-time key is kept.
type Invite struct {
	Hypervisor  string    `json:"hypervisor"`
	Fingerprint string    `json:"fingerprint"` // of the one-time login key
	Expires     time.Time `json:"expires"`
	Meta
}
