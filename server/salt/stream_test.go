package salt

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"homelab/model"
)

// follow is the process that TestKilledServer kills.
func follow(dir string) {
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		panic(err)
	}
	f := fake{dir: dir, bin: bin}
	err = NewFollower(Options{Master: Master{Name: "pi", Reach: f.env()}}).Run(context.Background())
	panic(err)
}

// processes are those that were started for a fake, by any number of shells.
func (f *fake) processes() []string {
	f.t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(dirs) == 0 {
		f.t.Skip("there is no /proc")
	}
	var found []string
	for _, dir := range dirs {
		env, _ := os.ReadFile(dir + "/environ")
		if slices.Contains(strings.Split(string(env), "\x00"), "SALT_FAKE="+f.dir) {
			argv, _ := os.ReadFile(dir + "/cmdline")
			found = append(found, filepath.Base(dir)+" "+strings.ReplaceAll(string(argv), "\x00", " "))
		}
	}
	return found
}

// await waits for a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (f *fake) none() bool { return len(f.processes()) == 0 }

// streams waits for a salt-run that is not old, and returns its number.
func (f *fake) streams(old int) (pid int) {
	f.t.Helper()
	await(f.t, "an event stream", func() bool {
		b, _ := os.ReadFile(filepath.Join(f.dir, "event.pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid != 0 && pid != old
	})
	return pid
}

func startEvent(id string) string {
	return "salt/minion/" + id + "/start\t" + `{"id": "` + id + `", "pad": "` + strings.Repeat("x", 300<<10) + "\"}\n"
}

// TestStream runs a follower with real processes: stopped, and with a salt-run
// that dies, here and through ssh.
func TestStream(t *testing.T) {
	for _, way := range []string{"here", "ssh"} {
		t.Run(way, func(t *testing.T) {
			f := newFake(t)
			for _, id := range []string{"web", "db", "mail"} {
				f.key("minions", id, "")
			}
			if way == "ssh" {
				f.Reach = append(append(f.env(), "ssh", "pi2"), f.env()...)
			}
			follower := NewFollower(Options{Master: f.Master})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error)
			go func() { ended <- follower.Run(ctx) }()

			first := f.streams(0)
			f.append("events", startEvent("db"))
			has := func(id string, state model.SaltState) func() bool {
				return func() bool { return follower.Snapshot().Minions[id].State == state }
			}
			await(t, "an event", has("db", model.SaltUp))
			await(t, "who is up", has("web", model.SaltUp))

			if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			second := f.streams(first)
			f.append("events", startEvent("mail"))
			await(t, "an event after that", has("mail", model.SaltUp))
			if _, err := os.Stat("/proc/" + strconv.Itoa(first)); err == nil {
				t.Error("the salt-run that died is still there")
			}

			if err := syscall.Kill(second, syscall.SIGTERM); err != nil { // with a traceback
				t.Fatal(err)
			}
			f.streams(second)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the follower ended with %v", err)
			}
			await(t, "the end of all processes", f.none)
		})
	}
}

// TestKilledServer kills a process that follows.
func TestKilledServer(t *testing.T) {
	f := newFake(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SALT_TEST_HELPER="+f.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.streams(0)
	if f.none() {
		t.Fatal("the processes of a follower are not found")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the end of all processes", f.none)
}

// TestStubborn has a stream that ends neither with its input nor on SIGTERM.
func TestStubborn(t *testing.T) {
	f := newFake(t)
	defer func(d time.Duration) { grace = d }(grace)
	grace = 500 * time.Millisecond
	f.Reach = append(f.env(), "sh", "-c", `trap "" TERM; echo up; while :; do wait || sleep 1000; done`)
	s, err := f.events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if line, err := s.Read(); err != nil || string(line) != "up" {
		t.Fatalf("it said %q, %v", line, err)
	}
	if err := s.Close(); err == nil {
		t.Error("a stream that was killed ended well")
	}
	await(t, "the end of all processes", f.none)
	if _, err := (Master{Reach: []string{"/nonexistent"}}).events(t.Context()); err == nil {
		t.Error("a program that is not there gives events")
	}
}

// TestDeadlineGroup looks for what a command that hangs leaves behind.
func TestDeadlineGroup(t *testing.T) {
	f := newFake(t)
	f.Reach = append(f.env(), "sh", "-c", "sleep 1000 & sleep 1000")
	f.Deadline = 100 * time.Millisecond
	if _, err := f.Keys(t.Context()); err == nil {
		t.Error("it did not fail")
	}
	await(t, "the end of all processes", f.none)
}

func TestReadLine(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	r := bufio.NewReader(strings.NewReader("a\n\n" + long[:maxLine-1] + "\n" + long + "\nb\ncut"))
	for i, want := range []string{"a", "", long[:maxLine-1], "", "b"} {
		if line, err := readLine(r); err != nil || string(line) != want {
			t.Errorf("line %d has %d bytes, error %v", i, len(line), err)
		}
	}
	if line, err := readLine(r); string(line) != "cut" || !errors.Is(err, io.EOF) {
		t.Errorf("the end is %q, %v", line, err)
	}
}
