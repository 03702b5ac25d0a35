package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// KeptBackups is how many daily copies are kept.
const KeptBackups = 14

// bucketFiles is there in copies only: files that lie beside the store.
var bucketFiles = []byte("files")

// backupFolder is where a store's daily copies lie.
func backupFolder(path string) string { return filepath.Join(filepath.Dir(path), "backups") }

// Backups are the daily copies of a store, newest first.
func Backups(path string) []string {
	files, _ := filepath.Glob(filepath.Join(backupFolder(path), backupName("*")))
	slices.Sort(files) // their names hold the day
	slices.Reverse(files)
	return files
}

func backupName(day string) string { return "homelab-" + day + ".db" }

// Carry has copies hold those files too that lie beside the store and match a
// pattern (see [filepath.Match]): a server without its host key is another one
// to whoever knows it.
func (s *Store) Carry(pattern string) { s.carried = pattern }

// Backup writes a consistent copy to w. A slow w holds nothing up: the copy is
// made first, beside the store or, when there is no room, in memory or among
// the system's temporary files: a full disk is when one wants a backup.
func (s *Store) Backup(w io.Writer) error {
	f, err := s.tempCopy(filepath.Dir(s.path))
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		if err == nil {
			break
		}
		if other, otherErr := s.tempCopy(dir); otherErr == nil {
			f, err = other, nil
		}
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", s.path, err)
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// tempCopy makes a copy in a folder that has no name there any more, so that it
// is gone when it is closed, even if this process is killed.
func (s *Store) tempCopy(folder string) (*os.File, error) {
	dir, err := os.MkdirTemp(folder, ".backup-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "homelab.db")
	if err := s.copyTo(file); err != nil {
		return nil, err
	}
	return os.Open(file)
}

// BackupDaily makes the copy of a day unless it is there, drops those that are
// older than the last [KeptBackups], and returns the file that it made.
func (s *Store) BackupDaily(day time.Time) (string, error) {
	file := filepath.Join(backupFolder(s.path), backupName(day.Format(time.DateOnly)))
	if _, err := os.Stat(file); err == nil {
		return "", nil
	}
	if err := os.MkdirAll(backupFolder(s.path), 0o700); err != nil {
		return "", err
	}
	temp := file + ".new"
	defer os.Remove(temp)
	if err := s.copyTo(temp); err != nil {
		return "", fmt.Errorf("copy %s: %w", s.path, err)
	}
	if _, err := Check(temp); err != nil {
		return "", fmt.Errorf("the copy of %s is not sound: %w", s.path, err)
	}
	if err := os.Rename(temp, file); err != nil {
		return "", err
	}
	for i, old := range Backups(s.path) {
		if i >= KeptBackups {
			if err := os.Remove(old); err != nil {
				return file, err
			}
		}
	}
	return file, nil
}

// copyTo makes a consistent copy, which is on the disk when it returns.
func (s *Store) copyTo(file string) error {
	if err := s.view(func(tx *bbolt.Tx) error { return copyTx(tx, file) }); err != nil {
		return err
	}
	var beside []string
	if s.carried != "" {
		beside, _ = filepath.Glob(filepath.Join(filepath.Dir(s.path), s.carried))
	}
	db, err := openFile(file, false)
	if err != nil {
		return err
	}
	defer db.Close() // after it is on the disk
	return guard(file, func() error {
		return db.Update(func(tx *bbolt.Tx) error { return keepFiles(tx, beside) })
	})
}

func copyTx(tx *bbolt.Tx, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w := &watched{to: f}
	if _, err := tx.WriteTo(w); w.err != nil {
		return w.err // bbolt hides what it was
	} else if err != nil {
		return err
	}
	return f.Sync()
}

// watched remembers why it could not be written to.
type watched struct {
	to  io.Writer
	err error
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.err = err
	return n, err
}

func keepFiles(tx *bbolt.Tx, files []string) error {
	b, err := tx.CreateBucketIfNotExists(bucketFiles)
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := b.Put([]byte(filepath.Base(file)), data); err != nil {
			return err
		}
	}
	return nil
}

// Restore puts a copy in place of the store at path, which no process may have
// open, and returns what is in it and where the store before is kept. Files
// that the copy carries are put beside it where they are missing.
func Restore(path string, from io.Reader) (Report, string, error) {
	if err := unused(path); err != nil {
		return Report{}, "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Report{}, "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".restore-")
	if err != nil {
		return Report{}, "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "homelab.db")
	if err := save(file, from); err != nil {
		return Report{}, "", err
	}
	report, err := Check(file)
	if err != nil {
		return Report{}, "", unsound(err, file)
	}
	if err := unpack(file, filepath.Dir(path)); err != nil {
		return Report{}, "", err
	}
	aside := ""
	if _, err := os.Stat(path); err == nil {
		aside = fmt.Sprintf("%s.before-restore-%s", path, time.Now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(path, aside); err != nil {
			return Report{}, "", err
		}
	}
	return report, aside, os.Rename(file, path)
}

// unused refuses a store that a process has open.
func unused(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockFile(f); err != nil {
		return lockedBy(path)
	}
	return nil
}

// save writes what is read to a file, and to the disk.
func save(file string, from io.Reader) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, from); err != nil {
		return err
	}
	return f.Sync()
}

// unpack puts the files that a copy carries beside the store, and takes them
// out of the copy.
func unpack(file, dir string) error {
	db, err := openFile(file, false)
	if err != nil {
		return err
	}
	defer db.Close()
	return guard(file, func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketFiles)
			if b == nil {
				return nil
			}
			if err := b.ForEach(func(k, v []byte) error { return putMissing(dir, string(k), v) }); err != nil {
				return err
			}
			return tx.DeleteBucket(bucketFiles)
		})
	})
}

