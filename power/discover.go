package power

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"homelab/model"
)

const (
	discoverTime = 2 * time.Second // devices may take as long to answer; see RFC 6762, section 6
	mostAnswers  = 256             // of a network that answers without end
	mostProbes   = 16              // at once
)

// multicast is where mDNS is asked (RFC 6762).
var multicast = netip.MustParseAddrPort("224.0.0.251:5353")

// services are what is asked for. The port of one tells where its web server
// is, unless it has one of another protocol.
var services = map[string]struct{ web bool }{
	"_shelly._tcp.local.":         {true},
	"_http._tcp.local.":           {true}, // Tasmota, if its mDNS is on, and many others
	"_esphomelib._tcp.local.":     {false},
	"_home-assistant._tcp.local.": {true},
}

// Discover asks the networks that this machine is on, by mDNS, for what may
// switch power, and finds out what each is; see [Probe]. It takes some seconds.
func Discover(ctx context.Context) ([]model.FoundDevice, error) {
	sources, err := ownAddresses()
	if err != nil {
		return nil, err
	}
	return discover(ctx, sources)
}

func discover(ctx context.Context, sources []netip.Addr) ([]model.FoundDevice, error) {
	at, err := ask(ctx, sources)
	if err != nil {
		return nil, err
	}
	found := make([][]model.FoundDevice, len(at))
	slots := make(chan struct{}, mostProbes)
	var all sync.WaitGroup
	for i, address := range at {
		all.Go(func() {
			slots <- struct{}{}
			found[i], _ = Probe(ctx, address) // what cannot be asked is no device of ours
			<-slots
		})
	}
	all.Wait()
	return slices.Concat(found...), ctx.Err()
}

// ownAddresses are this machine's addresses on networks that have multicast.
func ownAddresses() ([]netip.Addr, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				own = append(own, p.Addr())
			}
		}
	}
	if len(own) == 0 {
		return nil, errors.New("this machine is on no network with multicast, which finding devices needs: name one by --address")
	}
	return own, nil
}

// ask sends the question from each address and collects the addresses that
// answer, in order. A question from a port that is not mDNS's own is answered
// to that port (RFC 6762, section 6.7).
func ask(ctx context.Context, sources []netip.Addr) ([]string, error) {
	query, err := serviceQuestion()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	var mu sync.Mutex
	hosts := map[netip.AddrPort]bool{}
	var all sync.WaitGroup
	for _, source := range sources {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0)))
		if err != nil {
			continue // the address has just gone
		}
		all.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if _, err := conn.WriteToUDPAddrPort(query, multicast); err != nil {
				return // no way out of this network
			}
			answers(conn, func(host netip.AddrPort) {
				mu.Lock()
				defer mu.Unlock()
				hosts[host] = true
			})
		})
	}
	all.Wait()
	return addresses(hosts), nil
}

// addresses are hosts as people write them: the web's own port is left out. One
// that told a port is asked there alone.
func addresses(hosts map[netip.AddrPort]bool) []string {
	told := map[netip.Addr]bool{}
	for h := range hosts {
		told[h.Addr()] = told[h.Addr()] || h.Port() != 0
	}
	var text []string
	for _, h := range slices.SortedFunc(maps.Keys(hosts), netip.AddrPort.Compare) {
		switch {
		case h.Port() == 0 && told[h.Addr()]:
		case h.Port() == 0, h.Port() == 80:
			text = append(text, h.Addr().String())
		default:
			text = append(text, h.String())
		}
	}
	return text
}

// serviceQuestion asks for all services at once.
func serviceQuestion() ([]byte, error) {
	m := dnsmessage.Message{}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		n, err := dnsmessage.NewName(name)
		if err != nil {
			return nil, err
		}
		m.Questions = append(m.Questions, dnsmessage.Question{Name: n, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET})
	}
	return m.Pack()
}

// answers hands over whoever answers on conn, with the port of its web server,
// or 0, until conn is closed.
func answers(conn *net.UDPConn, each func(netip.AddrPort)) {
	buf := make([]byte, 9000) // the largest that mDNS allows
	for range mostAnswers {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || !m.Response {
			continue
		}
		for _, port := range webPorts(m) {
			each(netip.AddrPortFrom(from.Addr().Unmap(), port))
		}
	}
}

// webPorts are the ports that an answer tells of services of ours; 0 is that
// it tells none.
func webPorts(m dnsmessage.Message) []uint16 {
	var ports []uint16
	for _, r := range slices.Concat(m.Answers, m.Additionals) {
		name := r.Header.Name.String()
		if _, ours := services[strings.ToLower(name)]; ours {
			ports = append(ports, 0)
		}
		srv, ok := r.Body.(*dnsmessage.SRVResource)
		if _, service, cut := strings.Cut(name, "."); ok && cut && services[strings.ToLower(service)].web {
			ports = append(ports, srv.Port)
		}
	}
	return ports
}
