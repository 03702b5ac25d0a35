package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	shareBridge = "hlshare"      // of the test's own
	shareServer = "198.51.100.1" // on it
	sharePort   = "2049"
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
    say dns "$(sed -n 's/^DNS=//p' /run/systemd/network/*nic0.network)"
    say second "$(cat /sys/class/net/nic1/address)"
    say hosts "$(getent hosts films | awk '{print $1, $2, $3}')"
    say own "$(grep -c '^127.0.1.1.*films-on-cloudbench' /etc/hosts)"
    say locale "$(. /etc/default/locale; echo "$LANG")"
    say zone "$(cat /etc/timezone)"
    say root "$(df --output=size -BM / | tail -n 1 | tr -d ' ')"
    say extra "$(cat /sys/block/vdb/size)"
    say automount "$(systemctl is-active mnt-media.automount)"
    say mounted "$(grep -c ' nfs4 ' /proc/mounts)"
    say schema "$(cloud-init schema --system 2>&1 | tr '\n' ' ')"
    until [ "$(cat /sys/block/vda/size)" = 8388608 ]; do sleep 1; done
    cloud-init single --name growpart --frequency always >/dev/null 2>&1
    cloud-init single --name resizefs --frequency always >/dev/null 2>&1
    say regrown "$(df --output=size -BM / | tail -n 1 | tr -d ' ')"
    until text=$(cat /mnt/media/hello 2>/dev/null); do sleep 1; done
    say share "$text"
    say mount "$(awk '/ nfs4 /{print $1, $2}' /proc/mounts)"
    while grep -q ' nfs4 ' /proc/mounts; do sleep 1; done
    say idle unmounted
