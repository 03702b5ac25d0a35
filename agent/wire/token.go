package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// tokenPrefix makes a token recognisable, by people and by secret scanners.
const tokenPrefix = "homelab-join-"

// Token is what `agent invite` prints: all that an agent needs to find the
// server, to know it before it says anything, and to be let in once.
type Token struct {
	Address     string `json:"a"` // HOST:PORT of the server
	Fingerprint string `json:"f"` // of the server's host key, "SHA256:…"
	Seed        []byte `json:"s"` // of the one-time ed25519 login key, 32 bytes
}

// String is the token's text form, safe to paste in a shell.
func (t Token) String() string {
	b, _ := json.Marshal(t) // strings and bytes: cannot fail
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Key is the one-time login key.
func (t Token) Key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(t.Seed) }

// ParseToken reads the text form; white space around it does not matter.
func ParseToken(s string) (Token, error) {
	bad := errors.New("this is not a join token: make one with `agent invite NAME` and paste the whole line")
	s, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok {
		return Token{}, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Token{}, bad
	}
	var t Token
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&t); err != nil || len(t.Seed) != ed25519.SeedSize || t.Address == "" || !strings.HasPrefix(t.Fingerprint, "SHA256:") {
		return Token{}, bad
	}
	return t, nil
}

// JoinRequest is the one line that a joining agent sends on the join subsystem.
type JoinRequest struct {
	PublicKey string `json:"public_key"` // authorized_keys form of the agent's own new key
}

// JoinReply is the server's one line: either field.
type JoinReply struct {
	Hypervisor string `json:"hypervisor,omitempty"`
	Error      string `json:"error,omitempty"`
}
