package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"homelab/model"
)

const (
	wolRounds = 3 // nobody says that a packet arrived
	wolPause  = 50 * time.Millisecond
)

// wol wakes a machine by its network card. Nothing answers that.
type wol struct {
	packet  []byte
	targets func() []string // host:port
}

func newWOL(o model.WOLOutlet, password string) (*wol, error) {
	mac, err := net.ParseMAC(o.MAC)
	if err != nil || len(mac) != 6 {
		return nil, fmt.Errorf("%q is no MAC address such as 52:54:00:12:34:56", o.MAC)
	}
	secureOn, err := secureOnBytes(password)
	if err != nil {
		return nil, err
	}
	w := &wol{packet: magic(mac, secureOn), targets: everywhere}
	if o.Broadcast == "" {
		return w, nil
	}
	host, port, err := model.SplitAddress(o.Broadcast, "")
	if err != nil {
		return nil, fmt.Errorf("broadcast %w", err)
	}
	ports := []string{"9", "7"}
	if port != "" {
		ports = []string{port}
	}
	w.targets = func() []string { return at(ports, host) }
	return w, nil
}

// magic is the packet that wakes: six bytes of ones, the address sixteen times,
// and a password for cards that want one.
func magic(mac net.HardwareAddr, secureOn []byte) []byte {
	packet := append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
	return append(packet, secureOn...)
}

// secureOnBytes reads a password of 6 bytes written as a MAC address, or of 4
// written as an IPv4 address.
func secureOnBytes(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
		return mac, nil
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is4() {
		return ip.AsSlice(), nil
	}
	return nil, errors.New("its password is none of SecureOn's: 4 or 6 bytes such as 192.168.1.2 or 01:02:03:04:05:06")
}

func at(ports []string, hosts ...string) []string {
	var all []string
	for _, host := range hosts {
		for _, port := range ports {
			all = append(all, net.JoinHostPort(host, port))
		}
	}
	return all
}

// everywhere are the broadcast addresses of all networks that we are in.
func everywhere() []string {
	hosts := []string{"255.255.255.255"}
	interfaces, _ := net.Interfaces() // without them, the one above it is
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && len(n.Mask) == net.IPv4len {
				hosts = append(hosts, broadcast(n).String())
			}
		}
	}
	return at([]string{"9", "7"}, hosts...)
}

func broadcast(n *net.IPNet) net.IP {
	ip := bytes.Clone(n.IP.To4())
	for i := range ip {
		ip[i] |= ^n.Mask[i]
	}
	return ip
}

// Set sends the packet. It is an error only if it could be sent nowhere.
func (w *wol) Set(ctx context.Context, on bool) error {
	if !on {
		return errors.New("wake-on-LAN can wake a machine and never switch it off: its agent does that, or an outlet that feeds it")
	}
	conn, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		return err
	}
	defer conn.Close()
	sent := 0
	for round := range wolRounds {
		if round > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wolPause):
			}
		}
		for _, target := range w.targets() {
			to, e := net.ResolveUDPAddr("udp4", target)
			if e == nil {
				_, e = conn.WriteTo(w.packet, to)
			}
			if err = e; e == nil {
				sent++
			}
		}
	}
	if sent == 0 {
		return fmt.Errorf("the packet could be sent nowhere: %w", err)
	}
	return nil
}

func (w *wol) State(context.Context) (model.Power, error) { return model.PowerUnknown, nil }