runcmd:
- systemd-run --unit=look /usr/local/bin/look
`

// TestLibvirtCloudInit boots a guest with a real cloud-init at a static address
// while the server of its share is off, which does not keep it from booting,
// and sees what becomes of all that its seed says. The guest boots but once: it
// takes a minute and more.
func TestLibvirtCloudInit(t *testing.T) {
	image := os.Getenv("HOMELAB_LIBVIRT_CLOUDINIT")
	if image == "" {
		t.Skip("needs a guest with cloud-init: run .ci/cloudinit-guest FOLDER as root and set HOMELAB_LIBVIRT_CLOUDINIT=FOLDER/cloudinit.qcow2")
	}
	if _, err := exec.LookPath("ganesha.nfsd"); err != nil {
		t.Skip("needs a storage server: .ci/libvirt installs nfs-ganesha and nfs-ganesha-vfs")
	}
	b := newBenchOf(t, "cloudbench", "cloudinit")
	b.bridge()
	b.must("hypervisor", "add", "cloudbench", "--network", "bridge:"+shareBridge)
	b.must("pool", "edit", "cloudbench", "default", "--path", b.pool)
	b.must("image", "add", "cloudinit", "--path", image)
	b.must("salt", "master", "add", "pi", "--address", shareServer)
	b.must("settings", "set", "--timezone", "Europe/Amsterdam", "--locale", "C.UTF-8", "--hosts", "--gateway", "198.51.100.3", "--dns", "198.51.100.4", "--salt-master", "pi")
	b.must("share", "add", "media", "--server", shareServer, "--export", "/media", "--option", "x-systemd.idle-timeout=5")
	if out, err := b.ssh([]byte(looker), "role", "edit", "looker", "--user-data", "-"); err != nil {
		t.Fatal(err, out)
	}
	b.must("vm", "add", "films", "--image", "cloudinit", "--memory", "512MiB", "--cpus", "2", "--role", "looker", "--share", "media",
		"--ip", "198.51.100.10/24", "--gateway", "198.51.100.2", "--dns", "198.51.100.5", "--nics", "2", "--disk", "3GiB", "--extra-disk", "1GiB")
	b.join("cloudbench", "")
	b.inSync("cloudbench", 3*time.Minute)

	guest := b.listen("films_on_cloudbench")
	guest.await("guest configured", 10*time.Minute)
	t.Run("what the seed says", func(t *testing.T) {
		for _, want := range []string{
			"address=198.51.100.10/24.", "route=198.51.100.2.", "dns=198.51.100.5.", "second=52:54:", "hosts=198.51.100.10 films-on-cloudbench films.",
			"own=1.", "locale=C.UTF-8.", "zone=Europe/Amsterdam.", "extra=2097152.", "automount=active.", "mounted=0.",
			"schema=Valid cloud-config: system userdata",
		} {
			guest.await("seen: "+want, time.Minute)
		}
	})
	t.Run("its disk grows and the file system with it", func(t *testing.T) {
		guest.awaitBetween("root", 2700, 3100)
		b.must("vm", "edit", "films", "--disk", "4GiB", "--yes")
		guest.awaitBetween("regrown", 3700, 4100)
	})
	t.Run("its share is mounted on demand", func(t *testing.T) {
		b.exportMedia()
		guest.await("seen: share=what is on the NAS.", 2*time.Minute)
		guest.await("seen: mount="+shareServer+":/media /mnt/media.", time.Minute)
		guest.await("seen: idle=unmounted.", time.Minute)
	})
	t.Run("it is shown with its address and what it uses", b.showsGuest)
	t.Run("it is a minion", func(t *testing.T) { b.isMinion(t, "films") })
	b.must("vm", "remove", "films", "--yes")
	b.inSync("cloudbench", 3*time.Minute)
}

func (b *bench) showsGuest(t *testing.T) {
	if got := b.addressed("films", 1); got[0] != "198.51.100.10" {
		t.Errorf("its address is %s", got)
	}
	t.Logf("vm show:\n%s", b.must("vm", "show", "films", "--json"))
}

// addressed waits until the server knows n addresses of a VM's guest.
func (b *bench) addressed(vm string, n int) []string {
	b.t.Helper()
	var seen struct{ Status struct{ Addresses []string } }
	b.eventually("the server knows the addresses of "+vm, 90*time.Second, func() error {
		out, err := b.ssh(nil, "vm", "show", vm, "--json")
		if err == nil {
			err = json.Unmarshal([]byte(out), &seen)
		}
		if err == nil && len(seen.Status.Addresses) != n {
			err = errors.New(fmt.Sprint(seen.Status.Addresses))
		}
		return err
	})
	b.t.Logf("%s has %s", vm, seen.Status.Addresses)
	return seen.Status.Addresses
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

// exportMedia has a real storage server export a folder on the bridge until
// the test ends. It is one that needs no kernel module.
func (b *bench) exportMedia() {
	b.t.Helper()
	dir := filepath.Join(b.dir, "media")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	conf, log := filepath.Join(b.dir, "ganesha.conf"), filepath.Join(b.dir, "ganesha.log")
	for file, text := range map[string]string{
		filepath.Join(dir, "hello"): "what is on the NAS\n",
		conf: fmt.Sprintf(`NFS_CORE_PARAM { Protocols = 4; Bind_addr = %s; NFS_Port = %s; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSV4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = %s; }
EXPORT { Export_Id = 1; Path = %s; Pseudo = /media; Access_Type = RO; SecType = sys; Protocols = 4; Transports = TCP; FSAL { Name = VFS; } }
`, shareServer, sharePort, b.dir, dir),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	nfs := exec.Command("ganesha.nfsd", "-F", "-f", conf, "-L", log, "-p", filepath.Join(b.dir, "ganesha.pid"))
	if err := nfs.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = nfs.Process.Kill()
		_ = nfs.Wait()
	})
	b.eventually("the storage server listens", 30*time.Second, func() error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(shareServer, sharePort), time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
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

// awaitBetween waits until the guest has said a size in MiB, and fails unless it
// is between two.
func (l *serialConsole) awaitBetween(name string, least, most int) {
	l.b.t.Helper()
	l.await("seen: "+name+"=", 2*time.Minute)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.said {
		var mib int
		if _, rest, ok := strings.Cut(line, "seen: "+name+"="); ok {
			if n, err := fmt.Sscanf(rest, "%dM.", &mib); n != 1 || mib < least || mib > most {
				l.b.t.Fatalf("%s is %s, %v: want %d to %d MiB", name, rest, err, least, most)
			}
		}
	}
}
