package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// installation puts things into their places on this machine, or in a folder
// that will be the root of another one, and says what it does.
type installation struct {
	ctx     context.Context
	root    string // "" is this machine; made absolute by check
	dry     bool
	out     io.Writer
	changed bool // a file that the service is made of
}

func (i *installation) sayf(format string, args ...any) { fmt.Fprintf(i.out, format+"\n", args...) }

func (i *installation) path(name string) string { return filepath.Join("/", i.root, name) }

// check refuses what cannot succeed, before anything is changed.
func (i *installation) check() error {
	if i.root != "" {
		root, err := filepath.Abs(i.root)
		if info, bad := os.Stat(i.root); err != nil || bad != nil || !info.IsDir() {
			return fmt.Errorf("--root %s is no folder", i.root)
		}
		i.root = root
		return nil
	}
	if i.dry {
		return nil
	}
	if os.Geteuid() != 0 {
		return errors.New("this needs root: run it with sudo, or look at what it does with --dry-run")
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return errors.New("this machine does not run systemd: start `homelab serve` or `homelab agent` by the init system that it has; --dry-run shows the unit to go by")
	}
	return nil
}

// write makes a file have that content; it says so only where it differs.
func (i *installation) write(name string, data []byte) error {
	path := i.path(name)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		i.sayf("unchanged %s", name)
		return nil
	}
	i.changed = true
	if i.dry {
		i.sayf("would write %s:", name)
		for line := range strings.Lines(string(data)) {
			i.sayf("    %s", strings.TrimRight(line, "\n"))
		}
		return nil
	}
	if err := put(path, data, 0o644); err != nil {
		return err
	}
	i.sayf("wrote %s", name)
	return nil
}

// put writes a file whole or not at all, and its folder.
func put(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, mode, renameio.IgnoreUmask())
}

// binary puts this program in its place, unless a package has done so, and
// returns where that is.
func (i *installation) binary() (string, error) {
	own, err := Executable()
	if err != nil {
		return "", err
	}
	if i.root == "" && filepath.Dir(own) == "/usr/bin" {
		i.sayf("unchanged %s, which came with a package", own)
		return own, nil
	}
	data, err := os.ReadFile(own)
	if err != nil {
		return "", err
	}
	if old, err := os.ReadFile(i.path(installedBinary)); err == nil && bytes.Equal(old, data) {
		i.sayf("unchanged %s", installedBinary)
		return installedBinary, nil
	}
	i.changed = true
	if i.dry {
		i.sayf("would write %s, this binary: %s", installedBinary, ReadBuild())
		return installedBinary, nil
	}
	if err := put(i.path(installedBinary), data, 0o755); err != nil {
		return "", err
	}
	i.sayf("wrote %s: %s", installedBinary, ReadBuild())
	return installedBinary, nil
}

// Executable is the file of this program.
func Executable() (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(own)
}

// run runs a program of the system. With --root it works on that folder.
func (i *installation) run(name string, args ...string) error {
	if i.root != "" {
		args = append([]string{"--root=" + i.root}, args...)
	}
	line := strings.Join(append([]string{name}, args...), " ")
	if i.dry {
		i.sayf("would run %s", line)
		return nil
	}
	if out, err := exec.CommandContext(i.ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, bytes.TrimSpace(out))
	}
	i.sayf("ran %s", line)
	return nil
}

// start has systemd start a unit now and at each boot, and anew if what it is
// made of changed. Into another root nothing is started.
func (i *installation) start(unit string) error {
	if i.root != "" {
		return i.run("systemctl", "enable", unit)
	}
	verb := "start"
	if i.changed {
		verb = "restart"
	}
	return inOrder(
		func() error { return i.run("systemctl", "daemon-reload") },
		func() error { return i.run("systemctl", "enable", unit) },
		func() error { return i.run("systemctl", verb, unit) },
	)
}

// inOrder takes steps until one fails.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// completions installs the completion of the local commands for all shells.
func (i *installation) completions(root *cobra.Command) error {
	changed := i.changed // no reason for a restart
	defer func() { i.changed = changed }()
	for _, shell := range completionFiles {
		var b bytes.Buffer
		if err := shell.generate(root, &b); err != nil {
			return err
		}
		if i.dry {
			i.sayf("would write %s", shell.file)
			continue
		}
		if err := i.write(shell.file, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

var completionFiles = []struct {
	shell, file string
	generate    func(*cobra.Command, io.Writer) error
}{
	{"bash", "/usr/local/share/bash-completion/completions/homelab", func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) }},
	{"zsh", "/usr/local/share/zsh/site-functions/_homelab", func(c *cobra.Command, w io.Writer) error { return c.GenZshCompletion(w) }},
	{"fish", "/usr/local/share/fish/vendor_completions.d/homelab.fish", func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) }},
}

// keysOfCaller are the public keys of whoever ran sudo, or of root.
func keysOfCaller() []string {
	home, err := os.UserHomeDir()
	if name := os.Getenv("SUDO_USER"); name != "" {
		if u, lookup := user.Lookup(name); lookup == nil {
			home, err = u.HomeDir, nil
		}
	}
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
	return append([]string{filepath.Join(home, ".ssh", "authorized_keys")}, files...)
}
