package store

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// bucketSecrets holds what is never shown: ref → bucket of field → value. It
// is no part of the state, of revisions or of an export; a backup has it.
var bucketSecrets = []byte("secrets")

// maxSecret is the size of the largest secret: a private key is one too.
const maxSecret = 64 << 10

// SetSecret keeps a secret of an object; an empty value forgets it. The
// secrets of an object go when it is removed and follow when it is renamed; an
// outlet whose driver changes loses them, lest one device be told another's.
func (s *Store) SetSecret(ref model.Ref, field, value string) error {
	if ref.Kind == "" || ref.Name == "" || field == "" {
		return fmt.Errorf("a secret needs the object and the field that it is of")
	}
	if len(value) > maxSecret {
		return fmt.Errorf("%s of %s %q is %d bytes; at most %d are kept", field, ref.Kind.Word(), ref.Name, len(value), maxSecret)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if old, _ := s.Secret(ref, field); old == value {
		return nil
	}
	if err := s.write(func(tx *bbolt.Tx) error { return putSecret(tx, ref, field, value) }); err != nil {
		return fmt.Errorf("write %s of %s %q: %w", field, ref.Kind.Word(), ref.Name, err)
	}
	s.hub.Publish(ref)
	return nil
}

func putSecret(tx *bbolt.Tx, ref model.Ref, field, value string) error {
	b, err := tx.Bucket(bucketSecrets).CreateBucketIfNotExists(secretKey(ref))
	if err != nil {
		return err
	}
	if value != "" {
		return b.Put([]byte(field), []byte(value))
	}
	if err := b.Delete([]byte(field)); err != nil {
		return err
	}
	if k, _ := b.Cursor().First(); k == nil {
		return dropSecrets(tx, ref)
	}
	return nil
}

// Secret returns a secret of an object, and whether it is set.
func (s *Store) Secret(ref model.Ref, field string) (value string, ok bool) {
	_ = s.view(func(tx *bbolt.Tx) error { // fails only once the file is closed
		if b := tx.Bucket(bucketSecrets).Bucket(secretKey(ref)); b != nil {
			v := b.Get([]byte(field))
			value, ok = string(v), v != nil
		}
		return nil
	})
	return value, ok
}

// Secrets are the names of the secrets of an object that are set, sorted.
func (s *Store) Secrets(ref model.Ref) []string {
	var fields []string
	_ = s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketSecrets).Bucket(secretKey(ref))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, _ []byte) error {
			fields = append(fields, string(k))
			return nil
		})
	})
	return fields
}

// secretKey is where the secrets of an object lie; no name holds a zero byte.
func secretKey(ref model.Ref) []byte { return []byte(string(ref.Kind) + "\x00" + ref.Name) }

func dropSecrets(tx *bbolt.Tx, ref model.Ref) error {
	b := tx.Bucket(bucketSecrets)
	if b.Bucket(secretKey(ref)) == nil {
		return nil
	}
	return b.DeleteBucket(secretKey(ref))
}

// followSecrets has secrets go, or follow, as their objects do.
func followSecrets(tx *bbolt.Tx, before, after *model.State, changes []model.ObjectChange) error {
	kept := map[model.Ref]map[string][]byte{} // of those that were renamed, where they go
	gone := after.Remade()                    // a name that another took may show no change
	for _, c := range changes {
		if c.Before == nil || c.After == nil || model.IsOther(before, after, c.Ref) {
			gone = append(gone, c.Ref)
		}
	}
	for _, ref := range gone {
		if from, ok := after.Origin(ref); ok {
			kept[ref] = secretsOf(tx, from)
		}
	}
	for _, ref := range gone {
		if err := dropSecrets(tx, ref); err != nil {
			return err
		}
	}
	for ref, fields := range kept {
		for field, value := range fields {
			if err := putSecret(tx, ref, field, string(value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func secretsOf(tx *bbolt.Tx, ref model.Ref) map[string][]byte {
	fields := map[string][]byte{}
	if b := tx.Bucket(bucketSecrets).Bucket(secretKey(ref)); b != nil {
		_ = b.ForEach(func(k, v []byte) error {
			fields[string(k)] = slices.Clone(v) // a transaction's memory moves as it writes
			return nil
		})
	}
	return fields
}
