package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// RecoverAdmin lets whoever has the machine in again: each public key of a file
// becomes an admin's. The user that has it already becomes an admin and the key
// loses its options; the others become keys of a new admin. It works on the
// data folder of a server that does not run, and is a revision like any other.
func RecoverAdmin(data, file string, out io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the key of the admin: %w", err)
	}
	keys := appendNew(nil, readKeys(text))
	if len(keys) == 0 {
		return fmt.Errorf("there is no public key without options in %s: it looks like: ssh-ed25519 AAAAC3Nz… name", file)
	}
	db := filepath.Join(data, "homelab.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no server's data in %s: name its folder with --data", data)
	}
	st, err := store.Open(db)
	if err != nil {
		return err
	}
	return errors.Join(recoverAdmin(st, keys, out), st.Close())
}

func recoverAdmin(st *store.Store, keys []model.Key, out io.Writer) error {
	rev, err := st.Commit("homelab", "serve --recover-admin", func(s *model.State) error {
		var fresh []model.Key
		for _, k := range keys {
			if !promote(s, k) {
				fresh = append(fresh, k)
			}
		}
		if len(fresh) > 0 {
			name := freeUser(s, "recovered")
			s.Users[name] = model.User{Name: name, Role: model.RoleAdmin, Keys: fresh}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keys {
		for _, name := range model.Names(st.State().Users) {
			if !slices.ContainsFunc(st.State().Users[name].Keys, func(o model.Key) bool { return o.Fingerprint == k.Fingerprint }) {
				continue
			}
			if rev.Number == 0 {
				fmt.Fprintf(out, "%s is a key of the admin %s already; nothing changed\n", k.Fingerprint, name)
				continue
			}
			fmt.Fprintf(out, "revision %d: %s (%s) may connect as admin %s: start the server again\n", rev.Number, k.Fingerprint, k.Name, name)
			now := time.Now().UTC()
			if err := st.WriteAudit([]*model.Audited{{Time: now, Last: now, Count: 1, Kind: model.AuditDid, Who: "homelab", Key: k.Fingerprint, What: "recovered the admin " + name + " on the machine itself"}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// promote makes the user that has a key an admin, and frees the key of options.
func promote(s *model.State, key model.Key) bool {
	for name, u := range s.Users {
		at := slices.IndexFunc(u.Keys, func(k model.Key) bool { return k.Fingerprint == key.Fingerprint })
		if at < 0 {
			continue
		}
		u.Role, u.Keys = model.RoleAdmin, slices.Clone(u.Keys)
		u.Keys[at].From, u.Keys[at].Expires, u.Keys[at].Restrict = nil, time.Time{}, false
		s.Users[name] = u
		return true
	}
	return false
}

// freeUser is a name that no user has yet.
func freeUser(s *model.State, name string) string {
	for n := 2; ; n++ {
		if _, taken := s.Users[name]; !taken {
			return name
		}
		name = "recovered-" + strconv.Itoa(n)
	}
}
