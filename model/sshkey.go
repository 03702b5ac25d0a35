package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// keyTypes are the public keys that the lab takes, by what they begin with.
var keyTypes = []string{
	"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
}

// minRSA is the length of the shortest RSA modulus that is taken, in bytes.
const minRSA = 256

// ParseKey reads a public key as an authorized_keys line has it, without
// options. It checks the shape only; public is "TYPE BASE64", fingerprint as
// ssh-keygen -l prints it.
func ParseKey(line string) (public, fingerprint, comment string, err error) {
	if !isText(line, 16<<10) {
		return "", "", "", errors.New("the key is not a line of text")
	}
	fields := strings.Fields(line)
	if len(fields) < 2 {
		return "", "", "", errors.New("the key is not of the form \"ssh-ed25519 AAAA… comment\"")
	}
	if !slices.Contains(keyTypes, fields[0]) {
		return "", "", "", fmt.Errorf("%q is no type of a public key that is taken here; ssh-ed25519 is best", clip(fields[0]))
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(fields[1])
	if err != nil {
		return "", "", "", errors.New("the key's second part is not whole: it must be base64 without line breaks")
	}
	if err := checkBlob(fields[0], blob); err != nil {
		return "", "", "", err
	}
	sum := sha256.Sum256(blob)
	return fields[0] + " " + fields[1], "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), strings.Join(fields[2:], " "), nil
}

// checkBlob checks that a key's blob is of the type that is written before it
// and consists of whole strings, at least one of them beside the type.
func checkBlob(kind string, blob []byte) error {
	broken := fmt.Errorf("the key is not a whole %s key", kind)
	count := 0
	for ; len(blob) > 0; count++ {
		if len(blob) < 4 {
			return broken
		}
		n := binary.BigEndian.Uint32(blob)
		if uint64(n) > uint64(len(blob)-4) {
			return broken
		}
		part := blob[4 : 4+n]
		if count == 0 && string(part) != kind {
			return fmt.Errorf("the key says %s and is another type", kind)
		}
		if count == 1 && kind == "ssh-ed25519" && len(part) != 32 {
			return broken
		}
		if count == 2 && kind == "ssh-rsa" && len(bytes.TrimLeft(part, "\x00")) < minRSA {
			return fmt.Errorf("the key is an RSA key of less than %d bits, which is not taken; ssh-ed25519 is best", minRSA*8)
		}
		blob = blob[4+n:]
	}
	if count < 2 {
		return broken
	}
	return nil
}
