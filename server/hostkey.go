package server

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/google/renameio/v2"
	gossh "golang.org/x/crypto/ssh"
)

const hostKeyFile = "host_ed25519"

// hostKeyFiles matches the files of host keys: copies of the store carry them.
const hostKeyFiles = "host_*"

// closeKey closes a private key that others can read to them, and says so.
func closeKey(path string, log *slog.Logger) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil // hostKey says what is wrong with it
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("the host key can be read by others: %w", err)
	}
	log.Warn("others could read the host key until now: if somebody may have, remove it to get a new one", "file", path, "mode", info.Mode().Perm().String())
	return nil
}

// hostKey reads the server's key, or makes it, once: clients pin it.
func hostKey(path string) (gossh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = newHostKey(path)
	}
	if err != nil {
		return nil, err
	}
	signer, err := gossh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a private key: restore it from a backup, or remove it to get a new one that every client must accept: %w", path, err)
	}
	if signer.PublicKey().Type() != gossh.KeyAlgoED25519 {
		return nil, fmt.Errorf("%s is a key of type %s: the host key is an ed25519 key", path, signer.PublicKey().Type())
	}
	return signer, nil
}

func newHostKey(path string) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	block, err := gossh.MarshalPrivateKey(private, "homelab host key")
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	return text, renameio.WriteFile(path, text, 0o600)
}
