package salt

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// KeyPair is a minion's, as Salt keeps it: PKCS #1 in minion.pem, PKIX in
// minion.pub. The private half is a secret.
type KeyPair struct {
	Private string
	Public  string
}

// GenerateKey makes a key pair. It takes a second or more.
func GenerateKey() (KeyPair, error) { return generateKey(4096) }

func generateKey(bits int) (KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return KeyPair{}, fmt.Errorf("cannot make a minion's key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return KeyPair{}, fmt.Errorf("cannot write a minion's key: %w", err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return KeyPair{
		Private: encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		Public:  strings.TrimSpace(encode("PUBLIC KEY", public)), // Salt's has no last line end, and some releases compare it
	}, nil
}

// Fingerprint is the fingerprint of a public key as salt-key -f prints it: the
// SHA-256 of the lines between PEM's first and last, line ends included.
func Fingerprint(public string) (string, error) {
	block, rest := pem.Decode([]byte(public))
	if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return "", errors.New("not one public key in PEM")
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return "", fmt.Errorf("not a public key: %w", err)
	} else if _, ok := key.(*rsa.PublicKey); !ok {
		return "", errors.New("not an RSA key")
	}
	// As Salt's own, whose lines are 64 wide as Go's are.
	lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes}))), "\n")
	sum := sha256.Sum256([]byte(strings.Join(lines[1:len(lines)-1], "\n") + "\n"))
	return strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":"), nil
}
