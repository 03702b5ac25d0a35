package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// copyFrom copies a file of this machine: by a reflink where the file system
// can, else sparsely.
func (f *fetcher) copyFrom(ctx context.Context, p partial, path string) error {
	src, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &missingError{path}
	}
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(string(p), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	f.j.say("copying image %q (%s) into pool %q", f.img.Name, mib(info.Size()), defaultPool)
	if reflink(to, src) == nil {
		return to.Close()
	}
	if err := p.checkRoom(occupied(info)); err != nil {
		return err
	}
	if err := f.copyBlocks(ctx, to, src, info.Size()); err != nil {
		return p.full(err, occupied(info))
	}
	return to.Close()
}

// copyBlocks copies what is not zero.
func (f *fetcher) copyBlocks(ctx context.Context, to *os.File, from io.Reader, size int64) error {
	block := make([]byte, 1<<20)
	for at := int64(0); ; {
		n, err := io.ReadFull(from, block)
		if !allZero(block[:n]) {
			if _, err := to.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return to.Truncate(at) // a hole at the end
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f.tell(at, size)
	}
}

var zeros [64 << 10]byte

func allZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
