package server

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/model"
	"homelab/model/store"
)

// firstAdmin makes the first user of a new lab from files of public keys; nil
// is the starting user's own. It does nothing where there is a user.
func firstAdmin(st *store.Store, files []string, out io.Writer) error {
	if len(st.State().Users) > 0 {
		return nil
	}
	keys, err := adminKeys(files)
	if err != nil {
		return err
	}
	name := adminName(keys)
	if _, err := st.Commit("homelab", "first start", model.Add(model.User{Name: name, Role: model.RoleAdmin, Keys: keys})); err != nil {
		return err
	}
	for _, k := range keys {
		fmt.Fprintf(out, "%s (%s) may connect as admin %s\n", k.Fingerprint, k.Name, name)
	}
	return nil
}

// adminKeys reads the first admin's keys: at least one.
func adminKeys(files []string) ([]model.Key, error) {
	named := files != nil
	if !named {
		files = ownKeys()
	}
	var keys []model.Key
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			if named {
				return nil, fmt.Errorf("read the first admin's keys: %w", err)
			}
			continue
		}
		keys = appendNew(keys, readKeys(text))
	}
	if len(keys) == 0 {
		return nil, noKey(named, files)
	}
	return keys, nil
}

func noKey(named bool, files []string) error {
	if named {
		return fmt.Errorf("there is no public key without options in %s, so nobody could connect: make one with `ssh-keygen -t ed25519` and name its .pub file with --authorized-keys", strings.Join(files, ", "))
	}
	return errors.New("this user has no public key, so nobody could connect: make one with `ssh-keygen -t ed25519`, or name a file of public keys with --authorized-keys")
}

// ownKeys are the files that hold the starting user's public keys.
func ownKeys() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
	return append([]string{filepath.Join(home, ".ssh", "authorized_keys")}, files...)
}

// readKeys reads lines of authorized_keys. A line with options is skipped: they
// restrict what its key may do, which an admin's key is not. So is a malformed
// one, alone.
func readKeys(text []byte) []model.Key {
	var keys []model.Key
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, comment, options, _, err := gossh.ParseAuthorizedKey(line)
		if err != nil || len(options) > 0 {
			continue
		}
		if _, cert := key.(*gossh.Certificate); cert {
			continue
		}
		keys = append(keys, newKey(key, comment))
	}
	return keys
}

// newKey is a public key as the model keeps it.
func newKey(key gossh.PublicKey, comment string) model.Key {
	fp := gossh.FingerprintSHA256(key)
	if comment = strings.TrimSpace(comment); comment == "" {
		comment = fp[:min(len(fp), 15)]
	}
	return model.Key{
		Name: comment, Fingerprint: fp, Added: time.Now().UTC(),
		PublicKey: strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key))),
	}
}

// appendNew appends the keys that are not there yet, each with a name of its
// own.
func appendNew(keys, more []model.Key) []model.Key {
next:
	for _, k := range more {
		for _, have := range keys {
			if have.Fingerprint == k.Fingerprint {
				continue next
			}
			if have.Name == k.Name {
				k.Name = k.Name + " " + k.Fingerprint[:min(len(k.Fingerprint), 15)]
			}
		}
		keys = append(keys, k)
	}
	return keys
}

// service is the user that a server has of its own where it is installed.
const service = "homelab"

// adminName is the name in the first comment of a key that is like NAME@HOST,
// as ssh-keygen writes it, else that of the starting user, if it is a person's.
func adminName(keys []model.Key) string {
	for _, k := range keys {
		if name, _, ok := strings.Cut(k.Name, "@"); ok && label(name) != "" {
			return label(name)
		}
	}
	u, err := user.Current()
	if err != nil || u.Username == service {
		return "admin"
	}
	return cmp.Or(label(u.Username), "admin")
}

// label is as much of a name as may be in a DNS label; it may be empty.
func label(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r == '_' || r == '.':
			return '-'
		}
		return -1
	}, strings.ToLower(name))
	return strings.Trim(name[:min(len(name), 63)], "-")
}
