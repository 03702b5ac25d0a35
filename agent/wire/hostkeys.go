package wire

import (
	"errors"

	"golang.org/x/crypto/ssh"
)

// OpenSSH's requests by which a client learns the keys that its server has
// beside the one that it knows already: PROTOCOL, section 2.5.
const (
	HostKeysRequest      = "hostkeys-00@openssh.com"
	ProveHostKeysRequest = "hostkeys-prove-00@openssh.com"
)

// maxHostKeys is how many keys one request may name.
const maxHostKeys = 16

// HostKeyProof is what a server signs with a key to prove that it has it.
func HostKeyProof(session []byte, key ssh.PublicKey) []byte {
	return ssh.Marshal(struct {
		Request      string
		Session, Key []byte
	}{ProveHostKeysRequest, session, key.Marshal()})
}

// JoinStrings makes the payload of the requests and of the answer.
func JoinStrings(parts [][]byte) []byte {
	var payload []byte
	for _, part := range parts {
		payload = append(payload, ssh.Marshal(struct{ Part []byte }{part})...)
	}
	return payload
}

// SplitStrings reads such a payload.
func SplitStrings(payload []byte) ([][]byte, error) {
	var parts [][]byte
	for len(payload) > 0 {
		var next struct {
			Part []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(payload, &next); err != nil || len(parts) == maxHostKeys {
			return nil, errors.New("a list of host keys is malformed")
		}
		parts, payload = append(parts, next.Part), next.Rest
	}
	return parts, nil
}
