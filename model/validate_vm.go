package model

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Limits of a VM's fields.
const (
	minMemoryMiB = 16
	maxMemoryMiB = 4 << 20
	maxCPUs      = 1024
	maxDiskGiB   = 64 << 10
	maxHostName  = 63
)

// MaxNICs is how many NICs a VM can have.
const MaxNICs = 16

// vmChecker holds what is unique among VMs, by the name of who has it.
type vmChecker struct {
	*checker
	ids, hosts map[string]string
	macs       map[[4]byte]string
	addresses  map[string]map[netip.Addr]string // by profile
}

func (c *checker) vms() {
	n := len(c.s.VMs)
	v := vmChecker{
		c, make(map[string]string, n), make(map[string]string, n), make(map[[4]byte]string, n),
		make(map[string]map[netip.Addr]string, len(c.s.Profiles)),
	}
	each(c, KindVM, c.s.VMs, v.check)
}

func (c vmChecker) check(vm VM) {
	c.rule(isLabel(vm.Name), "name", vm.Name, ruleLabel)
	c.id(vm)
	c.references(vm)
	c.move(vm)
	c.shares(vm)
	c.rule(vm.Role == "" || isName(vm.Role), "role", vm.Role, ruleName)
	c.between("memory_mib", vm.MemoryMiB, minMemoryMiB, maxMemoryMiB, " MiB")
	c.between("cpus", vm.CPUs, 1, maxCPUs, "")
	c.between("disk_gib", vm.DiskGiB, 0, maxDiskGiB, " GiB; 0 is the image's own size")
	c.between("extra_disk_gib", vm.ExtraDiskGiB, 0, maxDiskGiB, " GiB; 0 is no extra disk")
	c.between("nics", vm.NICs, 1, MaxNICs, "")
	c.rule(vm.Rebuild >= 0, "rebuild", strconv.Itoa(vm.Rebuild), "must not be negative")
	if vm.ExtraFormat != "" {
		c.oneOf("extra_format", vm.ExtraFormat, FormatQCOW2, FormatRaw)
	}
	if vm.IP != "" {
		c.address(vm)
	}
	c.route(vm)
}

// lostPool says that the pool was there and is what the VM's disk lies in.
func (c vmChecker) lostPool(vm VM) string {
	had := func(p Pool) bool { return p.Name == vm.ExtraPool }
	if c.before == nil || !slices.ContainsFunc(c.before.Hypervisors[vm.Hypervisor].Pools, had) {
		return ""
	}
	return " any more, and the VM's extra disk lies there: remove that disk first, or put it into another pool"
}

// route checks what goes with a static address only.
func (c vmChecker) route(vm VM) {
	const alone = "goes with a static address: set ip too"
	if vm.Gateway != "" {
		c.ip("gateway", vm.Gateway)
		p, err := ParseIP(vm.IP)
		switch a, bad := netip.ParseAddr(vm.Gateway); {
		case vm.IP == "":
			c.rule(false, "gateway", vm.Gateway, alone)
		case err == nil && bad == nil:
			c.rule(p.Masked().Contains(a) && a != p.Addr(), "gateway", vm.Gateway, "must be another address of the VM's network, "+p.Masked().String())
		}
	}
	c.distinct("dns", vm.DNS)
	for _, a := range vm.DNS {
		c.ip("dns", a)
	}
	c.rule(len(vm.DNS) == 0 || vm.IP != "", "dns", strings.Join(vm.DNS, ","), alone)
}

// id checks what is made of the permanent ID.
func (c vmChecker) id(vm VM) {
	if !c.rule(validID(vm.ID), "id", vm.ID, "must be 12 lower-case hex digits") {
		return
	}
	if other, taken := c.ids[vm.ID]; taken {
		c.rule(false, "id", vm.ID, fmt.Sprintf("is the ID of VM %q already", other))
		return
	}
	c.ids[vm.ID] = vm.Name
	for nic := range min(vm.NICs, MaxNICs) {
		mac := macTail(vm.ID, nic)
		if other, taken := c.macs[mac]; taken {
			c.rule(false, "id", vm.ID, fmt.Sprintf("gives a NIC the MAC address of one of VM %q; add the VM again to get another ID", other))
		}
		c.macs[mac] = vm.Name
	}
}

