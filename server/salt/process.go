//go:build unix

package salt

import (
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// grace is what a process group has after it was told to end, and whoever
// holds its pipes after its end.
var grace = 5 * time.Second // the tests have less

// process is a command in a process group of its own, which is ended as a
// whole: ssh and sudo have children.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // as of cmd.Wait, once it has
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// stop ends the group and tells whether it did: first with SIGTERM, which sudo
// passes on to what it runs as somebody else, then with SIGKILL.
func (p *process) stop() bool {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	if p.ends(grace) {
		return true
	}
	p.kill()
	return p.ends(2 * grace)
}

func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// ends waits for the end, but not for ever: what cannot be killed is left.
func (p *process) ends(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// gate passes on what is written until it is shut.
type gate struct {
	mu  sync.Mutex
	out io.Writer
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.out == nil {
		return len(p), nil
	}
	return g.out.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out = nil
}
