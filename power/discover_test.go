package power

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// responder plays a device that answers mDNS as told, from the address of its
// own.
func responder(t *testing.T, answer func(q dnsmessage.Message) []byte) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	old := multicast
	multicast = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done; multicast = old })
	go func() {
		defer close(done)
		buf := make([]byte, 9000)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if err := q.Unpack(buf[:n]); err != nil || len(q.Questions) != len(services) {
				t.Errorf("asked %v, %v", q, err)
				return
			}
			_, _ = conn.WriteToUDPAddrPort([]byte("\xff\x00 no message of DNS"), from)
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from) // a question is no answer
			_, _ = conn.WriteToUDPAddrPort(answer(q), from)
		}
	}()
}

// announce is an answer about a service, with the port where there is one.
func announce(t *testing.T, service, instance string, port int) []byte {
	t.Helper()
	name, full := dnsmessage.MustNewName(service), dnsmessage.MustNewName(instance+"."+service)
	header := func(n dnsmessage.Name, kind dnsmessage.Type) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: n, Type: kind, Class: dnsmessage.ClassINET, TTL: 120}
	}
	m := dnsmessage.Message{
		Header:  dnsmessage.Header{Response: true, Authoritative: true},
		Answers: []dnsmessage.Resource{{Header: header(name, dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: full}}},
	}
	if port != 0 {
		m.Additionals = []dnsmessage.Resource{{Header: header(full, dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Port: uint16(port), Target: dnsmessage.MustNewName("it.local.")}}}
	}
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func portOf(t *testing.T, rawURL string) int {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestDiscover(t *testing.T) {
	loopback := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	shelly := shellyFake(t, "")
	responder(t, func(dnsmessage.Message) []byte {
		return announce(t, "_shelly._tcp.local.", "shellyplusplugs-a8032ab1", portOf(t, shelly.URL))
	})
	found, err := discover(t.Context(), loopback)
	if err != nil || len(found) != 1 || found[0].Outlet.Driver != "shelly" {
		t.Fatalf("found %+v, %v", found, err)
	}
	if _, err := New(found[0].Outlet, Options{}); err != nil {
		t.Error(err)
	}
}

func TestDiscoverLeavesOutWhatSwitchesNothing(t *testing.T) {
	router := newFake(t, func(*fake, *http.Request, string) string { return "<html>router</html>" })
	responder(t, func(dnsmessage.Message) []byte {
		return announce(t, "_http._tcp.local.", "router", portOf(t, router.URL))
	})
	found, err := discover(t.Context(), []netip.Addr{netip.MustParseAddr("127.0.0.1")})
	if err != nil || len(found) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	if router.last() == "" {
		t.Error("it was not asked what it is")
	}
}

func TestAddresses(t *testing.T) {
	at := func(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
	got := addresses(map[netip.AddrPort]bool{at("10.0.0.9:0"): true, at("10.0.0.9:8080"): true, at("10.0.0.2:80"): true, at("10.0.0.3:0"): true})
	if want := "[10.0.0.2 10.0.0.3 10.0.0.9:8080]"; len(got) != 3 || want != "["+got[0]+" "+got[1]+" "+got[2]+"]" {
		t.Errorf("%v, want %s", got, want)
	}
}

func FuzzWebPorts(f *testing.F) {
	f.Add([]byte("\x00\x00\x84\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m dnsmessage.Message
		if m.Unpack(data) == nil {
			webPorts(m)
		}
	})
}
