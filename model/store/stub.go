// Package store keeps the lab in one bbolt file.
package store

import (
	"errors"
	"io"

	"homelab/model"
)

var errStub = errors.New("being written")

type Store struct{ hub model.Hub }

func Open(path string) (*Store, error)    { return nil, errStub }
func (s *Store) Close() error             { return nil }
func (s *Store) State() *model.State      { return model.NewState() }
func (s *Store) Hub() *model.Hub          { return &s.hub }
func (s *Store) Commit(who, via string, edit model.Edit) (model.Revision, error) {
	return model.Revision{}, errStub
}
func (s *Store) Preview(edit model.Edit) ([]model.Impact, error) { return nil, errStub }
func (s *Store) Undo(who, via string, n uint64) (model.Revision, error) {
	return model.Revision{}, errStub
}
func (s *Store) Revisions(before uint64, limit int) ([]model.Revision, error) { return nil, errStub }
func (s *Store) NewRun(run model.Run, placements []model.Placement) (model.Run, error) {
	return model.Run{}, errStub
}
func (s *Store) EndRun(id uint64, state model.RunState, errText string) error { return errStub }
func (s *Store) ActiveRuns() map[uint64]model.Run                             { return nil }
func (s *Store) Run(id uint64) (model.Run, error)                             { return model.Run{}, errStub }
func (s *Store) Runs(hypervisor string) ([]model.Run, error)                  { return nil, errStub }
func (s *Store) Log(run, after uint64, limit int) ([]model.Record, error)     { return nil, errStub }
func (s *Store) Spool(hypervisor string) (spool string, acked uint64)         { return "", 0 }
func (s *Store) Ingest(hypervisor, spool string, records []model.Record) (ack uint64, err error) {
	return 0, errStub
}
func (s *Store) Disks(hypervisor string) []model.Disk                        { return nil }
func (s *Store) AllDisks() map[string][]model.Disk                           { return nil }
func (s *Store) SetDisks(hypervisor string, disks []model.Disk) error        { return errStub }
func (s *Store) Applied(hypervisor string) (model.Applied, bool)             { return model.Applied{}, false }
func (s *Store) Backup(w io.Writer) error                                    { return errStub }
