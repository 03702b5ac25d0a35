package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// homelab runs the command line in this process.
func homelab(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// tree lists what a folder holds, with modes and contents' sizes.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		all = append(all, strings.TrimPrefix(path, dir)+" "+info.Mode().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func keyFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "id.pub")
	text := "# mine\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILsCvtvHG7JvU9IZtCQlvCFPM/tLUPNwfJpf5vlh98J7 ann\ncommand=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKoZ7CLn9dXQ3yTtW6mQVnsBQ5BkV4C3yWNVSXmzAiYa bob\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// anotherRoot is a folder that stands for a machine with systemd.
func anotherRoot(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"systemctl", "systemd-sysusers"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian's systemd)", tool)
		}
	}
	return t.TempDir()
}

func TestInstallAndUninstall(t *testing.T) {
	root := anotherRoot(t)
	args := []string{"install", "server", "--root", root, "--port", "22", "--authorized-keys", keyFile(t)}
	if out, err := homelab(t, append(args, "--dry-run")...); err != nil || len(tree(t, root)) > 0 {
		t.Fatalf("a dry run left %v: %v\n%s", tree(t, root), err, out)
	}
	if out, err := homelab(t, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"/etc/homelab/authorized_keys -rw-r--r--", "/etc/systemd/system/homelab-server.service -rw-r--r--",
		"/etc/systemd/system/multi-user.target.wants/homelab-server.service Lrwxrwxrwx", "/etc/sysusers.d/homelab.conf -rw-r--r--",
		"/usr/local/bin/homelab -rwxr-xr-x", "/usr/local/share/bash-completion/completions/homelab -rw-r--r--",
		"/usr/local/share/fish/vendor_completions.d/homelab.fish -rw-r--r--", "/usr/local/share/zsh/site-functions/_homelab -rw-r--r--",
	}
	ofPasswd := regexp.MustCompile(`^/etc/(passwd|shadow|group|gshadow|\.pwd\.lock)`)
	got := []string{}
	for _, file := range tree(t, root) {
		if !ofPasswd.MatchString(file) {
			got = append(got, file)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if passwd, _ := os.ReadFile(filepath.Join(root, "etc/passwd")); !regexp.MustCompile(`(?m)^homelab:.*:/var/lib/homelab/server:\S*nologin$`).Match(passwd) {
		t.Errorf("the user is not there: %s", passwd)
	}
	if keys, _ := os.ReadFile(filepath.Join(root, "/etc/homelab/authorized_keys")); !bytes.HasSuffix(keys, []byte(" ann\n")) || bytes.Contains(keys, []byte("bob")) {
		t.Errorf("keys: %s", keys)
	}

	// A path from where one stands is the same folder.
	t.Chdir(filepath.Dir(root))
	args[3] = filepath.Base(root)
	again, err := homelab(t, args...)
	if err != nil || strings.Contains(again, "wrote") || strings.Count(again, "unchanged") != 7 {
		t.Errorf("the second time: %v\n%s", err, again)
	}
	args[5] = "2222"
	if moved, err := homelab(t, args...); err != nil || !strings.Contains(moved, "agents that have joined look for it on port 22 still") {
		t.Errorf("on another port: %v\n%s", err, moved)
	}
	out, err := homelab(t, "uninstall", "--root", root)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range tree(t, root) {
		if !ofPasswd.MatchString(file) {
			t.Errorf("uninstall left %s\n%s", file, out)
		}
	}
}

// TestUninstallOne keeps what the other service needs, and all data.
func TestUninstallOne(t *testing.T) {
	root := anotherRoot(t)
	for _, file := range []string{"/var/lib/homelab/agent/identity.json", "/var/lib/homelab/server/homelab.db"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755), os.WriteFile(filepath.Join(root, file), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range []string{"server", "agent"} {
		if out, err := homelab(t, "install", what, "--root", root); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	out, err := homelab(t, "uninstall", "server", "--root", root)
	if err != nil || !strings.Contains(out, "kept /var/lib/homelab/server") || !strings.Contains(out, "kept "+"/usr/local/bin/homelab") {
		t.Errorf("%v\n%s", err, out)
	}
	for file, want := range map[string]bool{
		"/usr/local/bin/homelab": true, "/etc/systemd/system/homelab-agent.service": true, "/etc/systemd/system/homelab-server.service": false,
		"/var/lib/homelab/server/homelab.db": true, "/var/lib/homelab/agent/identity.json": true,
	} {
		if _, err := os.Stat(filepath.Join(root, file)); (err == nil) != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestInstallRefuses(t *testing.T) {
	root := t.TempDir()
	empty := filepath.Join(root, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"install", "agent", "--root", root}, "give --join TOKEN"},
		{[]string{"install", "agent", "--root", root, "--join", "nonsense"}, "token"},
		{[]string{"install", "agent", "--root", root, "--server", "nas:22"}, "give --join TOKEN"},
		{[]string{"install", "server", "--root", root, "--authorized-keys", empty}, "no public key"},
		{[]string{"install", "agent", "--root", root, "--join", "nonsense", "--dry-run"}, "token"},
		{[]string{"install", "server", "--root", root, "--port", "70000"}, "no port"},
		{[]string{"install", "server", "--root", root, "--port", "ssh"}, `"--port" flag: must be a whole number`},
		{[]string{"install", "server", "--root", root, "--address", "a\nb"}, "no address"},
		{[]string{"install", "server", "--root", filepath.Join(root, "none")}, "no folder"},
		{[]string{"install", "server", "--root", filepath.Join(root, "none"), "--dry-run"}, "no folder"},
		{[]string{"install"}, "server or agent"},
		{[]string{"uninstall", "printer", "--root", root}, "not server or agent"},
	} {
		if _, err := homelab(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
	if left := tree(t, root); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestInstallNamesWhatIsInTheWay has this test listen where the server would.
func TestInstallNamesWhatIsInTheWay(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	out, err := homelab(t, "install", "server", "--dry-run", "--address", "127.0.0.1", "--port", port, "--authorized-keys", keyFile(t))
	if err != nil || !strings.Contains(out, "note: port "+port+" is taken by") {
		t.Errorf("%v\n%s", err, out)
	}
}
