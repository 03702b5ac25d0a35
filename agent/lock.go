package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"homelab/model"
)

// stateLockFile is where terraform says who has locked the state. The lock
// itself is one on the state file that ends with its process, so that this
// file may be left behind.
const stateLockFile = "." + stateFile + ".lock.info"

// Lock is the lock on the state; nil if there is none. While a run of ours is
// under way it is ours.
func (t *terraform) Lock() *model.StateLock {
	var info struct {
		Operation string
		Who       string
		Created   time.Time
	}
	b, err := os.ReadFile(t.f.path(stateLockFile))
	pid := lockedBy(t.f.path(stateFile))
	if err != nil && pid == 0 {
		return nil
	}
	_ = json.Unmarshal(b, &info) // of one that cannot be read nothing is known
	return &model.StateLock{Who: info.Who, Operation: info.Operation, Created: info.Created, PID: pid, Live: pid != 0}
}

// lockedBy is the process that has a file locked; 0 if none has.
func lockedBy(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: 0}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil || lock.Type == syscall.F_UNLCK {
		return 0
	}
	return int(lock.Pid)
}

// unlock removes the lock that a process has left behind which is gone.
func (a *agent) unlock() error {
	if ids := a.run.Unfinished(); len(ids) > 0 {
		return fmt.Errorf("run %d is under way and holds the state: `cancel %d` ends it", ids[0], ids[0])
	}
	defer a.look()
	switch lock := a.tf.Lock(); {
	case lock == nil:
		return errors.New("nobody holds the state")
	case lock.Live:
		return heldError(lock)
	}
	if err := os.Remove(a.f.path(stateLockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// heldError says who holds the state.
func heldError(l *model.StateLock) error {
	who := ""
	if l.Who != "" {
		who = " of " + l.Who
	}
	return fmt.Errorf("process %d%s works on terraform's state since %s: wait for it, or end it on the hypervisor", l.PID, who, l.Created.Format(time.RFC3339))
}
