package model

import (
	"net/netip"
	"path"
	"strings"
	"time"
	_ "time/tzdata" // not every machine has one
	"unicode"
	"unicode/utf8"
)

// What the rules are, in the words that errors end with.
const (
	ruleLabel     = "must be a DNS label: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
	ruleName      = "must be 1 to 63 of a-z, 0-9, -, . and _, beginning and ending with a letter or digit"
	rulePath      = "must be an absolute path without . and .., doubled slashes and control characters"
	ruleHost      = "must be a host name or an IP address"
	ruleServesVMs = "serves hypervisors, not VMs"
	ruleText      = "must be valid text without control characters"
)

func isAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// made tells whether s is 1 to most bytes of letters, digits and others, and
// begins and ends with a letter or digit.
func made(s string, most int, others string) bool {
	if len(s) == 0 || len(s) > most || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

// isLabel tells whether s can name a VM, a hypervisor or an outlet.
func isLabel(s string) bool { return made(s, 63, "-") }

// isName tells whether s can name anything else.
func isName(s string) bool { return made(s, 63, "-._") }

// isText tells whether s is fit for a line of a screen or a file.
func isText(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unprintable) < 0
}

// isBody is isText for texts of several lines.
func isBody(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) &&
		strings.IndexFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && unprintable(r) }) < 0
}

// unprintable are control characters and those that turn the direction of
// text, with which a line could be made to look like another.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || unicode.Is(unicode.Bidi_Control, r)
}

func isPath(s string) bool {
	return isText(s, 1024) && path.IsAbs(s) && path.Clean(s) == s && s != "/"
}

// isHost tells whether s is an IP address or a host name.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return !strings.Contains(s, "%")
	}
	return isDomain(s)
}

// isDomain tells whether s is a DNS name.
func isDomain(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(strings.TrimSuffix(s, ".")), ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isInterface tells whether s can name a network interface or a network.
func isInterface(s string, most int) bool {
	return made(strings.ToLower(s), most, "-._")
}

// isUnixUser tells whether s is a user name that every Linux takes.
func isUnixUser(s string) bool {
	if len(s) == 0 || len(s) > 32 || s[0] >= '0' && s[0] <= '9' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return true
}

// isTimezone tells whether s is a name of the tz database, as Go has it.
func isTimezone(s string) bool {
	if len(s) > 64 || s == "Local" {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || strings.IndexFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-", r))
		}) >= 0 {
			return false
		}
	}
	_, err := time.LoadLocation(s)
	return err == nil
}

// isChecksum tells whether s is sha256:HEX or sha512:HEX.
func isChecksum(s string) bool {
	kind, sum, _ := strings.Cut(s, ":")
	size := map[string]int{"sha256": 64, "sha512": 128}[kind]
	return size > 0 && len(sum) == size && strings.Trim(sum, "0123456789abcdef") == ""
}

// isExport tells whether s is HOST:/EXPORT of NFS.
func isExport(s string) bool {
	host, dir, ok := strings.Cut(s, ":")
	return ok && isHost(host) && (isPath(dir) || dir == "/") && !strings.ContainsAny(dir, " ,")
}
