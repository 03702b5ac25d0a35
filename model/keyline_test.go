package model_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

func TestKeyLines(t *testing.T) {
	utc := func(y int, m time.Month, d, h, min, s int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.UTC)
	}
	for _, c := range []struct {
		options string // before the key
		want    model.Key
		bad     string
	}{
		{"", model.Key{}, ""},
		{`from="192.168.1.0/24,!192.168.1.9,fd00::/8" `, model.Key{From: []string{"192.168.1.0/24", "!192.168.1.9", "fd00::/8"}}, ""},
		{`from=10.0.0.1 `, model.Key{From: []string{"10.0.0.1"}}, ""},
		{`expiry-time="20270131Z" `, model.Key{Expires: utc(2027, 1, 31, 0, 0, 0)}, ""},
		{`expiry-time="202701311230Z",restrict `, model.Key{Expires: utc(2027, 1, 31, 12, 30, 0), Restrict: true}, ""},
		{`RESTRICT,expiry-time="20270131123015Z"	`, model.Key{Expires: utc(2027, 1, 31, 12, 30, 15), Restrict: true}, ""},
		{`restrict, `, model.Key{}, `the option ""`},
		{`command="rm -rf /" `, model.Key{}, `the option "command"`},
		{`restrict,pty `, model.Key{}, `the option "pty"`},
		{`cert-authority `, model.Key{}, `the option "cert-authority"`},
		{`from="*.lan" `, model.Key{}, "must be an address"},
		{`from="" `, model.Key{}, "must be an address"},
		{`from="10.0.0.0/33" `, model.Key{}, "must be an address"},
		{`expiry-time="soon" `, model.Key{}, "no time at which a key expires"},
		{`expiry-time="20271331Z" `, model.Key{}, "no time at which a key expires"},
		{`from="10.0.0.1 `, model.Key{}, "do not end"},
		{`environment="A=\"b\" c" `, model.Key{}, `the option "environment"`},
	} {
		k, err := model.ParseKeyLine(c.options + someKey + " ann@pi")
		switch {
		case c.bad != "":
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%q: error %v, want %q", c.options, err, c.bad)
			}
			continue
		case err != nil:
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		if k.Name != "ann@pi" || k.PublicKey != someKey || strings.Join(k.From, " ") != strings.Join(c.want.From, " ") || !k.Expires.Equal(c.want.Expires) || k.Restrict != c.want.Restrict {
			t.Errorf("%q: %+v", c.options, k)
		}
	}
	if k, err := model.ParseKeyLine(someKey); err != nil || !strings.HasPrefix(k.Name, "SHA256:") {
		t.Errorf("without a comment: %+v %v", k, err)
	}
}

func TestWhereAKeyMayBeUsedFrom(t *testing.T) {
	for _, c := range []struct {
		from, addr string
		want       bool
	}{
		{"", "10.0.0.1", true},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "11.1.2.3", false},
		{"10.0.0.0/8,!10.0.0.7", "10.0.0.7", false},
		{"!10.0.0.7,10.0.0.0/8", "10.0.0.7", false},
		{"!10.0.0.7", "10.0.0.8", false}, // as sshd: what is left out lets nobody else in
		{"fe80::/10", "fe80::1%eth0", true},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::2", false},
	} {
		var k model.Key
		if c.from != "" {
			k.From = strings.Split(c.from, ",")
		}
		if got := k.AllowsFrom(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("from=%q, %s: %v", c.from, c.addr, got)
		}
	}
}

// FuzzKeyLine: whatever is pasted is a key whose line reads the same again, or
// an error that is short enough to be shown.
func FuzzKeyLine(f *testing.F) {
	f.Add(someKey + " ann@pi")
	f.Add(`from="10.0.0.0/8,!10.0.0.7",expiry-time="20270131Z",restrict ` + someKey)
	f.Add(`a="\"",b= ` + someKey)
	f.Add("ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB x")
	f.Add("\x00 ssh-ed25519 =")
	f.Fuzz(func(t *testing.T, line string) {
		k, err := model.ParseKeyLine(line)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		again, err := model.ParseKeyLine(strings.TrimSpace(k.Options() + " " + k.PublicKey))
		if err != nil || again.Fingerprint != k.Fingerprint || again.Options() != k.Options() {
			t.Fatalf("%q became %+v and then %+v: %v", line, k, again, err)
		}
	})
}

// FuzzAddressIn: no list lets in an address that it leaves out, and one that is
// taken holds what its first entry names.
func FuzzAddressIn(f *testing.F) {
	f.Add("10.0.0.0/8,!10.0.0.7", []byte{10, 0, 0, 7})
	f.Add("::ffff:10.0.0.1,fe80::1/10", []byte{10, 0, 0, 1})
	f.Add("!0.0.0.0/0,1.2.3.4", make([]byte, 16))
	f.Fuzz(func(t *testing.T, text string, from []byte) {
		list := strings.Split(text, ",")
		addr, _ := netip.AddrFromSlice(from)
		in := model.AddressIn(list, addr)
		if model.AddressIn(append(list, "!"+addr.Unmap().String()), addr) {
			t.Fatalf("%q lets %s in that it leaves out", list, addr)
		}
		if in && model.CheckFrom(list) == nil && !model.AddressIn(append([]string{"192.0.2.1"}, list...), addr) {
			t.Fatalf("%q forgets %s for one more", list, addr)
		}
	})
}
