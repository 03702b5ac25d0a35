package store

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// Disks are the disks of VMs that are on a hypervisor: those that its agent
// reported last and those that it has applied since.
func (s *Store) Disks(hypervisor string) []model.Disk {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.disks[hypervisor]
}

// AllDisks is Disks of every hypervisor, by its name.
func (s *Store) AllDisks() map[string][]model.Disk {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.disks
}

// SetDisks takes in an agent's report. A disk that was applied is believed to
// be gone only when two reports in a row lack it: the first may have been
// made before the disk was.
func (s *Store) SetDisks(hypervisor string, disks []model.Disk) error {
	s.running.Lock()
	defer s.running.Unlock()
	disks = slices.DeleteFunc(slices.Clone(disks), func(d model.Disk) bool { return d.VM == "" })
	missed := map[model.Disk]bool{}
	applied, _ := s.Applied(hypervisor)
	s.mu.RLock()
	old, again := s.disks[hypervisor], s.missed[hypervisor]
	s.mu.RUnlock()
	reported, known := set(disks), set(old)
	for _, d := range disksOf(applied.Placements) {
		if known[d] && !reported[d] {
			missed[d] = true
		}
	}
	for d := range missed {
		if !again[d] {
			disks = append(disks, d)
		}
	}
	disks = sortDisks(disks)
	s.mu.Lock()
	s.missed = with(s.missed, hypervisor, missed)
	s.mu.Unlock()
	if slices.Equal(disks, old) {
		return nil
	}
	if err := s.write(func(tx *bbolt.Tx) error {
		return putJSON(tx.Bucket(bucketDisks), []byte(hypervisor), disks)
	}); err != nil {
		return err
	}
	s.mu.Lock()
	s.disks = with(s.disks, hypervisor, disks)
	s.mu.Unlock()
	s.hub.Publish(model.Ref{Kind: model.KindStatus, Name: hypervisor})
	return nil
}

func set(disks []model.Disk) map[model.Disk]bool {
	m := make(map[model.Disk]bool, len(disks))
	for _, d := range disks {
		m[d] = true
	}
	return m
}

func sortDisks(disks []model.Disk) []model.Disk {
	disks = slices.Clone(disks)
	slices.SortFunc(disks, func(a, b model.Disk) int {
		return strings.Compare(a.VM+"/"+a.Disk, b.VM+"/"+b.Disk)
	})
	return slices.Compact(disks)
}

func disksOf(placements []model.Placement) []model.Disk {
	var disks []model.Disk
	for _, p := range placements {
		if p.Root {
			disks = append(disks, model.Disk{VM: p.ID, Disk: model.DiskRoot})
		}
		if p.Extra {
			disks = append(disks, model.Disk{VM: p.ID, Disk: model.DiskExtra})
		}
	}
	return disks
}

// Applied is what a hypervisor's agent last carried out in full, and what it
// tried since; false if there was neither.
func (s *Store) Applied(hypervisor string) (model.Applied, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a, ok := s.applied[hypervisor]
	return a, ok
}

// Spool says which spool of an agent is being taken in, and up to which
// record it has been.
func (s *Store) Spool(hypervisor string) (spool string, acked uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.spools[hypervisor]
	return p.Spool, p.Acked
}

// observed is what one transaction changes of what agents reported.
type observed struct {
	spools  map[string]position
	applied map[string]model.Applied
	disks   map[string][]model.Disk
}

func newObserved() *observed {
	return &observed{map[string]position{}, map[string]model.Applied{}, map[string][]model.Disk{}}
}

func (o *observed) write(tx *bbolt.Tx) error {
	for h, p := range o.spools {
		if err := putJSON(tx.Bucket(bucketSpools), []byte(h), p); err != nil {
			return err
		}
	}
	for h, a := range o.applied {
		if err := putJSON(tx.Bucket(bucketApplied), []byte(h), a); err != nil {
			return err
		}
	}
	for h, d := range o.disks {
		if err := putJSON(tx.Bucket(bucketDisks), []byte(h), d); err != nil {
			return err
		}
	}
	return nil
}

// publish makes it readable; the caller holds s.mu. Maps are handed out, so
// they are replaced.
func (o *observed) publish(s *Store) {
	merge(&s.spools, o.spools)
	merge(&s.applied, o.applied)
	merge(&s.disks, o.disks)
}

func merge[V any](into *map[string]V, from map[string]V) {
	if len(from) == 0 {
		return
	}
	m := maps.Clone(*into)
	maps.Copy(m, from)
	*into = m
}

// readPlanned reads the placements of a run under way.
func readPlanned(tx *bbolt.Tx, id uint64) ([]model.Placement, error) {
	var p []model.Placement
	data := tx.Bucket(bucketPlanned).Get(key(id))
	if data == nil {
		return nil, nil
	}
	err := json.Unmarshal(data, &p)
	return p, err
}
