//go:build unix

package salt

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
)

// eventScript ends salt-run when its own standard input ends, which salt-run
// itself never notices, be we stopped, killed or cut off by the network; and
// ends itself when salt-run does.
const eventScript = `exec 3<&0; salt-run state.event pretty=False </dev/null 3<&- & p=$!; ` +
	`(cat <&3; kill $p) >/dev/null 2>&1 & c=$!; exec 3<&-; wait $p; kill $c 2>/dev/null`

// maxLine is the longest event that is read; what is longer is left out.
const maxLine = 16 << 20

// stream is the event stream of a master. Read returns one line, without its
// end. Close ends it, so that Read returns, and says what it said at its end.
type stream interface {
	Read() ([]byte, error)
	Close() error
}

// child is the stream of a process group of its own, which is given time to
// end when its standard input does, and then killed.
type child struct {
	*process
	stdin  io.Closer
	out    *os.File
	r      *bufio.Reader
	stderr tail
}

func (m Master) events(context.Context) (stream, error) {
	argv := m.argv("sh", "-c", eventScript)
	failed := func(err error) (stream, error) {
		return nil, m.failed([]string{"salt-run", "state.event"}, err.Error())
	}
	r, w, err := os.Pipe()
	if err != nil {
		return failed(err)
	}
	defer w.Close()
	c := &child{out: r, r: bufio.NewReaderSize(r, 64<<10)}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = w, &c.stderr
	stdin, err := cmd.StdinPipe()
	if err == nil {
		c.stdin = stdin
		c.process, err = startProcess(cmd)
	}
	if err != nil {
		r.Close()
		return failed(err)
	}
	return c, nil
}

func (c *child) Read() ([]byte, error) { return readLine(c.r) }

// Close returns when the group has ended.
func (c *child) Close() error {
	_ = c.stdin.Close()
	defer c.out.Close()
	if !c.ends(grace) && !c.stop() {
		return errors.New("it cannot be ended")
	}
	c.kill() // whoever stayed in the group
	if said := c.stderr.String(); said != "" {
		return errors.New(lastLine(said))
	}
	return c.err
}

// readLine reads a line of up to maxLine bytes, and an empty one for what is
// longer.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for tooLong := false; ; {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > 0 && line[len(line)-1] == '\n' {
				line = line[:len(line)-1]
			}
			return line, err
		}
	}
}
