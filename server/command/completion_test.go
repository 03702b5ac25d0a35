package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSSH stands in for ssh: it notes its words and answers as the server does.
const fakeSSH = `#!/bin/sh
printf '%s\n' "$@" > "$NOTED"
case "$*" in
*"'show' 'we'"*) printf 'web\nwebmail\n:4\nweb\\tx\n' | head -3 ;;
*"'--image=de'"*) printf 'debian-12\n:4\n' ;;
*"'ed'"*) printf 'edit\tChange fields of a VM\n:4\n' ;;
esac
`

// TestBashCompletion runs the script in a real bash.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	dir := t.TempDir()
	script := must(t, openLab(t), "completion", "bash")
	for name, text := range map[string]string{"ssh": fakeSSH, "lab.bash": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shell := func(commands string) (out, noted string) {
		t.Helper()
		cmd := exec.Command(bash, "--norc", "-c", ". "+filepath.Join(dir, "lab.bash")+"\n"+commands)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "NOTED="+filepath.Join(dir, "noted"), "HOME="+dir)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		words, err := os.ReadFile(filepath.Join(dir, "noted"))
		if err != nil {
			t.Fatalf("ssh was not called: %v\n%s", err, stderr.String())
		}
		return stdout.String(), string(words)
	}
	complete := func(line string, words ...string) (out, noted string) {
		t.Helper()
		return shell("COMP_LINE='" + line + "' COMP_POINT=${#COMP_LINE}\nCOMP_WORDS=(" + strings.Join(words, " ") + ") COMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_lab_complete\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
	}
	if out, noted := complete("lab vm show we", "lab", "vm", "show", "we"); out != "web\nwebmail\n" || !strings.Contains(noted, "192.0.2.1\n__complete 'vm' 'show' 'we'\n") {
		t.Errorf("names: %q\n%s", out, noted)
	}
	if out, _ := complete("lab vm add x --image=de", "lab", "vm", "add", "x", "--image", "=", "de"); out != "debian-12\n" {
		t.Errorf("a flag's value: %q", out)
	}
	if out, _ := complete("lab vm ed", "lab", "vm", "ed"); out != "edit\n" {
		t.Errorf("verbs: %q", out)
	}
	if _, noted := shell(`lab vm edit "it's" --role 'a  b' </dev/null`); noted != "192.0.2.1\n'vm' 'edit' 'it'\\''s' '--role' 'a  b'\n" {
		t.Errorf("words: %q", noted)
	}
	if _, noted := shell(`lab </dev/null`); noted != "192.0.2.1\n" {
		t.Errorf("no words: %q", noted)
	}
}
