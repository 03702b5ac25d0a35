package server

import (
	"context"
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
	fingerprint string
	expires     time.Time // of an invite
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

// identities knows every key of the state.
type identities struct {
	store *store.Store
	index atomic.Pointer[identityIndex]
}

type identityIndex struct {
	state *model.State // that it was made from
	by    map[string]identity
}

// of tells who a key is, as of now. A certificate is nobody: its fingerprint
// is not the key's.
func (i *identities) of(key gossh.PublicKey) (identity, bool) {
	if key == nil {
		return identity{}, false
	}
	return i.fingerprint(gossh.FingerprintSHA256(key))
}

func (i *identities) fingerprint(fp string) (identity, bool) {
	state := i.store.State()
	index := i.index.Load()
	if index == nil || index.state != state {
		index = &identityIndex{state, indexKeys(state)}
		i.index.Store(index)
	}
	who, ok := index.by[fp]
	if ok && who.kind == isInvite && !time.Now().Before(who.expires) {
		return identity{}, false
	}
	return who, ok
}

func indexKeys(state *model.State) map[string]identity {
	by := map[string]identity{}
	for name, inv := range state.Invites {
		by[inv.Fingerprint] = identity{isInvite, name, inv.Fingerprint, inv.Expires}
	}
	for name, a := range state.Agents {
		by[a.Fingerprint] = identity{kind: isAgent, name: name, fingerprint: a.Fingerprint}
	}
	for name, u := range state.Users {
		for _, k := range u.Keys {
			by[k.Fingerprint] = identity{kind: isUser, name: name, fingerprint: k.Fingerprint}
		}
	}
	return by
}

// watchIdentities closes the connections of keys that are no longer what they
// were when they connected: a user or an agent that was removed is out at
// once. An invite that was used goes on until its connection has its answer.
func (s *Server) watchIdentities(ctx context.Context) {
	w := s.store.Hub().Watch()
	defer w.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.C():
		}
		for ref := range w.Take() {
			if ref.Kind == model.KindUser || ref.Kind == model.KindAgent {
				s.live.closeUnknown(s.identities, s.log)
				break
			}
		}
	}
}
