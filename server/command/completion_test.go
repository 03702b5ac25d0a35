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
*"'show' 'we'"*) printf 'web\nwebmail\n:4\n' ;;
*"'--image=de'"*) printf 'debian-12\n:4\n' ;;
*"'ed'"*) printf 'edit\tChange fields of a VM\n:4\n' ;;
esac
`

// shells runs scripts in a real shell that has read the completion's.
func shells(t *testing.T, name string, args ...string) func(commands string) (out, noted string) {
	t.Helper()
	shell, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here", name)
	}
	dir := t.TempDir()
	script := must(t, openLab(t), "completion", name)
	for file, text := range map[string]string{"ssh": fakeSSH, "script": script} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return func(commands string) (out, noted string) {
		t.Helper()
		cmd := exec.Command(shell, append(args, "-c", commands)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "NOTED="+filepath.Join(dir, "noted"), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "SCRIPT="+filepath.Join(dir, "script"))
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
}

const quotedWords = "'vm' 'edit' 'it'\\''s' '--role' 'a  b'\n"

func TestBashCompletion(t *testing.T) {
	shell := shells(t, "bash", "--norc")
	complete := func(line string, words ...string) (out, noted string) {
		t.Helper()
		return shell(". $SCRIPT\nCOMP_LINE='" + line + "' COMP_POINT=${#COMP_LINE}\nCOMP_WORDS=(" + strings.Join(words, " ") + ") COMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_lab_complete\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
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
	if _, noted := shell(`. $SCRIPT; lab vm edit "it's" --role 'a  b' </dev/null`); noted != "192.0.2.1\n"+quotedWords {
		t.Errorf("words: %q", noted)
	}
	if _, noted := shell(`. $SCRIPT; lab </dev/null`); noted != "192.0.2.1\n" {
		t.Errorf("no words: %q", noted)
	}
}

func TestFishCompletion(t *testing.T) {
	shell := shells(t, "fish", "--no-config")
	for line, want := range map[string]string{
		"lab vm show we":          "web\nwebmail\n",
		"lab vm add x --image=de": "--image=debian-12\n",
		"lab vm ed":               "edit\tChange fields of a VM\n",
	} {
		if out, _ := shell("source $SCRIPT; complete -C '" + line + "'"); out != want {
			t.Errorf("%s: %q", line, out)
		}
	}
	if _, noted := shell(`source $SCRIPT; lab vm edit "it's" --role 'a  b' </dev/null`); noted != "192.0.2.1\n "+quotedWords {
		t.Errorf("words: %q", noted)
	}
}

func TestZshCompletion(t *testing.T) {
	shell := shells(t, "zsh", "-f")
	const setup = `compdef() { }; source $SCRIPT; _describe() { print -rl -- "${(@P)2}" }; compset() { }; `
	if out, noted := shell(setup + `words=(lab vm show we) CURRENT=4 PREFIX=we; _lab`); out != "web\nwebmail\n" || !strings.Contains(noted, "__complete 'vm' 'show' 'we'\n") {
		t.Errorf("names: %q\n%s", out, noted)
	}
	if out, _ := shell(setup + `words=(lab vm ed) CURRENT=3 PREFIX=ed; _lab`); out != "edit:Change fields of a VM\n" {
		t.Errorf("verbs: %q", out)
	}
	if _, noted := shell(setup + `lab vm edit "it's" --role 'a  b' </dev/null`); noted != "192.0.2.1\n"+quotedWords {
		t.Errorf("words: %q", noted)
	}
}
