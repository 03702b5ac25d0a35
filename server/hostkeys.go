package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"charm.land/ssh"
	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// nextKeyFile holds the host key that comes, while clients and agents learn it.
const nextKeyFile = hostKeyFile + ".next"

// hostKeys are the server's keys: the one that it has, and while it is
// exchanged the one that comes.
type hostKeys struct {
	folder string

	mu      sync.Mutex
	current gossh.Signer
	next    gossh.Signer    // nil if none comes
	learnt  map[string]bool // hypervisors whose agents know next
}

// openHostKeys reads the keys of a data folder, or makes the first.
func openHostKeys(folder string, log *slog.Logger) (*hostKeys, error) {
	k := &hostKeys{folder: folder, learnt: map[string]bool{}}
	var err error
	if err = closeKey(filepath.Join(folder, hostKeyFile), log); err != nil {
		return nil, err
	}
	if k.current, err = hostKey(filepath.Join(folder, hostKeyFile)); err != nil {
		return nil, err
	}
	next := filepath.Join(folder, nextKeyFile)
	if _, statErr := os.Stat(next); statErr == nil {
		if err = closeKey(next, log); err == nil {
			k.next, err = hostKey(next)
		}
	}
	return k, err
}

// all are the keys, the one in use first.
func (k *hostKeys) all() []gossh.Signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next == nil {
		return []gossh.Signer{k.current}
	}
	return []gossh.Signer{k.current, k.next}
}

// begin makes the key that comes.
func (k *hostKeys) begin() (gossh.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next != nil {
		return nil, fmt.Errorf("the key %s comes already: put it in use with `hostkey rotate --finish`", gossh.FingerprintSHA256(k.next.PublicKey()))
	}
	next, err := hostKey(filepath.Join(k.folder, nextKeyFile))
	if err != nil {
		return nil, err
	}
	k.next, k.learnt = next, map[string]bool{}
	return next, nil
}

// finish puts the key that comes in the place of the other, which is gone then.
func (k *hostKeys) finish() (gossh.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.next == nil {
		return nil, errors.New("no new host key comes: make one with `hostkey rotate`")
	}
	if err := os.Rename(filepath.Join(k.folder, nextKeyFile), filepath.Join(k.folder, hostKeyFile)); err != nil {
		return nil, err
	}
	k.current, k.next = k.next, nil
	return k.current, nil
}

// knows notes that a hypervisor's agent knows the key that comes.
func (k *hostKeys) knows(hypervisor string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.learnt[hypervisor] = true
}

func (k *hostKeys) known(hypervisor string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.learnt[hypervisor]
}

// announceHostKeys tells a client which keys the server has, as OpenSSH's
// UpdateHostKeys wants it: once on a connection, and before its first session,
// so that it is heard before anything ends.
func (s *Server) announceHostKeys(conn gossh.Conn) {
	var blobs [][]byte
	for _, key := range s.keys.all() {
		blobs = append(blobs, key.PublicKey().Marshal())
	}
	_, _, _ = conn.SendRequest(wire.HostKeysRequest, false, wire.JoinStrings(blobs)) // who is gone needs none
}

// proveHostKeys signs for the keys that a client asks about.
func (s *Server) proveHostKeys(ctx ssh.Context, _ *ssh.Server, req *gossh.Request) (ok bool, payload []byte) {
	conn, ok := ctx.Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	blobs, err := wire.SplitStrings(req.Payload)
	if !ok || err != nil || len(blobs) == 0 {
		return false, nil
	}
	keys := s.keys.all()
	var proofs [][]byte
	for _, blob := range blobs {
		at := slices.IndexFunc(keys, func(k gossh.Signer) bool { return bytes.Equal(k.PublicKey().Marshal(), blob) })
		if at < 0 {
			return false, nil
		}
		sig, err := keys[at].Sign(nil, wire.HostKeyProof(conn.SessionID(), keys[at].PublicKey()))
		if err != nil {
			return false, nil
		}
		proofs = append(proofs, gossh.Marshal(sig))
		if at == 1 {
			s.agentKnows(ctx)
		}
	}
	return true, wire.JoinStrings(proofs)
}

// agentKnows notes that the agent of a connection has asked for the key that
// comes.
func (s *Server) agentKnows(ctx ssh.Context) {
	key, _ := ctx.Value(ssh.ContextKeyPublicKey).(ssh.PublicKey)
	if who, err := s.identities.of(newCredential(key, ctx.RemoteAddr())); err == nil && who.kind == isAgent {
		s.keys.knows(who.name)
	}
}

// HostKeys are the public host keys in authorized_keys form: the one in use,
// and the one that comes if there is one.
func (l *lab) HostKeys() []string {
	var lines []string
	for _, key := range l.s.keys.all() {
		lines = append(lines, strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key.PublicKey()))))
	}
	return lines
}

// RotateHostKey makes a new host key beside the one in use, and tells the
// agents that are connected.
func (l *lab) RotateHostKey(context.Context) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	next, err := l.s.keys.begin()
	if err != nil {
		return err
	}
	l.did("host key made", "fingerprint", gossh.FingerprintSHA256(next.PublicKey()))
	for name := range l.State().Hypervisors {
		if conn := l.s.agents.get(name); conn != nil {
			if c, ok := conn.sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn); ok {
				l.s.announceHostKeys(c)
			}
		}
	}
	return nil
}

// FinishHostKey puts the new host key in the place of the old one.
func (l *lab) FinishHostKey(context.Context) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	key, err := l.s.keys.finish()
	if err != nil {
		return err
	}
	l.s.ssh.AddHostKey(key)
	l.did("host key exchanged", "fingerprint", gossh.FingerprintSHA256(key.PublicKey()))
	return nil
}

// HostKeyUnknownTo are the hypervisors whose agents are not known to have
// learnt the host key that comes.
func (l *lab) HostKeyUnknownTo() []string {
	var names []string
	for _, name := range model.Names(l.State().Agents) {
		if !l.s.keys.known(name) {
			names = append(names, name)
		}
	}
	return names
}
