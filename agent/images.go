package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
)

// images puts the images of a config into the default pool, where root volumes
// find them by name. One that is there is never written again: disks lie on
// it. An image that cannot be had breaks only the VMs that need it.
func (v *virt) images(ctx context.Context, j *job, m wire.Manifest) error {
	dir := ""
	for _, p := range m.Pools {
		if p.Name == defaultPool {
			dir = p.Path
		}
	}
	if dir == "" && len(m.Images) > 0 {
		return fmt.Errorf("the config has images and no pool %q to put them in", defaultPool)
	}
	copied := false
	for _, img := range m.Images {
		if !isFileName(img.Volume) {
			return fmt.Errorf("image %q: %q is not a file name", img.Name, img.Volume)
		}
		dest := filepath.Join(dir, img.Volume)
		if _, err := os.Stat(dest); err == nil {
			continue
		}
		err := putImage(ctx, img, dest, j.say)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			j.warn("image %q: %v", img.Name, err)
			continue
		}
		copied = true
	}
	if !copied {
		return nil
	}
	return v.do(ctx, func(l *libvirt.Libvirt) error {
		pool, err := l.StoragePoolLookupByName(defaultPool)
		if err != nil {
			return err
		}
		return l.StoragePoolRefresh(pool, 0)
	})
}

// isFileName tells whether s names a file and no path.
func isFileName(s string) bool { return filepath.IsLocal(s) && filepath.Base(s) == s && s != "." }

// putImage copies an image to dest, whole or not at all.
func putImage(ctx context.Context, img wire.Image, dest string, say func(string, ...any)) error {
	src, err := os.Open(img.Path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no %s on the hypervisor: put the file there, or change the image's path", img.Path)
	}
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(dest), ".homelab-image-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	say("copying image %q (%d MiB) into pool %q", img.Name, info.Size()>>20, defaultPool)
	if err := copyImage(ctx, temp, src, info.Size(), img, say); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), dest)
}

// copyImage copies by a reflink where the file system can, else sparsely.
func copyImage(ctx context.Context, to, from *os.File, size int64, img wire.Image, say func(string, ...any)) error {
	sum, want, err := checksum(img.Checksum)
	if err != nil {
		return err
	}
	cloned := reflink(to, from) == nil
	if cloned && sum == nil {
		return nil
	}
	block := make([]byte, 1<<20)
	told, at := time.Now(), int64(0)
	for {
		n, err := io.ReadFull(from, block)
		if sum != nil {
			sum.Write(block[:n])
		}
		if !cloned && !allZero(block[:n]) {
			if _, err := to.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Since(told) > 3*time.Second {
			told = time.Now()
			say("copying image %q: %d of %d MiB", img.Name, at>>20, size>>20)
		}
	}
	if sum != nil && hex.EncodeToString(sum.Sum(nil)) != want {
		return fmt.Errorf("the checksum of %s is %x and not %s", img.Path, sum.Sum(nil), want)
	}
	if cloned {
		return nil
	}
	return to.Truncate(at) // a hole at the end
}

// checksum reads "sha256:HEX" or "sha512:HEX"; empty is no checksum.
func checksum(s string) (hash.Hash, string, error) {
	kind, want, ok := strings.Cut(strings.ToLower(s), ":")
	switch {
	case s == "":
		return nil, "", nil
	case ok && kind == "sha256":
		return sha256.New(), want, nil
	case ok && kind == "sha512":
		return sha512.New(), want, nil
	}
	return nil, "", fmt.Errorf("the checksum %q is neither sha256:HEX nor sha512:HEX", s)
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
