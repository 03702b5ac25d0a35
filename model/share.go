package model

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Share is an NFS export of a storage server, mounted by VMs on demand, so
// that the server may sleep.
type Share struct {
	Name       string   `json:"name"`
	Server     string   `json:"server"`     // host name or IP address of the storage server
	Export     string   `json:"export"`     // absolute path on it
	Mount      string   `json:"mount"`      // absolute path in guests
	Options    []string `json:"options"`    // of the mount, beside those that make it one on demand, such as ro or vers=4.2
	Outlet     string   `json:"outlet"`     // that feeds the storage server; may be empty
	Hypervisor string   `json:"hypervisor"` // that is the storage server; may be empty
	Meta
}

// NewShare is a share that guests see at /mnt/NAME.
func NewShare(name string) Share {
	return Share{Name: name, Mount: "/mnt/" + name, Options: []string{}}
}

// Source is what is mounted, as fstab has it: "nas:/export".
func (s Share) Source() string {
	server := s.Server
	if a, err := netip.ParseAddr(server); err == nil && a.Is6() {
		server = "[" + server + "]"
	}
	return server + ":" + s.Export
}

const optionIdle = "x-systemd.idle-timeout"

// MountOptions are those of fstab: the share is mounted by whoever looks into
// it and left after ten minutes without use, so that a server that sleeps
// neither delays a boot nor is kept awake.
func (s Share) MountOptions() string {
	options := []string{"noauto", "x-systemd.automount"}
	if !slices.ContainsFunc(s.Options, func(o string) bool { return strings.HasPrefix(o, optionIdle+"=") }) {
		options = append(options, optionIdle+"=600")
	}
	return strings.Join(append(append(options, "nofail", "_netdev"), s.Options...), ",")
}

// GuestRole is what guests of a role have beside what all have. A role needs
// none to be a label of VMs.
type GuestRole struct {
	Name     string   `json:"name"`
	Packages []string `json:"packages"` // installed in its guests
	// UserData is cloud-init's user-data, a YAML map, that is merged into that
	// of its guests. It may hold secrets: it is for admins only.
	UserData string `json:"user_data"`
	Meta
}

// Withheld stands for what somebody may not see.
const Withheld = "(withheld)"

// EditRole changes what a role has, which until then may be nothing; what is left
// with nothing is no more. A base other than 0 is as in [Change].
func EditRole(name string, base uint64, change func(*GuestRole) error) Edit {
	return func(s *State) error {
		if _, ok := s.Roles[name]; !ok {
			if base != 0 {
				return &NotFoundError{Ref{KindRole, name}}
			}
			s.Roles[name] = GuestRole{Name: name, Packages: []string{}}
			s.made(Ref{KindRole, name})
		}
		if err := Change(name, base, change)(s); err != nil {
			return err
		}
		if r := s.Roles[name]; len(r.Packages) == 0 && r.UserData == "" {
			delete(s.Roles, name)
		}
		return nil
	}
}

// MaxUserData is how long a role's user-data may be, in bytes.
const MaxUserData = 64 << 10

// ShareStatus is what is known of the storage server of a share, without
// having asked it for anything that would wake its disks.
type ShareStatus struct {
	Awake    Power     `json:"awake"` // on: it is awake; off: it is off or asleep
	Why      string    `json:"why"`   // how that is known, such as "answers a ping"
	Since    time.Time `json:"since,omitzero"`
	Observed time.Time `json:"observed,omitzero"` // when that was last found
}

// Ping is what a ping of a machine said.
type Ping struct {
	At      time.Time // zero: nobody could ping
	Answers bool
	Error   string // why nobody could
}

// AwakeServer decides whether the storage server of a share is awake: by the
// outlet that feeds it, by the hypervisor that it is, by what it draws and by
// a ping, none of which wakes disks.
func AwakeServer(s Share, state *State, status Status, ping Ping) ShareStatus {
	outlet, fed := status.Outlets[s.Outlet]
	at := outlet.Observed
	switch {
	case fed && outlet.State == PowerOff:
		return ShareStatus{Awake: PowerOff, Why: "outlet " + s.Outlet + " is off", Observed: at}
	case s.Hypervisor != "" && status.Hypervisors[s.Hypervisor].Agent == AgentOnline:
		return ShareStatus{Awake: PowerOn, Why: "the agent of " + s.Hypervisor + " is connected", Observed: ping.At}
	}
	if idle := state.Outlets[s.Outlet].IdleWatts; fed && idle > 0 && outlet.Watts != nil && *outlet.Watts < idle {
		return ShareStatus{Awake: PowerOff, Why: fmt.Sprintf("it draws %.0f W, less than the %.0f W of its outlet's idle_watts", *outlet.Watts, idle), Observed: at}
	}
	switch {
	case !ping.At.IsZero() && ping.Answers:
		return ShareStatus{Awake: PowerOn, Why: "it answers a ping", Observed: ping.At}
	case !ping.At.IsZero():
		return ShareStatus{Awake: PowerOff, Why: "it answers no ping", Observed: ping.At}
	case fed && outlet.State == PowerOn:
		return ShareStatus{Awake: PowerOn, Why: "outlet " + s.Outlet + " is on", Observed: at}
	}
	why := "nothing tells: it was not pinged, and no outlet says"
	if ping.Error != "" {
		why = "it cannot be pinged: " + ping.Error
	}
	return ShareStatus{Awake: PowerUnknown, Why: cmp.Or(outlet.Error, why)}
}

// MountedBy are the VMs that mount a share, sorted by name.
func (s *State) MountedBy(share string) []string {
	names := []string{}
	for _, name := range Names(s.VMs) {
		if slices.Contains(s.VMs[name].Shares, share) {
			names = append(names, name)
		}
	}
	return names
}
