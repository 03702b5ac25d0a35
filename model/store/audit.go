package store

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// bucketAudit holds the audit. Its sub-buckets are rings of their own, so that
// strangers never push out what people and agents did.
var (
	bucketAudit    = []byte("audit")
	auditKnown     = []byte("known")
	auditStrangers = []byte("strangers")
)

// What is kept of the audit, about 200 bytes an entry.
const (
	keptKnown     = 20_000
	keptStrangers = 2_000
)

func auditRing(e model.Audited) (name []byte, kept int) {
	if e.Kind == model.AuditRefused {
		return auditStrangers, keptStrangers
	}
	return auditKnown, keptKnown
}

// WriteAudit writes entries in one transaction. Those without a number are new
// and get one; the others replace what they were under a new one, so that what
// was done last is the newest.
func (s *Store) WriteAudit(entries []*model.Audited) error {
	if len(entries) == 0 {
		return nil
	}
	numbers := make([]uint64, len(entries))
	err := s.db.Update(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketAudit)
		for i, e := range entries {
			name, kept := auditRing(*e)
			b, err := root.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			if numbers[i] = e.Number; e.Number == 0 {
				if numbers[i], err = addAudit(root, b, kept); err != nil {
					return err
				}
			} else if b.Get(key(e.Number)) == nil {
				continue // it has left the ring meanwhile
			} else {
				if err := b.Delete(key(e.Number)); err != nil {
					return err
				}
				if numbers[i], err = root.NextSequence(); err != nil {
					return err
				}
			}
			written := *e
			written.Number = numbers[i]
			if err := putJSON(b, key(written.Number), written); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the audit: %w", err)
	}
	for i, e := range entries {
		e.Number = numbers[i]
	}
	s.hub.Publish(model.Ref{Kind: model.KindAudit, Name: string(model.KindAudit)})
	return nil
}

// addAudit numbers a new entry and makes room for it. A ring's own sequence
// counts its entries.
func addAudit(root, ring *bbolt.Bucket, kept int) (uint64, error) {
	ring.FillPercent = 0.9 // numbers only grow
	n, err := root.NextSequence()
	if err != nil {
		return 0, err
	}
	if count := ring.Sequence(); count < uint64(kept) {
		return n, ring.SetSequence(count + 1)
	}
	first, _ := ring.Cursor().First()
	return n, ring.Delete(first)
}

// Audit returns up to limit entries, newest first, that are older than before;
// 0 begins with the newest.
func (s *Store) Audit(before uint64, limit int) ([]model.Audited, error) {
	entries := []model.Audited{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		var rings []*auditReader
		for _, name := range [][]byte{auditKnown, auditStrangers} {
			if b := tx.Bucket(bucketAudit).Bucket(name); b != nil {
				rings = append(rings, newAuditReader(b.Cursor(), before))
			}
		}
		for len(entries) < limit {
			var next *auditReader
			for _, r := range rings {
				if r.k != nil && (next == nil || number(r.k) > number(next.k)) {
					next = r
				}
			}
			if next == nil {
				return nil
			}
			var e model.Audited
			if err := json.Unmarshal(next.v, &e); err != nil {
				return fmt.Errorf("audit entry %d: %w", number(next.k), err)
			}
			entries = append(entries, e)
			next.k, next.v = next.c.Prev()
		}
		return nil
	})
	return entries, err
}

// auditReader goes through a ring from new to old.
type auditReader struct {
	c    *bbolt.Cursor
	k, v []byte
}

func newAuditReader(c *bbolt.Cursor, before uint64) *auditReader {
	r := &auditReader{c: c}
	r.k, r.v = c.Last()
	if before > 0 {
		if r.k, r.v = c.Seek(key(before)); r.k == nil {
			r.k, r.v = c.Last()
		}
		for r.k != nil && number(r.k) >= before {
			r.k, r.v = c.Prev()
		}
	}
	return r
}
