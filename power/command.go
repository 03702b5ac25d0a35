package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"homelab/model"
)

const (
	programTime = 10 * time.Second // where the outlet says nothing else
	lastWords   = time.Second      // for output after the end
)

// command is a device that programs on this machine switch.
type command struct {
	o    model.CommandOutlet
	time time.Duration
}

func newCommand(o model.CommandOutlet) (*command, error) {
	c := &command{o: o, time: programTime}
	if o.TimeoutSeconds > 0 {
		c.time = time.Duration(o.TimeoutSeconds) * time.Second
	}
	for _, argv := range [][]string{o.On, o.Off, o.State, o.Cycle, o.Watts} {
		if len(argv) > 0 && !filepath.IsAbs(argv[0]) {
			return nil, fmt.Errorf("%q is not the full path of a program", argv[0])
		}
	}
	return c, nil
}

func (c *command) Set(ctx context.Context, on bool) error {
	argv := c.o.Off
	if on {
		argv = c.o.On
	}
	if len(argv) == 0 {
		return fmt.Errorf("the outlet has no program to switch it %s", word(on))
	}
	_, err := c.run(ctx, argv)
	return err
}

func (c *command) State(ctx context.Context) (model.Power, error) {
	if len(c.o.State) == 0 {
		return model.PowerUnknown, nil
	}
	out, err := c.run(ctx, c.o.State)
	if err != nil {
		return model.PowerUnknown, err
	}
	switch strings.ToLower(strings.TrimSpace(string(out))) {
	case "on":
		return model.PowerOn, nil
	case "off":
		return model.PowerOff, nil
	}
	return model.PowerUnknown, fmt.Errorf("%s printed %s, neither on nor off", filepath.Base(c.o.State[0]), excerpt(out))
}

func (c *command) Cycle(ctx context.Context) error {
	if len(c.o.Cycle) == 0 {
		return ErrNoCycle
	}
	_, err := c.run(ctx, c.o.Cycle)
	return err
}

func (c *command) Read(ctx context.Context) (Reading, error) {
	if len(c.o.Watts) == 0 {
		return Reading{}, nil
	}
	out, err := c.run(ctx, c.o.Watts)
	if err != nil {
		return Reading{}, err
	}
	watts, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil || !(watts >= 0 && watts < 1e6) {
		return Reading{}, fmt.Errorf("%s printed %s, which is no number of W", filepath.Base(c.o.Watts[0]), excerpt(out))
	}
	return Reading{Watts: &watts}, nil
}

// run runs a program without a shell and without what our environment may
// hold. When its time is over, it ends with all that it started.
func (c *command) run(ctx context.Context, argv []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.time)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lastWords
	var out, errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	name := filepath.Base(argv[0])
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s was not done in time and was ended", name)
	case errors.As(err, &exit):
		text := bytes.TrimSpace(errs.Bytes())
		if len(text) == 0 {
			text = bytes.TrimSpace(out.Bytes())
		}
		return nil, fmt.Errorf("%s ended with %s: %s", name, exit.ProcessState, excerpt(text))
	}
	return nil, fmt.Errorf("%s cannot be run: %w", name, err)
}

// limited keeps the beginning of what is written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxAnswer - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}