func macTail(id string, nic int) [4]byte {
	var b [16]byte
	sum := sha256.Sum256(strconv.AppendInt(append(append(b[:0], id...), '/'), int64(nic), 10))
	return [4]byte(sum[:4])
}

func (c vmChecker) references(vm VM) {
	c.rule(len(vm.Profiles) > 0, "profiles", "", "is missing: a VM is a member of at least one profile")
	c.distinct("profiles", vm.Profiles)
	for _, p := range vm.Profiles {
		_, ok := c.s.Profiles[p]
		c.refers(ok, "profiles", Ref{KindProfile, p})
	}
	_, ok := c.s.Images[vm.Image]
	c.refers(ok, "image", Ref{KindImage, vm.Image})
	if vm.SaltMaster != "" {
		m, ok := c.s.SaltMasters[vm.SaltMaster]
		c.refers(ok, "salt_master", Ref{KindSaltMaster, vm.SaltMaster})
		c.rule(m.ServesVMs(), "salt_master", vm.SaltMaster, ruleServesVMs)
	}
	h, ok := c.s.Hypervisors[vm.Hypervisor]
	c.refers(ok, "hypervisor", Ref{KindHypervisor, vm.Hypervisor})
	if !ok {
		return
	}
	if vm.ExtraDiskGiB > 0 && vm.Pool() != DefaultPool || vm.ExtraPool != "" && vm.ExtraPool != DefaultPool {
		found := slices.ContainsFunc(h.Pools, func(p Pool) bool { return p.Name == vm.ExtraPool })
		if !found {
			c.rule(false, "extra_pool", vm.ExtraPool, fmt.Sprintf("is no pool of hypervisor %q%s", vm.Hypervisor, c.lostPool(vm)))
		}
	}
	host := HostName(vm.Name, vm.Hypervisor)
	if isLabel(vm.Name) && len(host) > maxHostName {
		c.rule(false, "name", vm.Name, fmt.Sprintf("gives the guest the host name %s, which is %d bytes; at most %d are possible", host, len(host), maxHostName))
	}
	if other, taken := c.hosts[host]; taken {
		c.rule(false, "name", vm.Name, fmt.Sprintf("gives the guest the host name of VM %q, %s", other, host))
	}
	c.hosts[host] = vm.Name
}

// address checks that a VM can have its static address, and it alone.
func (c vmChecker) address(vm VM) {
	p, err := ParseIP(vm.IP)
	if !c.rule(err == nil, "ip", vm.IP, "must be an IP address, with the prefix of its network unless that is /24 or, for IPv6, /64") {
		return
	}
	a := p.Addr().Unmap()
	if !c.rule(usable(p), "ip", vm.IP, "is no address that a guest can have") {
		return
	}
	if c.s.Settings.Gateway != "" && a.String() == c.s.Settings.Gateway {
		c.rule(false, "ip", vm.IP, "is the gateway's")
	}
	for _, profile := range vm.Profiles {
		taken := c.addresses[profile]
		if taken == nil {
			taken = map[netip.Addr]string{}
			c.addresses[profile] = taken
		}
		if other, ok := taken[a]; ok && other != vm.Name {
			c.rule(false, "ip", vm.IP, fmt.Sprintf("is the address of VM %q already, in profile %q", other, profile))
			return
		}
		taken[a] = vm.Name
	}
}

// usable tells whether a host can have the address: not the network's own, not
// its broadcast address, not one with a meaning of its own.
func usable(p netip.Prefix) bool {
	a := p.Addr()
	if a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.Is4In6() || p.Bits() == 0 {
		return false
	}
	if p.Bits() >= a.BitLen()-1 {
		return true // a link of two, or one alone
	}
	if a == p.Masked().Addr() {
		return false
	}
	return !a.Is4() || p.Contains(a.Next())
}
