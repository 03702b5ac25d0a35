package model

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
)

// State is the desired state of the whole lab at one revision: what people
// wrote. Maps are keyed by name (agents and invites by hypervisor).
type State struct {
	Revision    uint64
	Settings    Settings
	Profiles    map[string]Profile
	Images      map[string]Image
	Outlets     map[string]Outlet
	SaltMasters map[string]SaltMaster
	Hypervisors map[string]Hypervisor
	VMs         map[string]VM
	Shares      map[string]Share
	Roles       map[string]GuestRole
	Users       map[string]User
	Agents      map[string]Agent
	Invites     map[string]Invite

	origins origins // while an edit is made
}

// DefaultProfile is the profile that a new lab starts with.
const DefaultProfile = "default"

// DefaultPool is the pool that every hypervisor has.
const DefaultPool = "default"

// NewState is the state of a new lab: one active profile, nothing in it.
func NewState() *State {
	return &State{
		Settings:    Settings{GuestUser: "homelab"},
		Profiles:    map[string]Profile{DefaultProfile: {Name: DefaultProfile, Active: true}},
		Images:      map[string]Image{},
		Outlets:     map[string]Outlet{},
		SaltMasters: map[string]SaltMaster{},
		Hypervisors: map[string]Hypervisor{},
		VMs:         map[string]VM{},
		Shares:      map[string]Share{},
		Roles:       map[string]GuestRole{},
		Users:       map[string]User{},
		Agents:      map[string]Agent{},
		Invites:     map[string]Invite{},
	}
}

// Clone copies the maps; their values are shared, so an edit replaces values
// and never writes into a slice of one.
func (s *State) Clone() *State {
	c := *s
	c.origins = nil
	c.Profiles = maps.Clone(s.Profiles)
	c.Images = maps.Clone(s.Images)
	c.Outlets = maps.Clone(s.Outlets)
	c.SaltMasters = maps.Clone(s.SaltMasters)
	c.Hypervisors = maps.Clone(s.Hypervisors)
	c.VMs = maps.Clone(s.VMs)
	c.Shares = maps.Clone(s.Shares)
	c.Roles = maps.Clone(s.Roles)
	c.Users = maps.Clone(s.Users)
	c.Agents = maps.Clone(s.Agents)
	c.Invites = maps.Clone(s.Invites)
	return &c
}

// ActiveProfile is the name of the active profile.
func (s *State) ActiveProfile() string {
	for name, p := range s.Profiles {
		if p.Active {
			return name
		}
	}
	return ""
}

// HasDomain tells whether vm has a domain on its hypervisor in this state: it
// is enabled and a member of the active profile.
func (s *State) HasDomain(vm VM) bool {
	return vm.Enabled && slices.Contains(vm.Profiles, s.ActiveProfile())
}

// VMsOn returns the VMs placed on a hypervisor, those of inactive profiles and
// disabled ones included, sorted by name.
func (s *State) VMsOn(hypervisor string) []VM {
	var vms []VM
	for _, vm := range s.VMs {
		if vm.Hypervisor == hypervisor {
			vms = append(vms, vm)
		}
	}
	slices.SortFunc(vms, func(a, b VM) int { return compare(a.Name, b.Name) })
	return vms
}

// Names returns the sorted keys of one of the state's maps.
func Names[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func compare(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// NewID makes a VM's permanent ID: 12 random lower-case hex digits.
func NewID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand's contract
	return hex.EncodeToString(b[:])
}

// DomainName is the name of a VM's libvirt domain and root volume, as the
// predecessor named them.
func DomainName(vm, hypervisor string) string { return vm + "_on_" + hypervisor }

// ExtraVolume is the name of the volume of a VM's extra disk.
func ExtraVolume(vm, hypervisor string) string { return DomainName(vm, hypervisor) + "_extra" }

// PoolPath is where a pool lies on the hypervisor, "" if it has none of that name.
func (h Hypervisor) PoolPath(name string) string {
	for _, p := range h.Pools {
		if p.Name == name {
			return p.Path
		}
	}
	if name == DefaultPool {
		return DefaultPoolPath
	}
	return ""
}

// HostName is the guest's host name.
func HostName(vm, hypervisor string) string { return vm + "-on-" + hypervisor }
