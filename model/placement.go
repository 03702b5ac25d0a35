package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Placements is what a hypervisor carries in this state, sorted by VM name:
// its VMs with a domain, with all their disks, and of the others the disks
// that are kept, which are those of kept that their VM still has.
func Placements(s *State, hypervisor string, kept []Disk) []Placement {
	return placements(s, hypervisor, append(s.VMsOn(hypervisor), s.movedFrom(hypervisor)...), diskSet(kept), lineSeed(s))
}

func diskSet(disks []Disk) map[Disk]bool {
	set := make(map[Disk]bool, len(disks))
	for _, d := range disks {
		set[d] = true
	}
	return set
}

func placements(s *State, hypervisor string, vms []VM, kept map[Disk]bool, lab seedLines) []Placement {
	h := s.Hypervisors[hypervisor]
	active := s.ActiveProfile()
	all := make([]Placement, 0, len(vms))
	for _, vm := range vms {
		p := Placement{
			ID: vm.ID, Name: vm.Name, Hypervisor: hypervisor, Network: h.Network, Accel: h.Accel,
			Domain:  vm.Enabled && slices.Contains(vm.Profiles, active),
			Running: vm.Running, Protected: vm.Protected,
			MemoryMiB: vm.MemoryMiB, CPUs: vm.CPUs, NICs: vm.NICs, Rebuild: vm.Rebuild,
			Image: s.Images[vm.Image].Source(), DiskGiB: vm.DiskGiB, Moving: vm.MovingTo, Back: vm.Returns(),
		}
		if vm.MovingTo != "" {
			p.Running = false
		}
		if vm.Hypervisor != hypervisor { // the old copy of a VM that was moved
			p.Domain, p.Running, p.Protected, p.Copy = false, false, false, true
			p.Moving, p.Back = "", false
		}
		p.Root = p.Domain || kept[Disk{vm.ID, DiskRoot}]
		p.Extra = vm.ExtraDiskGiB > 0 && (p.Domain || kept[Disk{vm.ID, DiskExtra}])
		if p.Extra {
			p.ExtraPool, p.ExtraGiB = vm.Pool(), vm.ExtraDiskGiB
		}
		if p.Domain {
			p.Seed = lab.of(s, vm)
		}
		if p.Domain || p.Root || p.Extra {
			all = append(all, p)
		}
	}
	return all
}

// movedFrom are the VMs whose old copy is on a hypervisor.
func (s *State) movedFrom(hypervisor string) []VM {
	var vms []VM
	for _, name := range Names(s.VMs) {
		if vm := s.VMs[name]; vm.MovedFrom == hypervisor && hypervisor != "" {
			vms = append(vms, vm)
		}
	}
	return vms
}

// Pool is the pool of the VM's extra disk.
func (vm VM) Pool() string {
	if vm.ExtraPool == "" {
		return DefaultPool
	}
	return vm.ExtraPool
}

// GuestHosts are the lines of /etc/hosts for the VMs of the active profile that
// have a static address, sorted by name; none unless the settings want them.
func (s *State) GuestHosts() []string {
	if !s.Settings.Hosts {
		return nil
	}
	var lines []string
	active := s.ActiveProfile()
	for _, name := range Names(s.VMs) {
		vm := s.VMs[name]
		if p, err := ParseIP(vm.IP); err == nil && vm.IP != "" && slices.Contains(vm.Profiles, active) {
			lines = append(lines, p.Addr().String()+" "+HostName(vm.Name, vm.Hypervisor)+" "+vm.Name)
		}
	}
	return lines
}

// Master is the name of the Salt master that configures vm: its own or the
// settings'; empty is none.
func (s *State) Master(vm VM) string {
	if vm.SaltMaster != "" {
		return vm.SaltMaster
	}
	return s.Settings.SaltMaster
}

// seedLines are the lines of all seeds that do not depend on the VM: those of
// every guest, and those of guests with a static address.
type seedLines struct{ all, dns, search string }

func lineSeed(s *State) seedLines {
	var all, dns, search strings.Builder
	line(&all, "guest_user", s.Settings.GuestUser)
	line(&all, "ssh_keys", digest(s.Settings.SSHKeys))
	line(&all, "timezone", s.Settings.Timezone)
	line(&all, "locale", s.Settings.Locale)
	line(&all, "packages", digest(s.Settings.Packages))
	line(&all, "hosts", digest(s.GuestHosts()))
	line(&dns, "dns", strings.Join(s.Settings.DNS, ","))
	line(&search, "search", strings.Join(s.Settings.Search, ","))
	return seedLines{all.String(), dns.String(), search.String()}
}

func (l seedLines) of(s *State, vm VM) string {
	var b strings.Builder
	b.Grow(len(l.all) + len(l.dns) + len(l.search) + 128)
	b.WriteString(l.all)
	if p, err := ParseIP(vm.IP); err == nil && vm.IP != "" {
		if len(vm.DNS) > 0 {
			line(&b, "dns", strings.Join(vm.DNS, ","))
		} else {
			b.WriteString(l.dns)
		}
		b.WriteString(l.search)
		line(&b, "ip", p.String())
		line(&b, "gateway", addrText(Gateway(p, cmp.Or(vm.Gateway, s.Settings.Gateway))))
	}
	line(&b, "role", vm.Role)
	role := s.Roles[vm.Role]
	line(&b, "packages", digest(role.Packages))
	if role.UserData != "" {
		line(&b, "user_data", digest([]string{role.UserData}))
	}
	for _, name := range vm.Shares {
		share := s.Shares[name]
		line(&b, "shares", share.Source()+" "+share.Mount+" "+share.MountOptions())
	}
	master := s.SaltMasters[s.Master(vm)]
	line(&b, "salt_master", master.Address)
	line(&b, "salt_repository", master.Repository)
	if master.RepositoryKey != "" {
		line(&b, "salt_repository_key", digest([]string{master.RepositoryKey}))
	}
	return b.String()
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// line writes what is not empty, quoted where it could be mistaken.
func line(b *strings.Builder, key, value string) {
	if value == "" {
		return
	}
	if strings.ContainsAny(value, "\n\r\"") {
		value = strconv.Quote(value)
	}
	b.WriteString(key)
	b.WriteByte('=')
	b.WriteString(value)
	b.WriteByte('\n')
}

// digest is a short stand-in for a list whose text is long.
func digest(list []string) string {
	if len(list) == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(list, "\n")))
	return hex.EncodeToString(sum[:8])
}
