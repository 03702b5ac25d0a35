package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	shareBridge = "hlshare"   // of the test's own
	shareServer = "192.0.2.1" // on it
)

// looker has a guest say on its serial console what it sees of itself and of a
// share. It is a role's user-data: that it runs shows that it was merged.
const looker = `#cloud-config
write_files:
- path: /usr/local/bin/look
  permissions: '0755'
  content: |
    #!/bin/sh
    say() { echo "seen: $1=$2." >/dev/ttyS0; }
    say address "$(ip -4 -o addr show dev nic0 | awk '{print $4}')"
    say route "$(ip -4 route show default | awk '{print $3}')"
    say hosts "$(getent hosts films | awk '{print $1, $2, $3}')"
    say own "$(grep -c '^127.0.1.1.*films-on-sharebench' /etc/hosts)"
    say locale "$(. /etc/default/locale; echo "$LANG")"
    say zone "$(cat /etc/timezone)"
    say schema "$(cloud-init schema --system 2>&1 | tr '\n' ' ')"
    say automount "$(systemctl is-active mnt-media.automount)"
    say mounted "$(findmnt -n -t nfs4 | wc -l)"
runcmd:
- systemd-run --unit=look /usr/local/bin/look
`

// TestLibvirtShare boots a guest with a real cloud-init at a static address
// while the server of its share is off, which does not keep it from booting:
// the share is there to be mounted by the first look into it, and is not yet.
func TestLibvirtShare(t *testing.T) {
	image := os.Getenv("HOMELAB_LIBVIRT_CLOUDINIT")
	if image == "" {
		t.Skip("needs a guest with cloud-init: run .ci/cloudinit-guest FOLDER as root and set HOMELAB_LIBVIRT_CLOUDINIT=FOLDER/cloudinit.qcow2")
	}
	b := newBenchOf(t, "sharebench", "cloudinit")
	b.bridge()
	b.must("hypervisor", "add", "sharebench", "--network", "bridge:"+shareBridge)
	b.must("pool", "edit", "sharebench", "default", "--path", b.pool)
	b.must("image", "add", "cloudinit", "--path", image)
	b.must("settings", "set", "--timezone", "Europe/Amsterdam", "--locale", "C.UTF-8", "--hosts")
	b.must("share", "add", "media", "--server", shareServer, "--export", "/media", "--option", "x-systemd.idle-timeout=10")
	if out, err := b.ssh([]byte(looker), "role", "edit", "looker", "--user-data", "-"); err != nil {
		t.Fatal(err, out)
	}
	b.must("vm", "add", "films", "--image", "cloudinit", "--memory", "512MiB", "--ip", "192.0.2.10/24", "--role", "looker", "--share", "media")
	b.join("sharebench", "")
	b.inSync("sharebench", 3*time.Minute)

	guest := b.listen("films_on_sharebench")
	guest.await("guest configured", 10*time.Minute)
	for _, want := range []string{
		"address=192.0.2.10/24.", "route=" + shareServer + ".", "hosts=192.0.2.10 films-on-sharebench films.", "own=1.", "locale=C.UTF-8.",
		"zone=Europe/Amsterdam.", "automount=active.", "mounted=0.",
	} {
		guest.await("seen: "+want, 2*time.Minute)
	}
	guest.await("seen: schema=Valid cloud-config: system userdata", 2*time.Minute)
	t.Logf("the share as the server sees it:\n%s", b.must("share", "show", "media"))
	b.must("vm", "remove", "films", "--yes")
	b.inSync("sharebench", 3*time.Minute)
}

// bridge makes a network of the test's own, on which only this machine is.
func (b *bench) bridge() {
	b.t.Helper()
	gone := func() { _ = exec.Command("ip", "link", "del", shareBridge).Run() }
	gone() // of a test that was killed
	b.t.Cleanup(gone)
	for _, args := range [][]string{
		{"link", "add", shareBridge, "type", "bridge"},
		{"addr", "add", shareServer + "/24", "dev", shareBridge},
		{"link", "set", shareBridge, "up"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			b.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// serialConsole is all that a guest says on its serial console.
type serialConsole struct {
	b    *bench
	mu   sync.Mutex
	said []string
}

// listen reads a guest's serial console until the test ends.
func (b *bench) listen(domain string) *serialConsole {
	b.t.Helper()
	tty, err := os.Open(b.virsh("ttyconsole", domain))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { tty.Close() })
	l := &serialConsole{b: b}
	go func() { // ends when the terminal is closed
		for s := bufio.NewScanner(tty); s.Scan(); {
			l.mu.Lock()
			l.said = append(l.said, strings.TrimRight(s.Text(), "\r"))
			l.mu.Unlock()
		}
	}()
	return l
}

// await waits until the guest has said a text.
func (l *serialConsole) await(text string, within time.Duration) {
	l.b.t.Helper()
	l.b.eventually("the guest says "+text, within, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, line := range l.said {
			if strings.Contains(line, text) {
				return nil
			}
		}
		return errors.New("it said\n" + strings.Join(l.said[max(0, len(l.said)-30):], "\n"))
	})
}
