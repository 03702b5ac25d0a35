package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for a process that is about to end.
const lockWait = time.Second

// LockedError says that another process has the file open.
type LockedError struct {
	Path   string
	Holder string // such as "process 4711 on pi since …"; empty if it did not say
}

func (e *LockedError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "another process"
	}
	return fmt.Sprintf("%s is in use by %s; stop that server first, or start this one with another --data", e.Path, holder)
}

// openFile opens a file of bbolt's; one that is read only may be no file's that
// a server has open.
func openFile(path string, readOnly bool) (db *bbolt.DB, err error) {
	var file *os.File // bbolt leaves it open, and locked, where it panics
	opts := &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType, ReadOnly: readOnly}
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	err = guard(path, func() error {
		db, err = bbolt.Open(path, 0o600, opts)
		if err == nil {
			if err = whole(db, path); err != nil {
				db.Close()
			}
		}
		return err
	})
	var damaged *DamagedError
	switch {
	case errors.As(err, &damaged):
		if file != nil {
			_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) // a mapping would keep it beyond Close
			file.Close()
		}
		return nil, err
	case errors.Is(err, berrors.ErrTimeout):
		return nil, lockedBy(path)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func lockedBy(path string) error {
	holder, _ := os.ReadFile(holderFile(path))
	return &LockedError{Path: path, Holder: line(strings.TrimSpace(string(holder)), 200)}
}

// lockFile takes the lock that bbolt takes, for as long as f is open.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// holderFile lies beside the store and says who has it open. It is only for
// people: the lock is the kernel's, and ends with the process.
func holderFile(path string) string { return path + ".holder" }

func announceHolder(path string) {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
	_ = os.WriteFile(holderFile(path), []byte(text), 0o600) // a message can do without it
}

func dropHolder(path string) { _ = os.Remove(holderFile(path)) }
