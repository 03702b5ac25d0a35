package store

import (
	"encoding/json"

	"go.etcd.io/bbolt"

	"homelab/model"
)

var keyTold = []byte("told")

// Told are the troubles that people were told of, and of whose end they were
// not.
func (s *Store) Told() ([]model.Trouble, error) {
	var all []model.Trouble
	err := s.db.View(func(tx *bbolt.Tx) error {
		if data := tx.Bucket(bucketMeta).Get(keyTold); data != nil {
			return json.Unmarshal(data, &all)
		}
		return nil
	})
	return all, err
}

// SetTold keeps them.
func (s *Store) SetTold(all []model.Trouble) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return putJSON(tx.Bucket(bucketMeta), keyTold, all) })
}
