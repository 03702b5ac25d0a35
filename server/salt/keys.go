package salt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Keys are the minion IDs whose keys a master has, sorted. An ID can be
// accepted or pending and denied at once: denied is a second key that came
// with it. IDs are as minions chose them, quoted where they could not be shown;
// CheckID says which can be acted on.
type Keys struct {
	Accepted []string `json:"minions"`
	Pending  []string `json:"minions_pre"`
	Rejected []string `json:"minions_rejected"`
	Denied   []string `json:"minions_denied"`
}

// Has tells whether a key of any kind has come with id.
func (k Keys) Has(id string) bool {
	return slices.Contains(k.Accepted, id) || slices.Contains(k.Pending, id) || slices.Contains(k.Rejected, id) || slices.Contains(k.Denied, id)
}

func (k Keys) equal(o Keys) bool {
	return slices.Equal(k.Accepted, o.Accepted) && slices.Equal(k.Pending, o.Pending) &&
		slices.Equal(k.Rejected, o.Rejected) && slices.Equal(k.Denied, o.Denied)
}

// Keys lists the keys. It works while the master is down.
func (m Master) Keys(ctx context.Context) (Keys, error) {
	words := []string{"salt-key", "-L", "--out=json"}
	a, err := m.run(ctx, "", words...)
	if err != nil {
		return Keys{}, err
	}
	var keys struct {
		Keys
		Minions *[]string `json:"minions"` // there even when empty
	}
	if err := m.one(a, &keys, words...); err != nil {
		return Keys{}, err
	}
	if keys.Minions == nil {
		return Keys{}, m.failed(words, "its answer does not list keys")
	}
	keys.Accepted = *keys.Minions
	for _, ids := range []*[]string{&keys.Accepted, &keys.Pending, &keys.Rejected, &keys.Denied} {
		for i, id := range *ids {
			(*ids)[i] = shownID(id)
		}
		slices.Sort(*ids)
	}
	return keys.Keys, nil
}

// Fingerprints are those of the keys that came with one ID, empty where there
// is none.
type Fingerprints struct {
	Accepted, Pending, Rejected, Denied string
}

// Fingerprints asks for those of one ID.
func (m Master) Fingerprints(ctx context.Context, id string) (Fingerprints, error) {
	if err := CheckID(id); err != nil {
		return Fingerprints{}, err
	}
	words := []string{"salt-key", "-f", id, "--out=json"}
	a, err := m.run(ctx, "", words...)
	if err != nil {
		return Fingerprints{}, err
	}
	objects, trouble, _ := documents(a.stdout)
	if len(objects) == 0 && trouble == "" {
		if a.exit != 0 {
			return Fingerprints{}, m.failed(words, said(a))
		}
		return Fingerprints{}, nil // prose: there is no such key
	}
	var found map[string]map[string]string
	if err := m.one(a, &found, words...); err != nil {
		return Fingerprints{}, err
	}
	return Fingerprints{
		Accepted: found["minions"][id], Pending: found["minions_pre"][id],
		Rejected: found["minions_rejected"][id], Denied: found["minions_denied"][id],
	}, nil
}

// ErrFingerprint is of a key that is not the one that was expected.
var ErrFingerprint = errors.New("its fingerprint is another")

// Accept accepts the pending key of exactly that ID if it has that
// fingerprint, and sees that it is accepted. It is no error if it is already.
func (m Master) Accept(ctx context.Context, id, fingerprint string) error {
	found, err := m.Fingerprints(ctx, id)
	if err != nil {
		return err
	}
	if sameFingerprint(found.Accepted, fingerprint) {
		return nil
	}
	if found.Pending == "" {
		return fmt.Errorf("salt master %s: no key of %s is pending", m.Name, id)
	}
	if !sameFingerprint(found.Pending, fingerprint) {
		return fmt.Errorf("salt master %s: the pending key of %s was not accepted: %w (%s)", m.Name, id, ErrFingerprint, found.Pending)
	}
	a, err := m.run(ctx, "", "salt-key", "-y", "-a", id, "--out=json")
	if err != nil {
		return err
	}
	if found, err = m.Fingerprints(ctx, id); err != nil {
		return err
	}
	if !sameFingerprint(found.Accepted, fingerprint) {
		return m.failed([]string{"salt-key", "-a"}, "the key is not accepted: "+said(a))
	}
	return nil
}

func sameFingerprint(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// Delete deletes all keys that came with exactly that ID, and sees that they
// are gone. It is no error if there is none. A minion that runs comes back as
// pending: its machine goes first.
func (m Master) Delete(ctx context.Context, id string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	keys, err := m.Keys(ctx)
	if err != nil || !keys.Has(id) {
		return err
	}
	a, err := m.run(ctx, "", "salt-key", "-y", "-d", id, "--out=json")
	if err != nil {
		return err
	}
	if keys, err = m.Keys(ctx); err != nil {
		return err
	}
	if keys.Has(id) {
		return m.failed([]string{"salt-key", "-d"}, "the key of "+id+" is still there: "+said(a))
	}
	return nil
}

// PreSeed puts the public half of a minion's key where the master looks for
// accepted ones, so that its first contact is accepted, and sees that it is
// taken as that. A pending key of the ID makes way. It is no error if the key
// is there already; an accepted one that is another, or a rejected one, stays.
func (m Master) PreSeed(ctx context.Context, id, public string) error {
	want, err := Fingerprint(public)
	if err != nil {
		return fmt.Errorf("the key of minion %s: %w", id, err)
	}
	found, err := m.Fingerprints(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case found.Rejected != "":
		return fmt.Errorf("salt master %s: a key of %s was rejected there: delete it with: salt-key -d %s", m.Name, id, id)
	case sameFingerprint(found.Accepted, want):
		return nil
	case found.Accepted != "":
		return fmt.Errorf("salt master %s: another key of %s is accepted there: %w (%s); delete it with: salt-key -d %s", m.Name, id, ErrFingerprint, found.Accepted, id)
	case sameFingerprint(found.Pending, want):
		return m.Accept(ctx, id, want)
	case found.Pending != "":
		if err := m.Delete(ctx, id); err != nil {
			return err
		}
	}
	return m.seed(ctx, id, public, want)
}

func (m Master) seed(ctx context.Context, id, public, want string) error {
	file := m.pki() + "/minions/" + id
	if !legalPath.MatchString(m.pki()) {
		return fmt.Errorf("salt master %s: its folder of keys %q is not an absolute path of plain names", m.Name, m.pki())
	}
	a, err := m.run(ctx, strings.TrimSpace(public), "tee", file)
	if err != nil {
		return err
	}
	if a.exit != 0 {
		return m.failed([]string{"tee", file}, said(a))
	}
	found, err := m.Fingerprints(ctx, id)
	if err == nil && !sameFingerprint(found.Accepted, want) {
		err = m.failed([]string{"tee", file}, "salt-key does not list the key that was written: is the master's pki_dir another?")
	}
	return err
}
