package model

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Kinds of a hypervisor's network.
const (
	NetworkMacvtap = "macvtap" // of an interface
	NetworkBridge  = "bridge"
	NetworkNAT     = "nat" // a network of libvirt
)

// units of sizes, in MiB.
var units = map[string]float64{
	"": 0, "m": 1, "mb": 1, "mib": 1, "g": 1 << 10, "gb": 1 << 10, "gib": 1 << 10, "t": 1 << 20, "tb": 1 << 20, "tib": 1 << 20,
}

// ParseMiB reads an amount of memory: "2048" is in MiB, "512MiB", "4GiB" and
// "1.5GiB" say their unit.
func ParseMiB(s string) (int, error) {
	n, err := parseSize(s, 1)
	if errors.Is(err, errTooMuch) {
		return 0, fmt.Errorf("size %q is %w", s, err)
	}
	if err != nil {
		return 0, fmt.Errorf("size %q is not a whole number of MiB; write 2048, 512MiB or 4GiB", s)
	}
	return n, nil
}

// ParseGiB reads the size of a disk: "20" is in GiB, "20GiB", "1TiB" and
// "2048MiB" say their unit.
func ParseGiB(s string) (int, error) {
	n, err := parseSize(s, 1<<10)
	if errors.Is(err, errTooMuch) {
		return 0, fmt.Errorf("size %q is %w", s, err)
	}
	if err != nil {
		return 0, fmt.Errorf("size %q is not a whole number of GiB; write 20, 20GiB or 1TiB", s)
	}
	return n, nil
}

var errTooMuch = errors.New("more than any machine has")

// parseSize returns s in units of that many MiB.
func parseSize(s string, unit float64) (int, error) {
	s = strings.TrimSpace(s)
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(s)
	}
	scale, ok := units[strings.ToLower(strings.TrimSpace(s[end:]))]
	if scale == 0 {
		scale = unit
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return 0, err
	}
	n = n * scale / unit
	switch {
	case !ok || n != math.Trunc(n):
		return 0, strconv.ErrSyntax
	case n > math.MaxInt32:
		return 0, errTooMuch
	}
	return int(n), nil
}

// ParseIP reads an address of a guest with the prefix of its network. Without
// a prefix IPv4 gets /24 and IPv6 /64.
func ParseIP(s string) (netip.Prefix, error) {
	bad := fmt.Errorf("%q is not an IP address with a prefix, such as 192.168.1.20/24", s)
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, bad
		}
		if a.Is4() {
			return netip.PrefixFrom(a, 24), nil
		}
		return netip.PrefixFrom(a, 64), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, bad
	}
	return p, nil
}

// Gateway is the gateway of a guest with address p: the setting's, if it is of
// the same family and in p's network, else the first address of the network.
// It is invalid if there is none, as for the guest that has that address.
func Gateway(p netip.Prefix, setting string) netip.Addr {
	if a, err := netip.ParseAddr(setting); err == nil && p.Masked().Contains(a) && a != p.Addr() {
		return a
	}
	first := p.Masked().Addr().Next()
	if !p.Contains(first) || first == p.Addr() {
		return netip.Addr{}
	}
	return first
}

// MAC is the address of a VM's NIC (0 is the first) in the range of QEMU. It
// is made from the VM's permanent ID and so never changes.
func MAC(id string, nic int) string {
	sum := sha256.Sum256([]byte(id + "/" + strconv.Itoa(nic)))
	return fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3])
}

// String is the pool as ParsePool reads it, such as "storage=/srv/storage",
// "nas=/srv/nas nfs:nas.lan:/vms" and "ramdisk=/srv/ramdisk tmpfs:4GiB".
func (p Pool) String() string {
	text := p.Name + "=" + p.Path
	switch {
	case p.NFS != "":
		text += " nfs:" + p.NFS
	case p.TmpfsMiB > 0 && p.TmpfsMiB%1024 == 0:
		text += fmt.Sprintf(" tmpfs:%dGiB", p.TmpfsMiB/1024)
	case p.TmpfsMiB > 0:
		text += fmt.Sprintf(" tmpfs:%dMiB", p.TmpfsMiB)
	}
	return text
}

// ParsePool reads a pool in one line.
func ParsePool(s string) (Pool, error) {
	bad := fmt.Errorf("%q is no pool: write name=/path, name=/path nfs:HOST:/EXPORT or name=/path tmpfs:4GiB", s)
	at, source, mounted := strings.Cut(strings.TrimSpace(s), " ")
	name, dir, ok := strings.Cut(at, "=")
	if !ok || !strings.HasPrefix(dir, "/") {
		return Pool{}, bad
	}
	p := Pool{Name: name, Path: dir}
	if !mounted {
		return p, nil
	}
	switch kind, what, _ := strings.Cut(strings.TrimSpace(source), ":"); kind {
	case "nfs":
		p.NFS = what
	case "tmpfs":
		n, err := ParseMiB(what)
		if err != nil {
			return Pool{}, err
		}
		p.TmpfsMiB = n
	default:
		return Pool{}, bad
	}
	return p, nil
}

// SplitNetwork reads the network of a hypervisor: macvtap:IFACE, bridge:NAME
// or nat:NETWORK.
func SplitNetwork(s string) (kind, name string, err error) {
	kind, name, ok := strings.Cut(s, ":")
	known := kind == NetworkMacvtap || kind == NetworkBridge || kind == NetworkNAT
	if !ok || !known || name == "" {
		return "", "", fmt.Errorf("network %q is none of macvtap:INTERFACE, bridge:NAME and nat:NETWORK", s)
	}
	return kind, name, nil
}
