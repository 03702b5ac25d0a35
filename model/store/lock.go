package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
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

func openFile(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		holder, _ := os.ReadFile(holderFile(path))
		return nil, &LockedError{Path: path, Holder: line(strings.TrimSpace(string(holder)), 200)}
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

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
