package agent

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// trust is the host keys that the server may have: one, and while that is
// exchanged two.
type trust struct {
	mu   sync.Mutex
	keys []ssh.PublicKey
}

// has tells whether a key is the server's.
func (t *trust) has(key ssh.PublicKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.keys, func(k ssh.PublicKey) bool { return sameKey(k, key) })
}

func (t *trust) set(keys []ssh.PublicKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys = keys
}

func (t *trust) fingerprints() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, key := range t.keys {
		all = append(all, ssh.FingerprintSHA256(key))
	}
	return all
}

// first is the key that the server had last.
func (t *trust) first() ssh.PublicKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[0]
}

// differs tells whether others are trusted than these.
func (t *trust) differs(keys []ssh.PublicKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !slices.EqualFunc(t.keys, keys, sameKey)
}

func sameKey(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }

// answerRequests hears what the server asks of the whole connection, until it ends.
func (a *agent) answerRequests(client *ssh.Client, met ssh.PublicKey, reqs <-chan *ssh.Request) {
	for req := range reqs {
		if req.Type == wire.HostKeysRequest {
			if err := a.learnHostKeys(client, met, req.Payload); err != nil {
				a.log.Warn("the server's host keys are left as they are", "error", err)
			}
		}
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
}

// learnHostKeys takes over the host keys that the server says it has: those that are
// new to us it has to prove, and one of them must be that which it was met
// with. Those that it has no longer are forgotten.
func (a *agent) learnHostKeys(client *ssh.Client, met ssh.PublicKey, payload []byte) error {
	blobs, err := wire.SplitStrings(payload)
	if err != nil {
		return err
	}
	keys := []ssh.PublicKey{met}
	var fresh []ssh.PublicKey
	named := false
	for _, blob := range blobs {
		key, err := ssh.ParsePublicKey(blob)
		switch {
		case err != nil || key.Type() != ssh.KeyAlgoED25519:
			continue // of another kind than ours are
		case sameKey(key, met):
			named = true
			continue
		case !a.trust.has(key):
			fresh = append(fresh, key)
		}
		keys = append(keys, key)
	}
	if !named {
		return errors.New("the server does not name the key that it has")
	}
	if err := prove(client, fresh); err != nil {
		return err
	}
	if !a.trust.differs(keys) {
		return nil
	}
	if err := a.keepHostKeys(keys); err != nil {
		return fmt.Errorf("they could not be kept: %w", err)
	}
	a.trust.set(keys)
	for _, key := range fresh {
		a.log.Info("the server has a new host key beside the old one", "fingerprint", ssh.FingerprintSHA256(key))
	}
	return nil
}

// prove has the server prove that it has the keys.
func prove(client *ssh.Client, keys []ssh.PublicKey) error {
	if len(keys) == 0 {
		return nil
	}
	blobs := make([][]byte, len(keys))
	for i, key := range keys {
		blobs[i] = key.Marshal()
	}
	ok, reply, err := client.SendRequest(wire.ProveHostKeysRequest, true, wire.JoinStrings(blobs))
	if err != nil || !ok {
		return errors.New("the server does not prove that it has the keys which it names")
	}
	proofs, err := wire.SplitStrings(reply)
	if err != nil || len(proofs) != len(keys) {
		return errors.New("the server's proofs of its keys cannot be read")
	}
	for i, key := range keys {
		var sig ssh.Signature
		if err := ssh.Unmarshal(proofs[i], &sig); err != nil {
			return errors.New("the server's proofs of its keys cannot be read")
		}
		if err := key.Verify(wire.HostKeyProof(client.SessionID(), key), &sig); err != nil {
			return fmt.Errorf("the server has not got the key %s which it names", ssh.FingerprintSHA256(key))
		}
	}
	return nil
}

// keepHostKeys writes them to the identity, whose first is the one in use.
func (a *agent) keepHostKeys(keys []ssh.PublicKey) error {
	var id identity
	if err := a.f.load(identityFile, &id); err != nil {
		return err
	}
	id.HostKey, id.HostKeys = authorizedKey(keys[0]), nil
	for _, key := range keys[1:] {
		id.HostKeys = append(id.HostKeys, authorizedKey(key))
	}
	return a.f.save(identityFile, id)
}
