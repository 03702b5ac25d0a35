package server

import (
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// The server proves the keys that it has, to whoever is known, and no others.
func TestHostKeysAreProved(t *testing.T) {
	l := startLab(t)
	if err := l.admin().RotateHostKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.admin().RotateHostKey(t.Context()); err == nil {
		t.Error("a second new key is made")
	}
	c := l.dial(l.key)
	keys := l.srv.keys.all()
	blob := func(k gossh.Signer) []byte { return k.PublicKey().Marshal() }
	ok, reply, err := c.SendRequest(wire.ProveHostKeysRequest, true, wire.JoinStrings([][]byte{blob(keys[1]), blob(keys[0])}))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	proofs, err := wire.SplitStrings(reply)
	if err != nil || len(proofs) != 2 {
		t.Fatal(proofs, err)
	}
	for i, key := range []gossh.Signer{keys[1], keys[0]} {
		var sig gossh.Signature
		if err := gossh.Unmarshal(proofs[i], &sig); err != nil {
			t.Fatal(err)
		}
		if err := key.PublicKey().Verify(wire.HostKeyProof(c.SessionID(), key.PublicKey()), &sig); err != nil {
			t.Error(err)
		}
	}
	for name, payload := range map[string][]byte{
		"a stranger's": wire.JoinStrings([][]byte{blob(newKeyPair(t))}),
		"none":         nil,
		"nonsense":     {1, 2, 3},
		"many":         wire.JoinStrings(make([][]byte, 1000)),
	} {
		if ok, _, err := c.SendRequest(wire.ProveHostKeysRequest, true, payload); ok || err != nil {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
	next := gossh.FingerprintSHA256(keys[1].PublicKey())
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	l.start() // it is not forgotten
	if err := l.admin().FinishHostKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := gossh.FingerprintSHA256(l.srv.HostKey()); got != next {
		t.Errorf("the key is %s, not %s", got, next)
	}
	l.dial(l.key) // which is checked against the new one
	if err := l.admin().FinishHostKey(t.Context()); err == nil {
		t.Error("it is finished twice")
	}
}
