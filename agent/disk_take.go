package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"homelab/agent/wire"
	"homelab/model"
)

// takeDisk takes a disk into a pool. It has another name until it is whole, and
// what an earlier try has brought of it is not sent again.
func (v *virt) takeDisk(ctx context.Context, w io.Writer, lines *bufio.Reader, what wire.DiskOpen) error {
	var head wire.DiskHead
	if err := readLine(lines, &head); err != nil {
		return err
	}
	if head.Base != "" && !isFileName(head.Base) {
		return fmt.Errorf("%q is no file name", head.Base)
	}
	if what.Disk == wire.DiskBase {
		if head.Base == "" {
			return errors.Join(sendLine(w, wire.DiskAnswer{Have: true}), sendLine(w, wire.DiskResult{}))
		}
		what.File = head.Base
	}
	path := filepath.Join(what.Folder, what.File)
	have, err := v.mayTake(ctx, path, head, what)
	if err != nil {
		return err
	}
	if have {
		return errors.Join(sendLine(w, wire.DiskAnswer{Have: true}), sendLine(w, wire.DiskResult{}))
	}
	if err := os.MkdirAll(what.Folder, 0o711); err != nil {
		return err
	}
	temp := filepath.Join(what.Folder, ".incoming-"+what.File)
	if err := takeBytes(ctx, w, lines, temp, head); err != nil {
		return err
	}
	if err := v.settle(ctx, temp, head, what); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return sendLine(w, wire.DiskResult{})
}

// mayTake tells whether a base is here already, and refuses to write over what is
// not ours.
func (v *virt) mayTake(ctx context.Context, path string, head wire.DiskHead, what wire.DiskOpen) (have bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if what.Disk != wire.DiskBase {
		if v.arrived.Has(volume{what.Pool, what.File}) {
			return false, nil // of an earlier try; the guest may have run since
		}
		return false, fmt.Errorf("there is a file %s already, and it is left alone: remove it, or rename the VM", path)
	}
	sum, err := sumOf(ctx, f, io.Discard, 0)
	if err == nil && sum != head.Sum {
		err = fmt.Errorf("the image %s here differs from the one that the disk was made from", path)
	}
	return err == nil, err
}

// takeBytes takes what comes into a file and checks it.
func takeBytes(ctx context.Context, w io.Writer, lines *bufio.Reader, temp string, head wire.DiskHead) error {
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	offset := info.Size()
	if offset > head.Size {
		offset = 0
		if err := f.Truncate(0); err != nil {
			return err
		}
	}
	if err := sendLine(w, wire.DiskAnswer{Offset: offset}); err != nil {
		return err
	}
	if err := sparsely(ctx, f, lines, offset, head.Size); err != nil {
		return err
	}
	var want wire.DiskSum
	if err := readLine(lines, &want); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, err := sumOf(ctx, f, io.Discard, 0)
	if err != nil {
		return err
	}
	if sum != want.Sum {
		_ = os.Remove(temp)
		return fmt.Errorf("the checksum of what has come is %s and not %s: it is copied from the beginning", sum, want.Sum)
	}
	return f.Sync()
}

// sparsely writes what comes from offset to size; blocks of zeroes become holes.
func sparsely(ctx context.Context, f *os.File, r io.Reader, offset, size int64) error {
	block := make([]byte, 256<<10)
	for offset < size {
		n, err := io.ReadFull(r, block[:min(int64(len(block)), size-offset)])
		if n > 0 && allZero(block[:n]) {
			if err := f.Truncate(offset + int64(n)); err != nil {
				return err
			}
		} else if _, err := f.WriteAt(block[:n], offset); err != nil {
			return fmt.Errorf("writing %s: %w", f.Name(), err)
		}
		offset += int64(n)
		switch {
		case err != nil:
			return fmt.Errorf("the other side ended: %w", err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
	}
	return nil
}

// settle makes a whole disk fit to be used here: it stands on the base of this
// machine, and is known as ours.
func (v *virt) settle(ctx context.Context, temp string, head wire.DiskHead, what wire.DiskOpen) error {
	if what.Disk == wire.DiskBase {
		return os.Chmod(temp, 0o644)
	}
	if what.Disk == model.DiskRoot && head.Base != "" {
		base := filepath.Join(what.Folder, head.Base)
		out, err := exec.CommandContext(ctx, "qemu-img", "rebase", "-u", "-f", "qcow2", "-F", formatOf(base), "-b", base, temp).CombinedOutput()
		if err != nil {
			return fmt.Errorf("qemu-img: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	return v.arrived.Add(volume{what.Pool, what.File})
}

var qcow2Magic = []byte("QFI\xfb")

// formatOf is the format of a disk's file, as far as it matters here.
func formatOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "raw"
	}
	defer f.Close()
	magic := make([]byte, len(qcow2Magic))
	if _, err := io.ReadFull(f, magic); err != nil || !bytes.Equal(magic, qcow2Magic) {
		return "raw"
	}
	return "qcow2"
}

// backingFile is what a qcow2 file is an overlay of, "" for nothing. Its header
// says where its path lies and how long that is.
func backingFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil || !bytes.Equal(head[:4], qcow2Magic) {
		return "", nil // raw
	}
	at, size := binary.BigEndian.Uint64(head[8:]), binary.BigEndian.Uint32(head[16:])
	if at == 0 || size == 0 {
		return "", nil
	}
	if size > 1023 { // qcow2's own limit
		return "", fmt.Errorf("%s is no sound qcow2 file", path)
	}
	name := make([]byte, size)
	if _, err := f.ReadAt(name, int64(at)); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if base := string(name); !filepath.IsAbs(base) {
		return filepath.Join(filepath.Dir(path), base), nil
	}
	return string(name), nil
}
