//go:build unix

package salt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// maxAnswer is how many bytes of standard output are read.
const maxAnswer = 64 << 20

// answer is what a command said. Salt's exit status says little: it is 0 for
// failures of many kinds and 1 where one of many minions failed.
type answer struct {
	stdout []byte
	stderr string
	exit   int
}

// run runs words on the master under its deadline.
func (m Master) run(ctx context.Context, stdin string, words ...string) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.deadline(), fmt.Errorf("no answer within %s", m.deadline()))
	defer cancel()
	var out limited
	a, err := m.start(ctx, stdin, &out, words...)
	a.stdout = out.b
	if err == nil && out.full {
		err = m.failed(words, fmt.Sprintf("it said more than %d MiB", maxAnswer>>20))
	}
	return a, err
}

// start runs words until they end or ctx does: then their whole process group
// is ended. out gets their standard output, and nothing once start returned.
func (m Master) start(ctx context.Context, stdin string, out io.Writer, words ...string) (answer, error) {
	argv := m.argv(words...)
	cmd := exec.Command(argv[0], argv[1:]...)
	stdout, stderr, said := &gate{out: out}, &gate{}, &tail{}
	stderr.out = said
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), stdout, stderr
	p, err := startProcess(cmd)
	if err != nil {
		return answer{}, m.failed(words, err.Error())
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		ended := p.stop()
		stdout.shut()
		stderr.shut()
		if !ended {
			return answer{}, m.failed(words, context.Cause(ctx).Error()+", and it cannot be ended")
		}
		return answer{stderr: said.String()}, m.failed(words, context.Cause(ctx).Error())
	}
	return m.ended(answer{stderr: said.String(), exit: cmd.ProcessState.ExitCode()}, p.err, words)
}

// ended tells an answer of Salt from the failure to ask it.
func (m Master) ended(a answer, err error, words []string) (answer, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return a, nil
	case !errors.As(err, &exit), a.exit < 0:
		return a, m.failed(words, err.Error())
	case a.exit == 126, a.exit == 127, a.exit == 255 && m.remote(), strings.HasPrefix(a.stderr, "sudo: "):
		return a, m.failed(words, said(a)) // of a shell, ssh or sudo
	}
	return a, nil
}

// failed is the error of a command that brought nothing.
func (m Master) failed(words []string, why string) error {
	return fmt.Errorf("salt master %s: %s: %s", m.Name, strings.Join(words[:min(2, len(words))], " "), why)
}

// said is what a command that failed said last, in one line.
func said(a answer) string {
	text := strings.TrimSpace(a.stderr)
	if text == "" {
		text = strings.TrimSpace(string(a.stdout[max(0, len(a.stdout)-1024):]))
	}
	lines := strings.Split(text, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" && line != "[ERROR   ]" {
			return clip(line)
		}
	}
	return fmt.Sprintf("it said nothing and ended with status %d", a.exit)
}

// limited keeps what is written to it, up to maxAnswer.
type limited struct {
	b    []byte
	full bool
}

func (l *limited) Write(p []byte) (int, error) {
	if n := maxAnswer - len(l.b); len(p) > n {
		l.full = true
		l.b = append(l.b, p[:n]...)
		return len(p), nil
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

// tail keeps the last 8 KiB written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - 8<<10; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(bytes.TrimSpace(t.b)) }
