package salt

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Master is how to reach the command line of one Salt master.
type Master struct {
	Name string

	// Reach is what precedes salt, salt-key and salt-run: "sudo -n", or "ssh
	// pi2 sudo -n". Empty runs them here, as who we are.
	Reach []string

	// PKI is the master's folder of keys; empty is DefaultPKI.
	PKI string

	// Identity and KnownHosts are the files of the key with which ssh logs in
	// and of the hosts' keys that it has seen; empty leaves them to ssh.
	Identity   string
	KnownHosts string

	// Deadline ends a command that does not; 0 is DefaultDeadline. Calls and
	// the event stream have none of their own.
	Deadline time.Duration
}

// What a Master has that says nothing.
const (
	DefaultPKI      = "/etc/salt/pki/master"
	DefaultDeadline = time.Minute
)

// argv is the command line that runs words on the master.
func (m Master) argv(words ...string) []string {
	var argv []string
	shells := 0 // that will read the rest once more
	add := func(words ...string) {
		for _, word := range words {
			for range shells {
				word = shellQuote(word)
			}
			argv = append(argv, word)
		}
	}
	for i := 0; i < len(m.Reach); i++ {
		add(m.Reach[i])
		if path.Base(m.Reach[i]) != "ssh" {
			continue
		}
		host := sshHost(m.Reach, i+1)
		add(m.Reach[i+1 : host]...)
		if shells == 0 {
			add(m.sshOptions()...)
		}
		if host < len(m.Reach) {
			add(m.Reach[host])
		}
		i, shells = host, shells+1
	}
	add(words...)
	return argv
}

// remote tells whether ssh is on the way.
func (m Master) remote() bool {
	return slices.ContainsFunc(m.Reach, func(word string) bool { return path.Base(word) == "ssh" })
}

// sshHost is where the host stands in a command line of ssh, whose options
// begin at from.
func sshHost(words []string, from int) int {
	for i := from; i < len(words); i++ {
		switch w := words[i]; {
		case !strings.HasPrefix(w, "-"):
			return i
		case len(w) == 2 && strings.Contains("BbcDEeFIiJLlmOoPpQRSWw", w[1:]):
			i++ // its argument
		}
	}
	return len(words)
}

// sshOptions come after those that Reach has, which ssh then prefers.
func (m Master) sshOptions() []string {
	options := []string{"-T", "-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=15", "-oServerAliveCountMax=3"}
	if m.Identity != "" {
		options = append(options, "-oIdentitiesOnly=yes", "-i", m.Identity)
	}
	if m.KnownHosts != "" {
		options = append(options, "-oUserKnownHostsFile="+sshFile(m.KnownHosts), "-oStrictHostKeyChecking=accept-new")
	}
	return options
}

// sshFile writes a path for an option that takes several, and variables.
func sshFile(file string) string {
	file = strings.ReplaceAll(file, "%", "%%")
	if strings.ContainsAny(file, " \t") {
		return `"` + file + `"`
	}
	return file
}

// shellQuote writes a word so that a shell reads it as that one word.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && word[0] != '=' && !slices.ContainsFunc([]rune(word), func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (m Master) pki() string {
	if m.PKI == "" {
		return DefaultPKI
	}
	return m.PKI
}

func (m Master) deadline() time.Duration {
	if m.Deadline <= 0 {
		return DefaultDeadline
	}
	return m.Deadline
}
