package demo

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// writeConfig writes what ssh needs to connect as `ssh -F FILE demo` and ask
// nothing: its config, and the host key beside it.
func writeConfig(file, keyFile string, addr net.Addr, hostKey ssh.PublicKey) error {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	known := file + "_known_hosts"
	line := knownhosts.Line([]string{net.JoinHostPort(host, port)}, hostKey)
	if err := os.WriteFile(known, []byte(line+"\n"), 0o600); err != nil {
		return err
	}
	text := fmt.Sprintf(`Host demo
  HostName %s
  Port %s
  User demo
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s
`, host, port, configValue(keyFile), configValue(known))
	return os.WriteFile(file, []byte(text), 0o600)
}

// configValue writes a path for ssh's config, where % begins a token.
func configValue(path string) string {
	return `"` + strings.ReplaceAll(path, "%", "%%") + `"`
}

// quoted writes a path so that a shell reads it as that one word.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
