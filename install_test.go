package main

import (
	"bytes"
	"flag"
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

var update = flag.Bool("update", false, "write the golden files anew")

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
	if keys, _ := os.ReadFile(filepath.Join(root, adminKeysFile)); !bytes.HasSuffix(keys, []byte(" ann\n")) || bytes.Contains(keys, []byte("bob")) {
		t.Errorf("keys: %s", keys)
	}

	again, err := homelab(t, args...)
	if err != nil || strings.Contains(again, "wrote") || strings.Count(again, "unchanged") != 7 {
		t.Errorf("the second time: %v\n%s", err, again)
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
	for _, file := range []string{agentData + "/identity.json", serverData + "/homelab.db"} {
		if err := put(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, what := range []string{"server", "agent"} {
		if out, err := homelab(t, "install", what, "--root", root); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	out, err := homelab(t, "uninstall", "server", "--root", root)
	if err != nil || !strings.Contains(out, "kept /var/lib/homelab/server") || !strings.Contains(out, "kept "+installedBinary) {
		t.Errorf("%v\n%s", err, out)
	}
	for file, want := range map[string]bool{
		installedBinary: true, unitFolder + "/" + agentUnit: true, unitFolder + "/" + serverUnit: false,
		serverData + "/homelab.db": true, agentData + "/identity.json": true,
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
		{[]string{"install", "server", "--root", root, "--authorized-keys", empty}, "no public key"},
		{[]string{"install", "server", "--root", root, "--port", "70000"}, "no port"},
		{[]string{"install", "server", "--root", root, "--address", "a\nb"}, "no address"},
		{[]string{"install", "server", "--root", filepath.Join(root, "none")}, "no folder"},
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
	err = portTaken(ln.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "port "+port+" is taken by ") || !strings.Contains(err.Error(), "(process "+strconv.Itoa(os.Getpid())+")") {
		t.Error(err)
	}
	out, err := homelab(t, "install", "server", "--dry-run", "--address", "127.0.0.1", "--port", port, "--authorized-keys", keyFile(t))
	if err != nil || !strings.Contains(out, "note: port "+port+" is taken by") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestUnits holds the units to their goldens, and to what systemd thinks of them.
func TestUnits(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		exposure   float64 // at most, as systemd-analyze security rates it
	}{
		{"server-2222", serverService("/usr/local/bin/homelab", ":2222"), 1.5},
		{"server-22", serverService("/usr/local/bin/homelab", "192.168.1.5:22"), 2},
		{"agent", agentService("/usr/local/bin/homelab"), 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden := filepath.Join("testdata", c.name+".service")
			if *update {
				if err := put(golden, []byte(c.unit), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), c.unit); d != "" {
				t.Errorf("-update if that is meant:\n%s", d)
			}
			analyze(t, c.unit, c.exposure)
		})
	}
}

func analyze(t *testing.T, unit string, exposure float64) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed (Debian's systemd)")
	}
	self, err := os.Executable() // verify wants the program to be there
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "homelab-test.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, installedBinary, self)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || bytes.Contains(out, []byte("homelab-test")) {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", file).CombinedOutput()
	overall := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
	if err != nil || overall == nil {
		t.Fatalf("security: %v\n%s", err, out)
	}
	if got, _ := strconv.ParseFloat(string(overall[1]), 64); got > exposure {
		t.Errorf("the exposure is %.1f, more than %.1f\n%s", got, exposure, out)
	} else {
		t.Logf("exposure %.1f", got)
	}
}
