package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// DamagedError says that a file cannot be read as the store that it was, and
// what to restore instead.
type DamagedError struct {
	Path   string
	Why    string
	Backup string // the newest copy that is sound; empty if there is none
}

func (e *DamagedError) Error() string {
	text := fmt.Sprintf("%s is damaged (%s)", e.Path, e.Why)
	if e.Backup == "" {
		return text + "; there is no sound copy in " + backupFolder(e.Path) + ": restore one that you made by `ssh homelab.lan backup`, with `homelab serve --restore FILE`"
	}
	return fmt.Sprintf("%s; restore the newest sound copy with `homelab serve --data %s --restore %s`, which keeps the damaged file aside",
		text, filepath.Dir(e.Path), e.Backup)
}

// FullError says that there was no room for a write: nothing of it is there,
// and reading goes on.
type FullError struct{ Path string }

func (e *FullError) Error() string {
	return fmt.Sprintf("the disk of %s is full, so nothing was changed; make room there and try again", e.Path)
}

// view reads in a transaction. What bbolt finds damaged is an error, and no
// reason for the whole server to end.
func (s *Store) view(read func(*bbolt.Tx) error) error {
	return guard(s.path, func() error { return s.db.View(read) })
}

// write writes in a transaction, whole or not at all.
func (s *Store) write(change func(*bbolt.Tx) error) error {
	return guard(s.path, func() error { return s.db.Update(change) })
}

// guard does something with a file of bbolt's, which panics where pages are
// not what they should be, and faults where the file is shorter than it says.
func guard(path string, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &DamagedError{Path: path, Why: line(fmt.Sprint(p), 200)}
		}
	}()
	err = do()
	switch {
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch), isShort(err):
		return &DamagedError{Path: path, Why: err.Error()}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &FullError{path}
	}
	return err
}

// isShort tells of bbolt's complaint about a file without room for its first
// pages, which has no type.
func isShort(err error) bool {
	return err != nil && strings.Contains(err.Error(), "file size too small")
}

// whole refuses a file that is shorter than what it says it holds, or empty
// where there was a store: it would be made anew.
func whole(db *bbolt.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return &DamagedError{Path: path, Why: fmt.Sprintf("it is %d bytes and should be %d: its end is missing", info.Size(), tx.Size())}
		}
		return nil
	})
}

// emptied tells whether a file that was a store holds nothing any more.
func emptied(path string) error {
	if info, err := os.Stat(path); err == nil && info.Size() == 0 && len(Backups(path)) > 0 {
		return &DamagedError{Path: path, Why: "it is empty"}
	}
	return nil
}

// advise finds out for a damaged file which copy to restore.
func advise(err error) error {
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		return err
	}
	for _, copied := range Backups(damaged.Path) {
		if _, err := Check(copied); err == nil {
			damaged.Backup = copied
			break
		}
	}
	return damaged
}
