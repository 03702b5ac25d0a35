package command

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// hostKeyJSON is one host key, and how it is published.
type hostKeyJSON struct {
	HostKey     string       `json:"host_key"`
	Fingerprint string       `json:"fingerprint"`
	KnownHosts  string       `json:"known_hosts"`
	SSHFP       string       `json:"sshfp,omitempty"` // none for an address, which has no zone
	Next        *hostKeyJSON `json:"next,omitempty"`  // that comes in its place
}

func hostkeyCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hostkey",
		Short: "The server's public host key",
		Long: `Show the server's public host key: its fingerprint to compare, the line for
known_hosts, and for a name the SSHFP record for a DNS zone that is signed. While
it is exchanged the one that comes is shown too.`,
		Example:     "hostkey\nhostkey --host homelab.lan:2222\nhostkey --fingerprint",
		Args:        exactly(),
		Annotations: map[string]string{aloneToo: "true"},
	}
	asJSON := jsonFlag(cmd)
	only := cmd.Flags().Bool("fingerprint", false, "its fingerprint only")
	host := cmd.Flags().String("host", "", "NAME or NAME:PORT that people type; by default the address that you connected to")
	cmd.RunE = func(*cobra.Command, []string) error {
		if _, _, err := model.SplitAddress(or(*host, "localhost"), ""); err != nil || strings.HasSuffix(*host, ":") {
			return usagef("--host %q must be a name or an address, alone or with a port from 1 to 65535", cut(*host, 60))
		}
		var keys []hostKeyJSON
		for _, line := range s.lab.HostKeys() {
			key, err := published(line, or(*host, s.io.Address))
			if err != nil {
				return err
			}
			keys = append(keys, key)
		}
		switch {
		case *asJSON:
			if len(keys) > 1 {
				keys[0].Next = &keys[1]
			}
			return s.printJSON(keys[0])
		case *only:
			s.sayf("%s", keys[0].Fingerprint)
			return nil
		}
		var pairs []pair
		for i, key := range keys {
			pairs = append(pairs, pair{[]string{"fingerprint", "next"}[i], cell{text: key.Fingerprint}}, pair{"known_hosts", cell{text: key.KnownHosts}}, pair{"sshfp", cell{text: or(key.SSHFP, "of a name only: hostkey --host NAME")}})
		}
		s.printPairs(pairs)
		return nil
	}
	cmd.AddCommand(rotateHostkey(s))
	return cmd
}

// published says how a host key is written where it is published for a host.
func published(line, address string) (hostKeyJSON, error) {
	public, fingerprint, _, err := model.ParseKey(strings.TrimSpace(line))
	if err != nil {
		return hostKeyJSON{}, fmt.Errorf("the host key cannot be read: %w", err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "22"
	}
	name := host
	if port != "22" {
		name = "[" + host + "]:" + port
	}
	_, text, _ := strings.Cut(public, " ")
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return hostKeyJSON{}, err
	}
	key := hostKeyJSON{HostKey: public, Fingerprint: fingerprint, KnownHosts: clean(name + " " + public)}
	if _, err := netip.ParseAddr(host); err != nil {
		// 4 is Ed25519, 2 is SHA-256: RFC 7479 and RFC 6594.
		key.SSHFP = clean(fmt.Sprintf("%s. IN SSHFP 4 2 %x", strings.TrimSuffix(host, "."), sha256.Sum256(blob)))
	}
	return key, nil
}

func rotateHostkey(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Exchange the host key without touching clients and agents",
		Long: `Make a new host key beside the one in use. Agents learn it at once, or when they
next connect, and so do OpenSSH's clients (UpdateHostKeys, which is on by
default). When all that matter have been here, put it in use with --finish: the
old key is gone then, and whoever has not learnt the new one is warned of it.`,
		Example: "hostkey rotate\nhostkey rotate --finish",
		Args:    exactly(),
	}
	finish := cmd.Flags().Bool("finish", false, "put the new key in use")
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *finish {
			return s.finishHostkey(cmd, *yes)
		}
		if err := s.lab.RotateHostKey(cmd.Context()); err != nil {
			return err
		}
		key, err := s.comingKey()
		if err != nil {
			return err
		}
		s.sayf("a new host key comes: %s", key.Fingerprint)
		s.notef("clients and agents learn it as they connect; when they have, put it in use: hostkey rotate --finish")
		return nil
	}
	return cmd
}

func (s *session) comingKey() (hostKeyJSON, error) {
	lines := s.lab.HostKeys()
	if len(lines) < 2 {
		return hostKeyJSON{}, hint(errors.New("no new host key comes"), "make one with: hostkey rotate")
	}
	return published(lines[1], s.io.Address)
}

func (s *session) finishHostkey(cmd *cobra.Command, yes bool) error {
	key, err := s.comingKey()
	if err != nil {
		return err
	}
	q := question{}
	for _, name := range few(s.lab.HostKeyUnknownTo()) {
		q.damage = append(q.damage, fmt.Sprintf("the agent of %s has not learnt the new key yet, and would have to join again", name))
	}
	if err := s.confirm(cmd.Context(), q, yes); err != nil {
		return err
	}
	if err := s.lab.FinishHostKey(cmd.Context()); err != nil {
		return err
	}
	s.sayf("the host key is %s now", key.Fingerprint)
	for _, name := range model.Names(s.state().Invites) {
		if s.state().Invites[name].Expires.After(s.now()) {
			s.notef("the invite of %s names the old key: make another with agent invite %s", clean(name), shellQuote(name))
		}
	}
	return nil
}
