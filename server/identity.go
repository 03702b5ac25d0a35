package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/model/store"
)

// identityKind is what a key is for.
type identityKind int

const (
	isUser identityKind = iota + 1
	isAgent
	isInvite
)

// identity is who a key is: a user by name, or the agent or the invite of a
// hypervisor by its name.
type identity struct {
	kind        identityKind
	name        string
	fingerprint string // of the key; of a certificate that of the key which is certified
	key         string // name of the key, of a user's
	from        []string
	expires     time.Time // from then on it is nobody; zero is never
	restrict    bool      // no terminal
}

func (i identity) String() string {
	switch i.kind {
	case isUser:
		return i.name
	case isAgent:
		return "agent " + i.name
	case isInvite:
		return "invite of " + i.name
	}
	return "nobody"
}

// credential is a key that somebody offers or has proved to have, and where it
// comes from.
type credential struct {
	key  gossh.PublicKey // a certificate too
	addr netip.Addr
}

func newCredential(key gossh.PublicKey, from net.Addr) credential {
	c := credential{key: key}
	if tcp, ok := from.(*net.TCPAddr); ok {
		c.addr = tcp.AddrPort().Addr().Unmap()
	}
	return c
}

// identities knows every key of the state.
type identities struct {
	store *store.Store
	index atomic.Pointer[identityIndex]
}

type identityIndex struct {
	state *model.State // that it was made from
	by    map[string]identity
	cas   map[string]bool // fingerprints of the authorities
}

var errUnknownKey = errors.New("unknown key")

// of tells who a credential is, as of now, or why it is nobody. It does not
// check a certificate's signature: see [identities.admits].
func (i *identities) of(c credential) (identity, error) {
	if c.key == nil {
		return identity{}, errUnknownKey
	}
	who, err := i.byKey(c)
	switch {
	case err != nil:
		return identity{}, err
	case !who.expires.IsZero() && !time.Now().Before(who.expires):
		return identity{}, fmt.Errorf("the key of %s has expired", who)
	case len(who.from) > 0 && !model.AddressIn(who.from, c.addr):
		return identity{}, fmt.Errorf("the key of %s may not be used from this address", who)
	}
	return who, nil
}

func (i *identities) byKey(c credential) (identity, error) {
	index := i.current()
	if cert, ok := c.key.(*gossh.Certificate); ok {
		return index.certified(cert)
	}
	who, ok := index.by[gossh.FingerprintSHA256(c.key)]
	if !ok {
		return identity{}, errUnknownKey
	}
	return who, nil
}

// known tells whose key has a fingerprint, whatever its options.
func (i *identities) known(fingerprint string) (identity, bool) {
	who, ok := i.current().by[fingerprint]
	return who, ok
}

func (i *identities) current() *identityIndex {
	state := i.store.State()
	index := i.index.Load()
	if index == nil || index.state != state {
		index = indexKeys(state)
		i.index.Store(index)
	}
	return index
}

func indexKeys(state *model.State) *identityIndex {
	index := &identityIndex{state: state, by: map[string]identity{}, cas: map[string]bool{}}
	for name, inv := range state.Invites {
		index.by[inv.Fingerprint] = identity{kind: isInvite, name: name, fingerprint: inv.Fingerprint, expires: inv.Expires}
	}
	for name, a := range state.Agents {
		index.by[a.Fingerprint] = identity{kind: isAgent, name: name, fingerprint: a.Fingerprint}
	}
	for name, u := range state.Users {
		for _, k := range u.Keys {
			index.by[k.Fingerprint] = identity{isUser, name, k.Fingerprint, k.Name, k.From, k.Expires, k.Restrict}
		}
	}
	for _, line := range state.Settings.UserCA {
		if _, fingerprint, _, err := model.ParseKey(line); err == nil {
			index.cas[fingerprint] = true
		}
	}
	return index
}

// watchIdentities closes the connections of those who may not connect any
// more: a key, a user or an agent that was removed is out at once, and so is
// what expires.
func (s *Server) watchIdentities(ctx context.Context) {
	w := s.store.Hub().Watch()
	defer w.Close()
	expiry := time.NewTimer(time.Hour)
	defer expiry.Stop()
	for {
		next := s.live.closeUnknown(s.identities, s.putOut)
		wait := time.Hour
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), 0)+time.Millisecond)
		}
		expiry.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-expiry.C:
		case <-s.live.entered: // it may expire before the others do
		case <-w.C():
			w.Take()
		}
	}
}

// putOut is told whose connection was closed, and why.
func (s *Server) putOut(who identity, address string, why error) {
	s.log.Info("closed: it may not connect any more", "who", who.String(), "address", address, "why", why)
	s.audit.note(model.Audited{Kind: model.AuditLeft, Who: who.String(), Address: address, Key: who.fingerprint, What: "put out: " + why.Error()})
}