func putMissing(dir, name string, data []byte) error {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return fmt.Errorf("the copy carries a file named %q, which is none of homelab's", name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return os.WriteFile(path, data, 0o600)
}

// maxCopy bounds a copy that is read from somewhere, in bytes.
const maxCopy = 4 << 30

// Copy is what a copy of a store holds that can be restored into one that runs.
type Copy struct {
	State   *model.State
	Report  Report
	secrets map[model.Ref]map[string]string
}

// unsound says that what was given is no copy to restore, without the name of
// the file that it was put in.
func unsound(err error, file string) error {
	why := strings.ReplaceAll(err.Error(), file, "it")
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		why = damaged.Why
	}
	return fmt.Errorf("what was given is no sound backup of homelab (%s): nothing was changed; make one by `ssh homelab.lan backup > homelab.db`", why)
}

// ReadCopy reads a copy as [Store.Backup] writes it, and checks it.
func (s *Store) ReadCopy(r io.Reader) (Copy, error) {
	dir, err := os.MkdirTemp(filepath.Dir(s.path), ".copy-")
	if err != nil {
		return Copy{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "backup")
	if err := save(file, io.LimitReader(r, maxCopy)); err != nil {
		return Copy{}, err
	}
	c := Copy{secrets: map[model.Ref]map[string]string{}}
	if c.Report, err = Check(file); err != nil {
		return Copy{}, unsound(err, file)
	}
	db, err := openFile(file, true)
	if err != nil {
		return Copy{}, err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if c.State, err = readState(tx); err != nil {
			return err
		}
		for _, ref := range c.State.Refs() {
			if b := tx.Bucket(bucketSecrets).Bucket(secretKey(ref)); b != nil {
				c.secrets[ref] = map[string]string{}
				if err := b.ForEach(func(k, v []byte) error { c.secrets[ref][string(k)] = string(v); return nil }); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return c, err
}

// RestoreSecrets keeps the secrets of a copy that are not known here, of objects
// that are here and are what they were.
func (s *Store) RestoreSecrets(c Copy) error {
	for ref, fields := range c.secrets {
		if _, here := s.State().Get(ref); !here || model.IsOther(c.State, s.State(), ref) {
			continue
		}
		for field, value := range fields {
			if _, known := s.Secret(ref, field); known {
				continue
			}
			if err := s.SetSecret(ref, field, value); err != nil {
				return err
			}
		}
	}
	return nil
}
