package agent

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

// serveDisks sends and takes disks of VMs that move, until the connection ends.
func (a *agent) serveDisks(ctx context.Context, opens <-chan ssh.NewChannel) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for open := range opens {
		wg.Go(func() {
			var what wire.DiskOpen
			if err := ssh.Unmarshal(open.ExtraData(), &what); err != nil || !isFileName(what.File) || !filepath.IsAbs(what.Folder) {
				_ = open.Reject(ssh.Prohibited, "malformed request")
				return
			}
			ch, reqs, err := open.Accept()
			if err != nil {
				return
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() { ssh.DiscardRequests(reqs); cancel() }() // ends with the channel
			a.log.Info("disk", "vm", a.names.Of(what.VM), "disk", what.Disk, "send", what.Send)
			if err := a.serveDisk(ctx, ch, what); err != nil {
				a.log.Error("disk", "vm", a.names.Of(what.VM), "disk", what.Disk, "error", err)
				_, _ = io.WriteString(ch.Stderr(), err.Error())
			}
			ch.Close()
		})
	}
}

func (a *agent) serveDisk(ctx context.Context, ch io.ReadWriter, what wire.DiskOpen) error {
	lines := bufio.NewReader(ch)
	switch {
	case what.Platform == model.PlatformSandbox && what.Send:
		return playSending(ch, lines)
	case what.Platform == model.PlatformSandbox:
		return playTaking(ch, lines)
	case what.Send:
		return sendDisk(ctx, ch, lines, what, func() error { return a.virt.mustBeOff(ctx, what.VM) })
	}
	return a.virt.takeDisk(ctx, ch, lines, what)
}

// sendDisk sends a disk of a guest that is off, which off tells.
func sendDisk(ctx context.Context, w io.Writer, lines *bufio.Reader, what wire.DiskOpen, off func() error) error {
	if err := off(); err != nil {
		return err
	}
	path := filepath.Join(what.Folder, what.File)
	head := wire.DiskHead{}
	backing, err := backingFile(path)
	if err != nil {
		return err
	}
	if backing != "" {
		head.Base = filepath.Base(backing)
	}
	if what.Disk == wire.DiskBase {
		if backing == "" { // the disk stands on nothing
			return playSending(w, lines)
		}
		path = backing
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	head.Size = info.Size()
	if what.Disk == wire.DiskBase {
		if head.Sum, err = sumOf(ctx, f, io.Discard, 0); err != nil {
			return err
		}
	}
	var answer wire.DiskAnswer
	if err := errors.Join(sendLine(w, head), readLine(lines, &answer)); err != nil || answer.Have {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, err := sumOf(ctx, io.LimitReader(f, head.Size), w, answer.Offset)
	if err != nil {
		return err
	}
	if err := off(); err != nil { // it was started meanwhile
		return err
	}
	return sendLine(w, wire.DiskSum{Sum: sum})
}

func (v *virt) mustBeOff(ctx context.Context, id string) error {
	d, ok, err := v.find(ctx, id)
	if err == nil && ok && d.active() {
		err = fmt.Errorf("%s is %s: its disks can be copied while it is off only", v.a.names.Of(id), d.state)
	}
	return err
}

// sumOf is the SHA-256 of what r has; all but the first skip bytes go to w too.
func sumOf(ctx context.Context, r io.Reader, w io.Writer, skip int64) (string, error) {
	sum, block := sha256.New(), make([]byte, 1<<20)
	for {
		n, err := r.Read(block)
		sum.Write(block[:n])
		part := block[min(skip, int64(n)):n]
		skip -= int64(n - len(part))
		if len(part) > 0 {
			if _, err := w.Write(part); err != nil {
				return "", err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return "", err
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
	}
}

func sendLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	return err
}

func readLine(r *bufio.Reader, v any) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("the other side ended: %w", err)
	}
	return json.Unmarshal(line, v)
}

// playSending and playTaking are what there is to a disk of a sandbox.
func playSending(w io.Writer, lines *bufio.Reader) error {
	var answer wire.DiskAnswer
	if err := errors.Join(sendLine(w, wire.DiskHead{}), readLine(lines, &answer)); err != nil || answer.Have {
		return err
	}
	return sendLine(w, wire.DiskSum{})
}

func playTaking(w io.Writer, lines *bufio.Reader) error {
	var head wire.DiskHead
	return errors.Join(readLine(lines, &head), sendLine(w, wire.DiskAnswer{Have: true}), sendLine(w, wire.DiskResult{}))
}
