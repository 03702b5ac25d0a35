package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"homelab/agent/wire"
	"homelab/model"
)

const (
	baseDisk     = wire.DiskBase
	diskOpenTime = 15 * time.Second
	progressTime = 500 * time.Millisecond
)

// diskJob is one disk that is copied from one agent to another.
type diskJob struct {
	disk       string
	send, take wire.DiskOpen
}

func newDiskJob(state *model.State, vm model.VM, disk string) diskJob {
	open := func(hypervisor string, send bool) wire.DiskOpen {
		h := state.Hypervisors[hypervisor]
		o := wire.DiskOpen{VM: vm.ID, Disk: disk, Send: send, Platform: h.Platform, Pool: model.DefaultPool, File: model.DomainName(vm.Name, hypervisor)}
		if disk == model.DiskExtra {
			o.Pool, o.File = vm.Pool(), model.ExtraVolume(vm.Name, hypervisor)
		}
		o.Folder = h.PoolPath(o.Pool)
		return o
	}
	return diskJob{disk, open(vm.Hypervisor, true), open(vm.MovingTo, false)}
}

// copy passes the disk on from one agent to the other.
func (j diskJob) copy(ctx context.Context, from, to *agentConn, progress func(done, total int64)) error {
	sender, err := openDisk(ctx, from, j.send)
	if err != nil {
		return err
	}
	defer sender.Close()
	taker, err := openDisk(ctx, to, j.take)
	if err != nil {
		return err
	}
	defer taker.Close()
	defer context.AfterFunc(ctx, func() { sender.Close(); taker.Close() })()
	err = converse(sender, taker, progress)
	if err == nil {
		return nil
	}
	// Who failed said why; the other only saw the end.
	return errors.Join(lastWords(from.hypervisor, sender), lastWords(to.hypervisor, taker), fallback(err, sender, taker))
}

// diskEnd is one agent's end of a copy.
type diskEnd struct {
	gossh.Channel
	r     *bufio.Reader
	words chan string
	text  string
}

func openDisk(ctx context.Context, conn *agentConn, open wire.DiskOpen) (*diskEnd, error) {
	ctx, cancel := context.WithTimeout(ctx, diskOpenTime)
	defer cancel()
	ch, err := conn.channel(ctx, wire.ChannelDisk, gossh.Marshal(open))
	if err != nil {
		return nil, err
	}
	e := &diskEnd{Channel: ch, r: bufio.NewReaderSize(ch, 64<<10), words: make(chan string, 1)}
	go func() { // ends with the channel
		text, _ := io.ReadAll(io.LimitReader(ch.Stderr(), 4096))
		e.words <- strings.TrimSpace(string(text))
	}()
	return e, nil
}

// lastWords are what an agent said of why it failed, once its channel is closed.
func lastWords(hypervisor string, e *diskEnd) error {
	e.Close()
	select {
	case e.text = <-e.words:
	case <-time.After(time.Second): // the agent is gone
	}
	if e.text == "" || strings.HasPrefix(e.text, "the other side ended") {
		return nil
	}
	return fmt.Errorf("%s: %s", hypervisor, e.text)
}

func fallback(err error, ends ...*diskEnd) error {
	for _, e := range ends {
		if e.text != "" && !strings.HasPrefix(e.text, "the other side ended") {
			return nil
		}
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the connection to an agent was lost")
	}
	return err
}

// converse goes through the conversation of the two.
func converse(sender, taker *diskEnd, progress func(done, total int64)) error {
	var head wire.DiskHead
	if err := passLine(taker, sender.r, &head); err != nil {
		return err
	}
	var answer wire.DiskAnswer
	if err := passLine(sender, taker.r, &answer); err != nil {
		return err
	}
	if !answer.Have {
		if answer.Offset < 0 || answer.Offset > head.Size {
			return fmt.Errorf("%d bytes of %d are there already", answer.Offset, head.Size)
		}
		if err := passBytes(taker, sender.r, answer.Offset, head.Size, progress); err != nil {
			return err
		}
		var sum wire.DiskSum
		if err := passLine(taker, sender.r, &sum); err != nil {
			return err
		}
	}
	var result wire.DiskResult
	line, err := taker.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, &result); err != nil {
		return err
	}
	if result.Error != "" {
		return errors.New(result.Error)
	}
	return nil
}

// passLine passes a line on and reads it.
func passLine(w io.Writer, r *bufio.Reader, v any) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, v); err != nil {
		return err
	}
	_, err = w.Write(line)
	return err
}

func passBytes(w io.Writer, r io.Reader, done, total int64, progress func(done, total int64)) error {
	block, told := make([]byte, 128<<10), time.Time{}
	for done < total {
		n, err := r.Read(block[:min(int64(len(block)), total-done)])
		if n > 0 {
			if _, err := w.Write(block[:n]); err != nil {
				return err
			}
			done += int64(n)
		}
		if err != nil {
			return err
		}
		if time.Since(told) >= progressTime {
			told = time.Now()
			progress(done, total)
		}
	}
	progress(done, total)
	return nil
}
