package model

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Limits of what a user's keys may be.
const (
	MaxKeys = 100 // of one user
	MaxFrom = 50  // addresses of one key
)

// ParseKeyLine reads a line of authorized_keys, with its options: from=,
// expiry-time= and restrict. Another option is an error, because leaving it out
// would let the key do more than the line says. The key's name is the line's
// comment, or the beginning of its fingerprint.
func ParseKeyLine(line string) (Key, error) {
	line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " "))
	if !isText(line, 16<<10) {
		return Key{}, errors.New("the key is not a line of text")
	}
	var k Key
	if kind, _, _ := strings.Cut(line, " "); !slices.Contains(keyTypes, kind) && looksLikeOptions(line) {
		options, rest, err := cutOptions(line)
		if err != nil {
			return Key{}, err
		}
		for _, o := range options {
			if err := k.setOption(o.name, o.value); err != nil {
				return Key{}, err
			}
		}
		line = rest
	}
	var err error
	if k.PublicKey, k.Fingerprint, k.Name, err = ParseKey(line); err != nil {
		return Key{}, err
	}
	if k.Name == "" {
		k.Name = k.Fingerprint[:min(len(k.Fingerprint), 15)]
	}
	return k, nil
}

// looksLikeOptions tells whether a type of key stands somewhere behind the
// first word.
func looksLikeOptions(line string) bool {
	return slices.ContainsFunc(keyTypes, func(kind string) bool { return strings.Contains(line, " "+kind+" ") })
}

type keyOption struct{ name, value string }

// cutOptions takes the options from the beginning of a line, up to the first
// space outside of quotes.
func cutOptions(line string) (options []keyOption, rest string, err error) {
	var o keyOption
	var text strings.Builder
	named, quoted := false, false
	end := func() {
		if o.value = text.String(); !named {
			o.name, o.value = o.value, ""
		}
		options = append(options, o)
		o, named = keyOption{}, false
		text.Reset()
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted && i+1 < len(line) && line[i+1] == '"':
			i++
			text.WriteByte('"')
		case c == '"':
			quoted = !quoted
		case quoted:
			text.WriteByte(c)
		case c == ',':
			end()
		case c == '=' && !named:
			o.name, named = text.String(), true
			text.Reset()
		case c == ' ':
			end()
			return options, strings.TrimSpace(line[i:]), nil
		default:
			text.WriteByte(c)
		}
	}
	return nil, "", errors.New("the key's options do not end: quotes are missing")
}

func (k *Key) setOption(name, value string) error {
	switch strings.ToLower(name) {
	case "from":
		k.From = nil
		for _, from := range strings.Split(value, ",") {
			k.From = append(k.From, strings.TrimSpace(from))
		}
		return CheckFrom(k.From)
	case "expiry-time":
		at, err := ParseExpiry(value)
		k.Expires = at
		return err
	case "restrict":
		k.Restrict = true
		return nil
	}
	return fmt.Errorf("the option %q of a key is not taken here: from=, expiry-time= and restrict are", clip(name))
}

// expiries are the forms of a time in expiry-time=, in local time unless a Z
// follows, and those that people write.
var expiries = []string{"20060102", "200601021504", "20060102150405", "2006-01-02", "2006-01-02T15:04", "2006-01-02 15:04"}

// ParseExpiry reads when a key expires: YYYYMMDD[HHMM[SS]] with or without Z as
// authorized_keys has it, a date such as 2027-01-31, or RFC 3339.
func ParseExpiry(text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	where := time.Local
	digits, utc := strings.CutSuffix(text, "Z")
	if utc {
		where = time.UTC
	}
	for _, form := range expiries {
		if at, err := time.ParseInLocation(form, digits, where); err == nil && len(digits) == len(form) {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time at which a key expires: it looks like 2027-01-31 or 20270131120000Z", clip(text))
}

// CheckFrom checks the addresses that a key may be used from.
func CheckFrom(from []string) error {
	if len(from) > MaxFrom {
		return fmt.Errorf("a key may be used from at most %d addresses and networks", MaxFrom)
	}
	for _, text := range from {
		if _, err := parseFrom(strings.TrimPrefix(text, "!")); err != nil {
			return fmt.Errorf("%q must be an address or a network, such as 192.168.1.0/24; a ! before it leaves it out", clip(text))
		}
	}
	return nil
}

func parseFrom(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// AllowsFrom tells whether the key may be used from an address: one of From
// holds it, and none that begins with a !.
func (k Key) AllowsFrom(addr netip.Addr) bool {
	return len(k.From) == 0 || AddressIn(k.From, addr)
}

// AddressIn tells whether a list of addresses and networks holds an address,
// and no entry that begins with a ! does. An empty list holds none.
func AddressIn(list []string, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	in := false
	for _, text := range list {
		text, not := strings.CutPrefix(text, "!")
		prefix, err := parseFrom(text)
		if err != nil || !prefix.Contains(addr) {
			continue
		}
		if not {
			return false
		}
		in = true
	}
	return in
}

// Options are those of the key as a line of authorized_keys has them; empty is
// none.
func (k Key) Options() string {
	var parts []string
	if len(k.From) > 0 {
		parts = append(parts, `from="`+strings.Join(k.From, ",")+`"`)
	}
	if !k.Expires.IsZero() {
		parts = append(parts, `expiry-time="`+k.Expires.UTC().Format("20060102150405")+`Z"`)
	}
	if k.Restrict {
		parts = append(parts, "restrict")
	}
	return strings.Join(parts, ",")
}
