package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// inviteTime is how long an invite can be used.
const inviteTime = time.Hour

// Invite makes the token that lets an agent join as that hypervisor. A newer
// invite replaces an older one. Only the public half of the login key is kept.
func (l *lab) Invite(_ context.Context, via, hypervisor, address string) (string, time.Time, error) {
	none := time.Time{}
	if err := l.may(model.RoleAdmin); err != nil {
		return "", none, err
	}
	if address == "" {
		address = l.address
	} else if err := checkAddress(hypervisor, address); err != nil {
		return "", none, err
	}
	token := wire.Token{Address: address, Fingerprint: gossh.FingerprintSHA256(l.s.HostKey()), Seed: make([]byte, ed25519.SeedSize)}
	_, _ = rand.Read(token.Seed) // never fails: crypto/rand's contract
	login, err := gossh.NewPublicKey(token.Key().Public())
	if err != nil {
		return "", none, err
	}
	invite := model.Invite{Hypervisor: hypervisor, Fingerprint: gossh.FingerprintSHA256(login), Expires: time.Now().Add(inviteTime).UTC().Truncate(time.Second)}
	_, err = l.s.store.Commit(l.User().Name, via, func(s *model.State) error {
		if _, ok := s.Hypervisors[hypervisor]; !ok {
			return notFound(model.KindHypervisor, hypervisor)
		}
		s.Invites[hypervisor] = invite
		return nil
	})
	return token.String(), invite.Expires, err
}

// checkAddress refuses an address that an agent could not be sent to.
func checkAddress(hypervisor, address string) error {
	_, port, err := net.SplitHostPort(address)
	if _, _, bad := model.SplitAddress(address, ""); err != nil || bad != nil || port == "" {
		return &model.FieldError{
			Ref: model.Ref{Kind: model.KindInvite, Name: hypervisor}, Field: "address", Value: address,
			Rule: "must be HOST:PORT, such as homelab.lan:2222",
		}
	}
	return nil
}

// Revoke unbinds a hypervisor's agent, and takes back an invite that was not
// used. The agent's connection is closed as the commit is seen.
func (l *lab) Revoke(_ context.Context, via, hypervisor string) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	_, err := l.s.store.Commit(l.User().Name, via, func(s *model.State) error {
		_, agent := s.Agents[hypervisor]
		_, invite := s.Invites[hypervisor]
		if !agent && !invite {
			return fmt.Errorf("no agent has joined as %q and none is invited", hypervisor)
		}
		delete(s.Agents, hypervisor)
		delete(s.Invites, hypervisor)
		return nil
	})
	return err
}
