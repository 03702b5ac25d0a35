package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// state is what we read of terraform's state file, format 4.
type state struct {
	Resources []struct {
		Mode      string `json:"mode"`
		Type      string `json:"type"`
		Name      string `json:"name"`
		Instances []struct {
			Status     string `json:"status"` // tainted, if it was not made in full
			Attributes struct {
				ID   string `json:"id"` // a domain's UUID, a volume's path
				Name string `json:"name"`
				Pool string `json:"pool"`
				// Triggers are those of a sandbox's resource.
				Triggers json.RawMessage `json:"triggers_replace"`
			} `json:"attributes"`
		} `json:"instances"`
	} `json:"resources"`
}

// State reads the state; a missing one is empty. What it returns is shared.
//
// Terraform empties the file when an apply begins and writes it seconds later:
// until then the state is what it was before.
func (t *terraform) State() (state, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.f.path(stateFile))
	if err == nil && t.info != nil && os.SameFile(info, t.info) && info.Size() == t.info.Size() && info.ModTime().Equal(t.info.ModTime()) {
		return t.read, nil
	}
	s, err := readState(t.f.path(stateFile))
	switch {
	case isHalf(err) && t.info != nil:
		return t.read, nil
	case isHalf(err):
		backup, err := t.newestBackup()
		if err != nil || backup == "" {
			return state{}, err
		}
		return readState(backup)
	case err != nil:
		return s, fmt.Errorf("terraform's state cannot be read: %w", err)
	}
	t.read, t.info = s, info
	return s, nil
}

func readState(path string) (state, error) {
	var s state
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer f.Close()
	return s, json.NewDecoder(f).Decode(&s)
}

// isHalf tells of a file that is empty, or not written to its end.
func isHalf(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// mend puts the newest backup in place of a state that is not there, or not
// whole: somebody removed it, terraform was killed, or the power failed, before
// it wrote what it had done. Without one, domains are found again by our IDs
// in them, and disks by their names. It must not be called while terraform
// runs.
func (t *terraform) mend(say func(string)) error {
	path := t.f.path(stateFile)
	_, err := os.Stat(path)
	missing := errors.Is(err, os.ErrNotExist)
	if _, err := readState(path); !missing && !isHalf(err) {
		return nil
	}
	backup, err := t.newestBackup()
	switch {
	case err != nil:
		return err
	case backup != "":
		say("terraform's state is lost or not whole: taking the newest copy of it")
		return copyFile(backup, path)
	case missing:
		return nil
	}
	say("terraform's state is not whole and there is no copy of it: beginning a new one")
	return os.Rename(path, path+".damaged")
}

// newestBackup is the path of the newest copy of the state, or "".
func (t *terraform) newestBackup() (string, error) {
	entries, err := os.ReadDir(t.f.path(backupFolder))
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return t.f.path(backupFolder, entries[len(entries)-1].Name()), nil // by name, which is by time
}
