package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is one terraform in a process group of its own, with the providers
// that it starts: they outlive a terraform that is killed, so that only the
// group can be ended.
//
// When the agent dies, terraform is interrupted (Linux): it finishes what is
// under way and records it. It holds the reading end of its own output for
// that, because writing into a broken pipe would kill it.
type process struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr tail
	f      folder

	mu     sync.Mutex
	ended  bool
	killed bool
}

// processMark is what a later agent needs to find a group that was left over.
type processMark struct {
	Group int    `json:"group"`
	Start string `json:"start"` // start time of its leader, with the boot's ID
}

// startProcess starts a command in dir.
func startProcess(f folder, dir string, env []string, name string, args ...string) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	p := &process{cmd: exec.Command(name, args...), out: r, f: f}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.Stdout, p.cmd.Stderr = w, &p.stderr
	p.cmd.ExtraFiles = []*os.File{r}
	p.cmd.SysProcAttr = groupAttr()
	p.cmd.WaitDelay = 5 * time.Second // for whoever holds its stderr
	if err := p.cmd.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	mark := processMark{p.cmd.Process.Pid, startTime(p.cmd.Process.Pid)}
	if err := f.save(processFile, mark); err != nil {
		p.Kill()
		_ = p.Wait(nil)
		return nil, err
	}
	return p, nil
}

// Wait hands over each line of output and returns when the process and its
// whole group have ended. A process that was killed by us is an error too.
func (p *process) Wait(line func([]byte)) error {
	r := bufio.NewReader(p.out)
	for {
		b, err := r.ReadBytes('\n')
		if b = bytes.TrimSpace(b); len(b) > 0 && line != nil {
			line(b)
		}
		if err != nil {
			break
		}
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.ended = true
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // providers that stayed
	p.mu.Unlock()
	p.out.Close()
	if text := p.stderr.String(); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return errors.Join(err, p.f.forget(processFile))
}

// Killed tells whether Kill was called.
func (p *process) Killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed
}

// Interrupt asks the process to end in order.
func (p *process) Interrupt() { p.signal(p.cmd.Process.Pid, syscall.SIGINT) }

// Kill ends the whole group at once.
func (p *process) Kill() {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.signal(-p.cmd.Process.Pid, syscall.SIGKILL)
}

func (p *process) signal(pid int, sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		_ = syscall.Kill(pid, sig)
	}
}

// endLeftover ends the group that an agent which was killed left behind. It
// has been interrupted by that death and gets time to record what it did. It
// reports what it did, "" for nothing.
func endLeftover(ctx context.Context, f folder, patience time.Duration) (string, error) {
	var mark processMark
	if err := f.load(processFile, &mark); err != nil || mark.Group == 0 {
		return "", errors.Join(err, f.forget(processFile))
	}
	alive := func() bool { return syscall.Kill(-mark.Group, 0) == nil }
	// A group whose leader is gone may still hold providers; its number is not
	// given away as long as it has members.
	if start := startTime(mark.Group); !alive() || (start != "" && start != mark.Start) || !sameBoot(mark.Start) {
		return "", f.forget(processFile)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for startTime(mark.Group) == mark.Start && pause(ctx, 50*time.Millisecond) == nil {
	}
	note := "a terraform that the last agent left behind has ended by itself"
	if startTime(mark.Group) == mark.Start {
		note = "a terraform that the last agent left behind was killed"
	}
	_ = syscall.Kill(-mark.Group, syscall.SIGKILL)
	for range 100 {
		if !alive() {
			break
		}
		_ = pause(context.Background(), 20*time.Millisecond)
	}
	return note, f.forget(processFile)
}

// pause waits for d, or less if ctx ends: then it returns ctx's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tail keeps the last 4 KiB written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
