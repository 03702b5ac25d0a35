package model

import (
	"net/netip"
	"slices"
)

// Reach is how a guest is reached.
type Reach struct {
	VM      string `json:"vm"`
	Host    string `json:"host"`    // the guest's own name
	Address string `json:"address"` // without a prefix; empty is unknown
}

// Reaches are the guests of the VMs with a domain, sorted by name, with their
// static addresses or else the first that their agents report that others can
// reach.
func Reaches(s *State, st Status) []Reach {
	all := []Reach{}
	for _, name := range Names(s.VMs) {
		vm := s.VMs[name]
		if !s.HasDomain(vm) {
			continue
		}
		r := Reach{VM: name, Host: HostName(name, vm.Hypervisor)}
		if p, err := ParseIP(vm.IP); err == nil && vm.IP != "" {
			r.Address = p.Addr().String()
		} else if guest, ok := st.Hypervisors[vm.Hypervisor].Guest(vm.ID); ok {
			r.Address = firstReachable(guest.Addresses)
		}
		all = append(all, r)
	}
	return all
}

// firstReachable is the first address that is not one machine's or link's own,
// IPv4 before IPv6.
func firstReachable(addresses []string) string {
	var good []netip.Addr
	for _, text := range addresses {
		a, err := netip.ParseAddr(text)
		if p, perr := netip.ParsePrefix(text); err != nil && perr == nil {
			a, err = p.Addr(), nil
		}
		if err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() {
			good = append(good, a.Unmap())
		}
	}
	if len(good) == 0 {
		return ""
	}
	if i := slices.IndexFunc(good, netip.Addr.Is4); i >= 0 {
		return good[i].String()
	}
	return good[0].String()
}
