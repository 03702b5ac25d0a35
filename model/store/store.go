// Package store keeps the lab in one bbolt file: the desired state and its
// revisions, runs and their logs, what agents reported, and what meters
// measured.
//
// It promises that a write is there after a crash once its method returned,
// that it is there whole or not at all, and that everything handed out is
// immutable. Readers of the state, of runs under way and of what was observed
// never wait for the disk. The [model.Hub] is told after each write, never
// before it.
//
// It does not know who may do what, and it starts no goroutines.
package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// schema is the version of the file's layout. A file of a newer one is left
// alone.
const schema = 1

// The file's buckets.
var (
	bucketMeta      = []byte("meta")
	bucketState     = []byte("state")     // kind → bucket of name → object
	bucketRevisions = []byte("revisions") // number → revision
	bucketRuns      = []byte("runs")      // ID → run without its resources
	bucketResources = []byte("resources") // run → bucket of position → resource
	bucketLogs      = []byte("logs")      // run → bucket of seq → record
	bucketPlanned   = []byte("planned")   // run under way → its placements
	bucketSpools    = []byte("spools")    // hypervisor → spool position
	bucketApplied   = []byte("applied")   // hypervisor → Applied
	bucketDisks     = []byte("disks")     // hypervisor → disks

	buckets = [][]byte{
		bucketMeta, bucketState, bucketRevisions, bucketRuns, bucketResources, bucketLogs,
		bucketPlanned, bucketSpools, bucketApplied, bucketDisks, bucketSecrets, bucketPower, bucketMeters, bucketLoads, bucketAudit,
	}

	keySchema   = []byte("schema")
	keyRevision = []byte("revision")
)

// Store is the open file. Its methods may be called from any goroutine.
type Store struct {
	db      *bbolt.DB
	path    string
	carried string // pattern of files that copies hold
	hub     model.Hub
	state   atomic.Pointer[model.State]

	writing sync.Mutex // held by commits, from the state they read to the state they publish

	running  sync.Mutex // held by whatever writes runs
	runs     map[uint64]*run
	snapshot atomic.Pointer[map[uint64]model.Run] // of the runs under way
	now      func() time.Time

	mu      sync.RWMutex         // guards what follows; never held during I/O
	heads   map[uint64]model.Run // all runs, without their resources
	spools  map[string]position
	applied map[string]model.Applied
	disks   map[string][]model.Disk
	missed  map[string]map[model.Disk]bool // applied disks that the last report lacked
}

// position is how far an agent's spool has been taken in.
type position struct {
	Spool string `json:"spool"`
	Acked uint64 `json:"acked"`
}

// NewerError says that a file was written by a later version of homelab.
type NewerError struct {
	Path   string
	Schema uint64
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s was written by a newer homelab (its schema is %d, this one knows %d); start that version, or restore a backup of this one",
		e.Path, e.Schema, schema)
}

// Open opens the file, or makes it with the state of a new lab. It fails with
// a [LockedError] if another process has it open, and with a [DamagedError] if
// it is not whole, which says what to restore.
func Open(path string) (*Store, error) {
	if err := emptied(path); err != nil {
		return nil, advise(err)
	}
	db, err := openFile(path, false)
	if err != nil {
		return nil, advise(err)
	}
	s := &Store{
		db: db, path: path, runs: map[uint64]*run{}, now: time.Now, heads: map[uint64]model.Run{}, spools: map[string]position{},
		applied: map[string]model.Applied{}, disks: map[string][]model.Disk{}, missed: map[string]map[model.Disk]bool{},
	}
	if err := s.prepare(); err != nil {
		db.Close()
		return nil, advise(err)
	}
	if err := s.load(); err != nil {
		db.Close()
		return nil, advise(err)
	}
	announceHolder(path)
	return s, nil
}

// prepare makes the buckets of a new file and checks the schema of an old one.
func (s *Store) prepare() error {
	fresh, found := false, uint64(0)
	if err := s.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if fresh = meta == nil; !fresh {
			found = number(meta.Get(keySchema))
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case found > schema:
		return &NewerError{s.path, found}
	case !fresh && found == schema:
		return s.addBuckets()
	case !fresh:
		return fmt.Errorf("%s is no file of homelab's", s.path)
	}
	return s.write(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		if err := writeState(tx, model.NewState()); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keySchema, key(schema))
	})
}

// addBuckets makes the buckets that an earlier version of the schema's did not
// have; it writes nothing if there is none.
func (s *Store) addBuckets() error {
	var missing [][]byte
	if err := s.view(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				missing = append(missing, name)
			}
		}
		return nil
	}); err != nil || len(missing) == 0 {
		return err
	}
	return s.write(func(tx *bbolt.Tx) error {
		for _, name := range missing {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeState writes a whole state.
func writeState(tx *bbolt.Tx, st *model.State) error {
	for _, ref := range st.Refs() {
		obj, _ := st.Get(ref)
		if err := putObject(tx, ref, obj); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.running.Lock()
	defer s.running.Unlock()
	dropHolder(s.path)
	return s.db.Close()
}

// State is the desired state now.
func (s *Store) State() *model.State { return s.state.Load() }

// Hub tells what was written.
func (s *Store) Hub() *model.Hub { return &s.hub }

// load reads everything that is kept in memory.
func (s *Store) load() error {
	err := s.view(func(tx *bbolt.Tx) error {
		return errors.Join(
			s.loadState(tx),
			each(tx.Bucket(bucketSpools), func(k []byte, p position) { s.spools[string(k)] = p }),
			each(tx.Bucket(bucketApplied), func(k []byte, a model.Applied) { s.applied[string(k)] = a }),
			each(tx.Bucket(bucketDisks), func(k []byte, d []model.Disk) { s.disks[string(k)] = d }),
			s.loadRuns(tx),
		)
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) loadState(tx *bbolt.Tx) error {
	st, err := readState(tx)
	s.state.Store(st)
	return err
}

func readState(tx *bbolt.Tx) (*model.State, error) {
	st := model.NewState()
	st.Profiles, st.Settings = map[string]model.Profile{}, model.Settings{}
	kinds := tx.Bucket(bucketState)
	err := kinds.ForEachBucket(func(kind []byte) error {
		return kinds.Bucket(kind).ForEach(func(name, data []byte) error {
			return st.Put(model.Ref{Kind: model.Kind(kind), Name: string(name)}, data)
		})
	})
	st.Revision = number(tx.Bucket(bucketMeta).Get(keyRevision))
	return st, err
}

// each decodes the values of a bucket.
func each[T any](b *bbolt.Bucket, take func(k []byte, v T)) error {
	return b.ForEach(func(k, data []byte) error {
		if data == nil {
			return nil // a bucket
		}
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("entry %q: %w", k, err)
		}
		take(k, v)
		return nil
	})
}

func putJSON(b *bbolt.Bucket, k []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(k, data)
}

// key is a number as a key that sorts as numbers do.
func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// number is the number of a key; 0 for what is none.
func number(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// with is a copy of a map with one more entry; readers keep the old map.
func with[K comparable, V any](m map[K]V, k K, v V) map[K]V {
	m = maps.Clone(m)
	m[k] = v
	return m
}

// Size is that of the file, in bytes.
func (s *Store) Size() (int64, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
