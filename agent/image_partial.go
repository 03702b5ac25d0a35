package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// partial is a file on its way into a pool: it lies beside its destination,
// hidden, with a note of where it came from.
type partial string

const (
	partialPrefix = ".homelab-"
	partialSuffix = ".part"
)

func partialOf(dest string) partial {
	return partial(filepath.Join(filepath.Dir(dest), partialPrefix+filepath.Base(dest)+partialSuffix))
}

func (p partial) notePath() string { return string(p) + ".json" }

// origin is what a partial file is the beginning of.
type origin struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // ETag or Last-Modified; empty: cannot be resumed
	Total     int64  `json:"total"`     // bytes; -1 is unknown
}

// Begun is how much of what the origin names is there already.
func (p partial) Begun(url string) (int64, origin) {
	var o origin
	info, err := os.Stat(string(p))
	b, noteErr := os.ReadFile(p.notePath())
	if err != nil || noteErr != nil || json.Unmarshal(b, &o) != nil || o.URL != url || o.Validator == "" {
		return 0, origin{}
	}
	return info.Size(), o
}

// Note writes down what the file is the beginning of.
func (p partial) Note(o origin) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(p.notePath(), b, 0o600)
}

// Remove removes the file and its note.
func (p partial) Remove() {
	_ = os.Remove(string(p))
	_ = os.Remove(p.notePath())
}

// Install makes the file the one at dest: on the disk when it returns.
func (p partial) Install(dest string) error {
	f, err := os.OpenFile(string(p), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(string(p), dest); err != nil {
		return err
	}
	_ = os.Remove(p.notePath())
	dir, err := os.Open(filepath.Dir(dest))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// checksumError says that a file is not what it should be.
type checksumError struct{ of, is, want string }

func (e *checksumError) Error() string {
	return fmt.Sprintf("the checksum of %s is %s and not %s: it is another file than was meant, or damaged; nothing of it was kept", e.of, e.is, e.want)
}

// Verify holds the file against a checksum, kind:HEX; another text is none.
func (p partial) Verify(ctx context.Context, want, of string) error {
	sum := newHash(want)
	if sum == nil {
		return nil
	}
	f, err := os.Open(string(p))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(sum, &contextReader{ctx, f}); err != nil {
		return err
	}
	kind, digits, _ := strings.Cut(want, ":")
	if is := hex.EncodeToString(sum.Sum(nil)); is != strings.ToLower(digits) {
		return &checksumError{of, kind + ":" + is, want}
	}
	return nil
}

func newHash(checksum string) hash.Hash {
	switch {
	case strings.HasPrefix(checksum, "sha256:"):
		return sha256.New()
	case strings.HasPrefix(checksum, "sha512:"):
		return sha512.New()
	}
	return nil
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(b)
}

// roomError says that a file does not fit.
type roomError struct {
	dir        string
	need, free int64 // bytes; need 0 is unknown
}

func (e *roomError) Error() string {
	if e.need == 0 {
		return fmt.Sprintf("no space left in %s, and its size is not known before: %d bytes are free; make room there and try again", e.dir, e.free)
	}
	return fmt.Sprintf("no space in %s: it needs %d more bytes (%s) and %d (%s) are free; make room there, `image prune` may help", e.dir, e.need, mib(e.need), e.free, mib(e.free))
}

// checkRoom tells whether so many more bytes fit beside the file.
func (p partial) checkRoom(need int64) error {
	dir := filepath.Dir(string(p))
	if free, err := freeBytes(dir); err == nil && need > free {
		return &roomError{dir, need, free}
	}
	return nil
}

// full makes a clear error of one that says that there was no room. The file
// is removed: the guests beside it need what room there is.
func (p partial) full(err error, need int64) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	dir := filepath.Dir(string(p))
	free, _ := freeBytes(dir)
	p.Remove()
	return &finalError{&roomError{dir, need, free}}
}

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// packed are the beginnings of files that are no disks but hold one.
var packed = map[string]string{
	"\x1f\x8b": "gzip", "\xfd7zXZ\x00": "xz", "\x28\xb5\x2f\xfd": "zstd", "BZh": "bzip2", "PK\x03\x04": "zip", "KDMV": "VMDK", "vhdxfile": "VHDX",
}

// CheckDisk tells whether what was fetched can be the base of disks: whole
// qcow2 that names no other file of the hypervisor, or raw.
func (p partial) CheckDisk() error {
	f, err := os.Open(string(p))
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 80)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for begin, what := range packed {
		if strings.HasPrefix(string(head[:n]), begin) {
			return fmt.Errorf("it is %s, and neither qcow2 nor raw: unpack or convert it, and name the result", what)
		}
	}
	const dataFile = 1 << 2 // of a qcow2's incompatible features
	switch {
	case !bytes.HasPrefix(head, []byte("QFI\xfb")):
		if info.Size() == 0 || info.Size()%512 != 0 {
			return fmt.Errorf("it is no disk image: neither qcow2 nor whole sectors of 512 bytes, but %d bytes that begin with %q", info.Size(), head[:min(n, 40)])
		}
	case n < 80:
		return errors.New("it is qcow2 and ends within its first lines")
	case binary.BigEndian.Uint64(head[8:]) != 0, binary.BigEndian.Uint32(head[4:]) >= 3 && binary.BigEndian.Uint64(head[72:])&dataFile != 0:
		return errors.New("it names another file that it stands on: guests could read that file of the hypervisor")
	}
	return nil
}
