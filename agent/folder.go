package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// folder is the agent's data folder. Small facts are JSON files in it, each
// replaced atomically.
type folder string

// Files of the folder.
const (
	identityFile = "identity.json" // who we are to which server; private
	lockFile     = "lock"          // held by the agent that runs on the folder
	spoolFile    = "spool.jsonl"   // what the server does not have yet
	runFile      = "run.json"      // the run that is under way
	configFile   = "config.json"   // which config was fetched last, which one holds
	namesFile    = "names.json"    // VM names by ID, of VMs that the config may no longer have
	imagesFile   = "images.json"   // files of images that we put into the default pool
	arrivedFile  = "arrived.json"  // volumes of VMs that are being moved here
	volumesFile  = "volumes.json"  // volumes that terraform may have begun to make
	accelFile    = "accel.json"    // what the KVM probe found in this boot
	processFile  = "process.json"  // terraform's process group
	initFile     = "init.json"     // what terraform init was last done for
	stateFile    = "terraform.tfstate"
	planFile     = "run.tfplan"
	configFolder = "configs"   // by digest
	dotFolder    = "terraform" // terraform's own data: providers, backend
	backupFolder = "backups"   // of the state
	seedFolder   = "seeds"     // the ISO files
)

func (f folder) path(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

// load reads a JSON file; a missing one leaves v as it is.
func (f folder) load(name string, v any) error {
	b, err := os.ReadFile(f.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", f.path(name), err)
	}
	return nil
}

// save replaces a JSON file, on the disk when it returns.
func (f folder) save(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return renameio.WriteFile(f.path(name), b, 0o600)
}

// forget removes a file that may not be there.
func (f folder) forget(name string) error {
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lock makes the folder this process's own until the file is closed.
func (f folder) lock() (*os.File, error) {
	file, err := os.OpenFile(f.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		b, _ := os.ReadFile(file.Name())
		file.Close()
		return nil, fmt.Errorf("another agent (process %s) uses %s: stop it, or give this one another folder with --data",
			strings.TrimSpace(string(b)), f)
	}
	if err := file.Truncate(0); err != nil {
		file.Close()
		return nil, err
	}
	_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
