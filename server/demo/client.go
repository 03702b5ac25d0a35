package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/charmbracelet/x/term"
	"golang.org/x/crypto/ssh"
)

// dial opens the SSH connection that the demo itself uses.
func dial(ctx context.Context, addr string, key ssh.Signer, hostKey ssh.PublicKey) (*ssh.Client, error) {
	type result struct {
		client *ssh.Client
		err    error
	}
	done := make(chan result, 1)
	go func() {
		client, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{
			User: "demo", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
			HostKeyCallback: ssh.FixedHostKey(hostKey), Timeout: 10 * time.Second,
		})
		done <- result{client, err}
	}()
	select {
	case r := <-done:
		return r.client, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// command runs one command over SSH.
func (r *runner) command(line string) (string, error) {
	session, err := r.client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	var out, errs strings.Builder
	session.Stdout, session.Stderr = &out, &errs
	if err := session.Run(line); err != nil {
		return "", fmt.Errorf("%s: %w: %s", line, err, errs.String())
	}
	return out.String(), nil
}

// invite asks the server for the token that lets a machine's agent join.
func (r *runner) invite(machine string) (string, error) {
	out, err := r.command("agent invite --json " + machine)
	if err != nil {
		return "", err
	}
	var invite struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(out), &invite); err != nil {
		return "", fmt.Errorf("agent invite: %w", err)
	}
	return invite.Token, nil
}

func isTerminal() bool {
	return term.IsTerminal(os.Stdin.Fd()) && term.IsTerminal(os.Stdout.Fd())
}

// attach gives this terminal to a session of the dashboard until that ends.
func attach(ctx context.Context, client *ssh.Client) error {
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	if err := requestTerminal(session); err != nil {
		return err
	}
	stdin, err := session.StdinPipe()
	if err != nil {
		return err
	}
	session.Stdout, session.Stderr = os.Stdout, os.Stderr
	in := os.Stdin.Fd()
	raw, err := term.MakeRaw(in)
	if err != nil {
		return err
	}
	defer func() { _ = term.Restore(in, raw) }()
	if err := session.Shell(); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(stdin, os.Stdin) }() // ends with the process: standard input cannot be interrupted
	return attached(ctx, session)
}

// requestTerminal asks for a terminal like this one.
func requestTerminal(session *ssh.Session) error {
	width, height, err := term.GetSize(os.Stdout.Fd())
	if err != nil {
		return err
	}
	for _, name := range []string{"COLORTERM", "NO_COLOR", "LANG", "LC_ALL"} {
		if v, ok := os.LookupEnv(name); ok {
			_ = session.Setenv(name, v) // a server that refuses it draws without
		}
	}
	return session.RequestPty(os.Getenv("TERM"), height, width, ssh.TerminalModes{})
}

// attached hands on the terminal's size until the session ends, or ctx does.
func attached(ctx context.Context, session *ssh.Session) error {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	for {
		select {
		case <-resized:
			if width, height, err := term.GetSize(os.Stdout.Fd()); err == nil {
				_ = session.WindowChange(height, width)
			}
		case <-ctx.Done():
			// The server ends its sessions too; their last words leave the
			// terminal as it was.
			select {
			case <-ended:
			case <-time.After(3 * time.Second):
			}
			return nil
		case err := <-ended:
			var exit *ssh.ExitError
			if ctx.Err() == nil && errors.As(err, &exit) {
				return fmt.Errorf("the dashboard ended with status %d", exit.ExitStatus())
			}
			return nil
		}
	}
}
