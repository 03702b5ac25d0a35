package agent

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/model"
)

// How often a guest is asked for its addresses.
const (
	addressPause = 5 * time.Second // if it has none: it may just be booting
	knownPause   = time.Minute     // at most, if it has some
	agentPause   = 5 * time.Minute // at most, its agent if that did not answer: libvirt may wait for it
)

// addressWait is how long a guest is left alone that was started so long ago, at
// most so long: the younger it is, the more may come of it.
func addressWait(up, most time.Duration) time.Duration {
	return min(max(up/2, addressPause), most)
}

// addresses are what is known of a guest's.
type addresses struct {
	run       int32
	at        time.Time // when libvirt was last asked
	agentFrom time.Time // when the guest's agent may be asked again
	ips       []string
}

// findAddresses asks for the addresses of guests that are due. What one guest
// does not tell is no error.
func (v *virt) findAddresses(ctx context.Context, running []domain) map[libvirt.UUID][]string {
	found := make(map[libvirt.UUID][]string, len(running))
	known := make(map[libvirt.UUID]addresses, len(running))
	now := time.Now()
	for _, d := range running {
		a := v.addrs[d.UUID]
		if a.run != d.Domain.ID {
			a = addresses{run: d.Domain.ID}
		}
		due := addressPause
		if len(a.ips) > 0 {
			due = addressWait(now.Sub(d.since), knownPause)
		}
		if now.Sub(a.at) >= due && ctx.Err() == nil {
			a.ips, a.at = v.askAddresses(ctx, d, &a.agentFrom), now
		}
		known[d.UUID], found[d.UUID] = a, a.ips
	}
	v.addrs = known
	return found
}

// askAddresses asks everybody who may know: libvirt's DHCP server, the guest's
// own agent and the machine's table of neighbours.
func (v *virt) askAddresses(ctx context.Context, d domain, agentFrom *time.Time) []string {
	var ips []string
	for _, source := range []libvirt.DomainInterfaceAddressesSource{
		libvirt.DomainInterfaceAddressesSrcAgent, libvirt.DomainInterfaceAddressesSrcLease, libvirt.DomainInterfaceAddressesSrcArp,
	} {
		isAgent := source == libvirt.DomainInterfaceAddressesSrcAgent
		if isAgent && (d.id == "" || time.Now().Before(*agentFrom)) {
			continue
		}
		nics, err := call(ctx, v, func(l *libvirt.Libvirt) ([]libvirt.DomainInterface, error) {
			return l.DomainInterfaceAddresses(d.Domain, uint32(source), 0)
		})
		if err != nil {
			switch source {
			case libvirt.DomainInterfaceAddressesSrcAgent:
				*agentFrom = time.Now().Add(addressWait(time.Since(d.since), agentPause))
			case libvirt.DomainInterfaceAddressesSrcArp: // libvirt 9 fails with newer kernels: "wrong nlmsg len"
				ips = append(ips, neighbours(arpTable, d.id)...)
			}
			continue
		}
		ips = append(ips, usable(nics)...)
		if isAgent && len(ips) > 0 {
			break // it knows all
		}
	}
	return sortIPs(ips)
}

func usable(nics []libvirt.DomainInterface) []string {
	var ips []string
	for _, nic := range nics {
		for _, a := range nic.Addrs {
			ip, err := netip.ParseAddr(a.Addr)
			if err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() && !ip.IsUnspecified() {
				ips = append(ips, ip.String())
			}
		}
	}
	return ips
}

// sortIPs sorts, IPv4 first, and drops what is there twice.
func sortIPs(ips []string) []string {
	slices.SortFunc(ips, func(x, y string) int {
		a, _ := netip.ParseAddr(x)
		b, _ := netip.ParseAddr(y)
		return cmp.Or(cmp.Compare(a.BitLen(), b.BitLen()), a.Compare(b))
	})
	return slices.Compact(ips)
}

// arpTable is where Linux tells which addresses it has learned of its neighbours.
const arpTable = "/proc/net/arp"

// neighbours are the IPv4 addresses in the table of the NICs of a VM, whose MACs
// are made from its ID.
func neighbours(table, id string) []string {
	b, err := os.ReadFile(table)
	if err != nil || id == "" {
		return nil
	}
	macs := map[string]bool{}
	for i := range model.MaxNICs {
		macs[model.MAC(id, i)] = true
	}
	var ips []string
	for line := range strings.Lines(string(b)) {
		// Address, type, flags (0x0: not learned yet), MAC, mask, interface.
		if f := strings.Fields(line); len(f) == 6 && f[2] != "0x0" && macs[f[3]] {
			ips = append(ips, f[0])
		}
	}
	return ips
}
