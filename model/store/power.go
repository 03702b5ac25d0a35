package store

import (
	"encoding/json"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// bucketPower holds how far orders about power have come: hypervisor →
// PowerRecord.
var bucketPower = []byte("power")

// Power is what is kept of a machine's power.
func (s *Store) Power(hypervisor string) (model.PowerRecord, error) {
	var r model.PowerRecord
	err := s.view(func(tx *bbolt.Tx) error {
		data := tx.Bucket(bucketPower).Get([]byte(hypervisor))
		if data == nil {
			return nil
		}
		return json.Unmarshal(data, &r)
	})
	return r, err
}

// SetPower keeps it.
func (s *Store) SetPower(hypervisor string, r model.PowerRecord) error {
	return s.write(func(tx *bbolt.Tx) error {
		return putJSON(tx.Bucket(bucketPower), []byte(hypervisor), r)
	})
}
