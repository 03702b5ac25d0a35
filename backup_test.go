package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"homelab/model"
)

// dial connects as the admin, without the system's client.
func (l *lab) dial() *ssh.Client {
	l.t.Helper()
	text, err := os.ReadFile(l.key())
	if err != nil {
		l.t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		l.t.Fatal(err)
	}
	client, err := ssh.Dial("tcp", l.listen, &ssh.ClientConfig{
		User: "tester", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: 10 * time.Second,
		HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error { return nil }, // loopback
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { client.Close() })
	return client
}

func (l *lab) serverData(names ...string) string {
	return filepath.Join(append([]string{l.dir, "server"}, names...)...)
}

func (l *lab) vm(name string) (vm model.VM) {
	l.t.Helper()
	l.decode(l.must("vm", "show", name, "--json"), &vm)
	return vm
}

// TestKillInTheMiddleOfWrites: after kill -9 every write that was acknowledged
// is there, and the file opens.
func TestKillInTheMiddleOfWrites(t *testing.T) {
	const writers, writes = 4, 1000
	l := newLab(t)
	l.must("hypervisor", "add", "h1", "--platform", "sandbox")
	l.must("image", "add", "img", "--path", "/srv/img.qcow2")
	for i := range writers {
		l.must("vm", "add", fmt.Sprintf("v%d", i), "--hypervisor", "h1", "--image", "img")
	}
	client := l.dial()
	var acked [writers]int
	var total atomic.Int64
	middle := make(chan struct{})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for n := 1; n <= writes/writers; n++ {
				session, err := client.NewSession()
				if err != nil {
					return
				}
				if err := session.Run(fmt.Sprintf("vm edit v%d --memory %d --yes", w, 1024+n)); err != nil {
					return
				}
				acked[w] = 1024 + n
				if total.Add(1) == writes/3 {
					close(middle)
				}
			}
		})
	}
	<-middle
	l.server.kill()
	writing.Wait()
	t.Logf("killed after %d acknowledged writes", total.Load())
	if total.Load() >= writes {
		t.Fatal("it was killed too late")
	}
	if out, err := homelab(t, "check", l.serverData("homelab.db")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l.serve()
	for w := range writers {
		if got := l.vm(fmt.Sprintf("v%d", w)).MemoryMiB; got != acked[w] && got != acked[w]+1 {
			t.Errorf("v%d has %d, and %d was acknowledged", w, got, acked[w])
		}
	}
	l.must("vm", "edit", "v0", "--memory", "4096", "--yes")
}

func TestBackupAndRestore(t *testing.T) {
	l := newLab(t)
	l.must("hypervisor", "add", "h1", "--platform", "sandbox")
	l.must("image", "add", "img", "--path", "/srv/img.qcow2")
	l.must("vm", "add", "web", "--hypervisor", "h1", "--image", "img", "--memory", "2048")
	before := l.vm("web")
	copied := []byte(l.must("backup"))
	file := filepath.Join(l.dir, "homelab.db")
	if err := os.WriteFile(file, copied, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := homelab(t, "check", file); err != nil || !strings.Contains(out, "is sound: revision ") || !strings.Contains(out, "hypervisors: 1, VMs: 1, users: 1") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := homelab(t, "check", l.serverData("homelab.db")); err == nil || !strings.Contains(err.Error(), "check a copy: ssh homelab.lan backup") {
		t.Errorf("of a server that runs: %v", err)
	}

	// The desired state alone, by one revision.
	l.must("vm", "remove", "web", "--yes")
	l.must("vm", "add", "new", "--hypervisor", "h1", "--image", "img")
	l.must("user", "add", "bob", "--role", "viewer")
	if out, err := l.ssh(copied, "restore", "--dry-run"); err != nil || !strings.Contains(out, "nothing is changed") {
		t.Errorf("%v\n%s", err, out)
	}
	for name, given := range map[string][]byte{"nothing": nil, "half a backup": copied[:len(copied)/2], "something else": bytes.Repeat([]byte("no backup "), 1000)} {
		if out, err := l.ssh(given, "restore", "--yes"); err == nil || !strings.Contains(err.Error(), "is no sound backup of homelab (") ||
			!strings.Contains(err.Error(), "nothing was changed; make one by `ssh homelab.lan backup > homelab.db`") || strings.Contains(err.Error(), "--restore") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := l.ssh(copied, "restore", "--yes"); err != nil || !strings.Contains(out, "the lab is as it was at revision") {
		t.Fatalf("%v\n%s", err, out)
	}
	if after := l.vm("web"); after.ID != before.ID || after.MemoryMiB != 2048 {
		t.Errorf("restored %+v of %+v", after, before)
	}
	if users := l.must("user", "list"); !strings.Contains(users, "bob") {
		t.Errorf("the users are not as they were:\n%s", users)
	}
	var revisions []model.Revision
	l.decode(l.must("history", "--limit", "1", "--json"), &revisions)
	l.must("undo", strconv.FormatUint(revisions[0].Number, 10), "--yes")
	if names := l.must("vm", "list"); strings.Contains(names, "web") || !strings.Contains(names, "new") {
		t.Errorf("undone:\n%s", names)
	}

	// All of it, by a server that starts anew.
	l.server.terminate()
	l.server = l.start("server", "serve", "--listen", l.listen, "--data", l.serverData(), "--restore", file)
	l.eventually("the restored server answers", 20*time.Second, func() error {
		out, err := l.ssh(nil, "vm", "list")
		if err == nil && (strings.Contains(out, "new") || !strings.Contains(out, "web")) {
			err = errors.New(out)
		}
		return err
	})
	if users := l.must("user", "list"); strings.Contains(users, "bob") {
		t.Errorf("bob came after the backup:\n%s", users)
	}
	if kept, _ := filepath.Glob(l.serverData("homelab.db.before-restore-*")); len(kept) != 1 {
		t.Errorf("the store before is not kept: %v", kept)
	}
}

// TestDamagedServerSaysWhatToRestore follows what it says.
func TestDamagedServerSaysWhatToRestore(t *testing.T) {
	l := newLab(t)
	l.must("image", "add", "img", "--path", "/srv/img.qcow2")
	l.server.terminate()
	l.serve() // makes the copy of the day
	l.eventually("the copy of the day is there", 10*time.Second, func() error {
		if copies, _ := filepath.Glob(l.serverData("backups", "homelab-*.db")); len(copies) != 1 {
			return fmt.Errorf("there are %d", len(copies))
		}
		return nil
	})
	l.server.terminate()
	if err := os.Truncate(l.serverData("homelab.db"), 5000); err != nil {
		t.Fatal(err)
	}
	p := l.start("damaged", "serve", "--listen", l.listen, "--data", l.serverData())
	<-p.done
	said, _ := os.ReadFile(filepath.Join(l.dir, "damaged.log"))
	_, advice, ok := strings.Cut(string(said), "restore the newest sound copy with `homelab ")
	if !ok || p.cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("status %d:\n%s", p.cmd.ProcessState.ExitCode(), said)
	}
	advice, _, _ = strings.Cut(advice, "`")
	l.server = l.start("server", append(strings.Fields(advice), "--listen", l.listen)...)
	l.eventually("the restored server answers", 20*time.Second, func() error {
		out, err := l.ssh(nil, "image", "list", "--json")
		var images []model.Image
		if err == nil {
			err = json.Unmarshal([]byte(out), &images)
		}
		if err == nil && len(images) != 1 {
			err = errors.New(out)
		}
		return err
	})
}
