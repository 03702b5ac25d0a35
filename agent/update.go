package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/agent/wire"
)

// TrialEnv in the environment of an agent says that it is a new version that
// tries whether it comes up and connects; see [Options.Trial].
const TrialEnv = "HOMELAB_AGENT_TRIAL"

const (
	trialTime    = time.Minute      // that a new version may take to connect
	downloadTime = 30 * time.Minute // over whatever line there is
)

// update is the program that an agent is to become. It ends work, so that
// nothing of the agent's is open when the new program tries itself.
type update struct {
	wire.Update
	file string // the new program, beside the old one
}

func (u *update) Error() string { return "becoming version " + u.Version }

// fetchUpdate gets the program that the server orders and has the agent become
// it; runs are let in no longer. Its error leaves everything as it is.
func (a *agent) fetchUpdate(ctx context.Context, order wire.Update) error {
	if a.opts.Executable == "" {
		return errors.New("this agent cannot be updated: it is not a program of its own")
	}
	if !a.run.Reserve("the agent is being updated; the run is tried again") {
		return errors.New("a run is under way: update the agent when it has ended")
	}
	file, err := a.download(ctx, order)
	if err != nil {
		a.run.Open()
		return err
	}
	a.become <- &update{order, file} // has room for the one that was let in
	return nil
}

// download gets the program, whole and the one that was ordered, and puts it
// beside the one that runs.
func (a *agent) download(ctx context.Context, order wire.Update) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	client, err := a.link.Client(ctx)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(a.opts.Executable+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return "", fmt.Errorf("there is no place for the new program: %w", err)
	}
	defer file.Close()
	if err = fetchBinary(ctx, client, file, order); err == nil {
		err = errors.Join(file.Chmod(0o755), file.Sync())
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return "", err
	}
	return file.Name(), nil
}

func fetchBinary(ctx context.Context, client *ssh.Client, to io.Writer, order wire.Update) error {
	sub, err := openSubsystem(client, wire.SubsystemBinary)
	if err != nil {
		return err
	}
	defer sub.Close()
	stop := context.AfterFunc(ctx, func() { sub.Close() })
	defer stop()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(sub, order.Bytes+1))
	if err != nil {
		return sub.explain(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != order.Bytes || got != order.SHA256 {
		return fmt.Errorf("the program did not come as ordered: %d bytes with SHA-256 %s, and not %d with %s", n, short(got), order.Bytes, short(order.SHA256))
	}
	return sub.result()
}

// carryOut lets the new program try itself, and if it comes up and connects
// puts it in place of the old one, which is kept, and becomes it: then it does
// not return. Its error is why all is as it was.
func (u *update) carryOut(ctx context.Context, opts Options) error {
	defer os.Remove(u.file)
	opts.Log.Info("trying another version of this program", "version", u.Version)
	if err := u.try(ctx, opts, trialTime); err != nil {
		return err
	}
	kept := opts.Executable + ".old"
	if err := os.Remove(kept); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Link(opts.Executable, kept); err != nil {
		return fmt.Errorf("the old program cannot be kept: %w", err)
	}
	if err := os.Rename(u.file, opts.Executable); err != nil {
		return err
	}
	syncFolder(filepath.Dir(opts.Executable))
	opts.Log.Info("going on as another version of this program", "version", u.Version, "old", kept)
	err := syscall.Exec(opts.Executable, os.Args, os.Environ())
	return errors.Join(fmt.Errorf("the new program cannot be started: %w", err), os.Rename(kept, opts.Executable))
}

// try runs the new program as this one is run, until it was welcomed by the
// server; patience is how long that may take.
func (u *update) try(ctx context.Context, opts Options, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, u.file, opts.Args...)
	cmd.Env = append(os.Environ(), TrialEnv+"=1")
	cmd.SysProcAttr = groupAttr()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("version %s did not come up and connect within %s; %s", u.Version, patience, lastLine(said.String()))
	case err != nil:
		return fmt.Errorf("version %s does not come up: %w; %s", u.Version, err, lastLine(said.String()))
	}
	return nil
}

// lastLine is what a program said last.
func lastLine(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	text := strings.TrimSpace(lines[len(lines)-1])
	if text == "" {
		return "it said nothing"
	}
	return "it said: " + oneLine(text)
}

func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// binarySum is the SHA-256 of the program that runs; empty if it is unknown.
func binarySum(executable string) string {
	if executable == "" {
		return ""
	}
	f, err := os.Open(executable)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
