package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const tmpfsMagic = 0x01021994

// mountTmpfs makes a folder a file system in memory of that size, or an old
// one larger.
func mountTmpfs(path string, mebibytes int) error {
	options := fmt.Sprintf("size=%dm,mode=0711", mebibytes)
	if err := os.MkdirAll(path, 0o711); err != nil {
		return err
	}
	mounted, err := mountPoint(path)
	if err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return err
	}
	switch {
	case mounted && st.Type != tmpfsMagic:
		return fmt.Errorf("another file system is mounted on %s already", path)
	case mounted && int64(st.Blocks)*int64(st.Bsize) >= int64(mebibytes)<<20:
		return nil
	case mounted:
		return unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, options)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("%s holds files, which a tmpfs would hide: move them, or give the pool another folder", path))
	}
	if err := unix.Mount("homelab", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("a tmpfs cannot be mounted on %s (%w): does the agent run as root?", path, err)
	}
	return nil
}

// mountPoint tells whether something is mounted on a folder.
func mountPoint(path string) (bool, error) {
	var at, above unix.Stat_t
	if err := unix.Stat(path, &at); err != nil {
		return false, err
	}
	err := unix.Stat(filepath.Dir(filepath.Clean(path)), &above)
	return at.Dev != above.Dev, err
}
