package main

import (
	"archive/tar"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"homelab/agent/wire"
)

// isMinion stops a guest that was configured and looks on its disk for what makes
// it a minion: key, ID, master and grains.
func (b *bench) isMinion(t *testing.T, vm string) {
	domain, host := vm+"_on_"+b.hypervisor, vm+"-on-"+b.hypervisor
	b.must("vm", "stop", vm, "--yes")
	b.eventually("the guest is off", 2*time.Minute, func() error {
		if s := b.virsh("domstate", domain); s != "shut off" {
			return errors.New(s)
		}
		return nil
	})
	disk := b.rootDisk(domain)

	var conf struct{ Master, ID string }
	decodeYAML(t, disk.read("/etc/salt/minion"), &conf)
	if conf.Master != shareServer || conf.ID != host {
		t.Errorf("the minion asks %q as %q", conf.Master, conf.ID)
	}
	var grains struct{ Role, Hypervisor string }
	decodeYAML(t, disk.read("/etc/salt/grains"), &grains)
	if grains.Role != "looker" || grains.Hypervisor != b.hypervisor {
		t.Errorf("grains: %+v", grains)
	}
	private, public := disk.read("/etc/salt/pki/minion/minion.pem"), disk.read("/etc/salt/pki/minion/minion.pub")
	samePair(t, private, public)
	if stat := disk.debugfs("stat /etc/salt/pki/minion/minion.pem"); !strings.Contains(stat, "Mode:  0400") {
		t.Errorf("the private key is there for more than root:\n%s", stat)
	}
	if seeded := b.seedOf(b.hypervisor, vm); strings.TrimSpace(seeded.Private) != strings.TrimSpace(private) || strings.TrimSpace(seeded.Public) != strings.TrimSpace(public) {
		t.Error("the guest has another key than the server handed out")
	}
	if text := b.must("config", b.hypervisor) + b.must("config", b.hypervisor, "--json"); strings.Contains(text, strings.Split(private, "\n")[1]) || !strings.Contains(text, "(withheld)") {
		t.Error("the config to read holds the private key")
	}
}

// rootDisk is the file system on a guest's disk while the guest is off.
type rootDisk struct {
	b   *bench
	raw string
}

// rootOffset is where .ci/cloudinit-guest puts the root file system.
const rootOffset = 65 << 20

func (b *bench) rootDisk(domain string) rootDisk {
	b.t.Helper()
	raw := filepath.Join(b.dir, domain+".raw")
	if out, err := exec.Command("qemu-img", "convert", "-O", "raw", filepath.Join(b.pool, domain), raw).CombinedOutput(); err != nil {
		b.t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	return rootDisk{b, raw}
}

func (d rootDisk) debugfs(request string) string {
	d.b.t.Helper()
	cmd := exec.Command("debugfs", "-R", request, fmt.Sprintf("%s?offset=%d", d.raw, rootOffset))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || strings.Contains(errs.String(), "File not found") {
		d.b.t.Fatalf("debugfs %s: %v\n%s", request, err, errs.String())
	}
	return string(out)
}

func (d rootDisk) read(file string) string {
	d.b.t.Helper()
	return d.debugfs("cat " + file)
}

func decodeYAML(t *testing.T, text string, v any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
}

// samePair fails unless the texts are the two halves of one RSA key.
func samePair(t *testing.T, private, public string) {
	t.Helper()
	one, _ := pem.Decode([]byte(private))
	two, _ := pem.Decode([]byte(public))
	if one == nil || two == nil {
		t.Fatal("the keys are no PEM")
	}
	key, err := x509.ParsePKCS1PrivateKey(one.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	half, err := x509.ParsePKIXPublicKey(two.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if pub, ok := half.(*rsa.PublicKey); !ok || !key.PublicKey.Equal(pub) {
		t.Error("the public key is not that of the private one")
	}
}

// minionKeys are what a VM's seed hands to its minion.
type minionKeys struct {
	Private string `yaml:"private_key"`
	Public  string `yaml:"public_key"`
}

// seedOf reads a VM's seed in the config that the hypervisor's agent gets.
func (l *lab) seedOf(hypervisor, vm string) minionKeys {
	l.t.Helper()
	r := tar.NewReader(strings.NewReader(l.must("config", hypervisor, "--tar")))
	if _, err := r.Next(); err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		l.t.Fatal(err)
	}
	var m wire.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		l.t.Fatal(err)
	}
	for _, v := range m.VMs {
		if seed, ok := m.SeedOf(v); ok && v.Name == vm {
			var data struct {
				Salt minionKeys `yaml:"salt_minion"`
			}
			if err := yaml.Unmarshal([]byte(seed.UserData), &data); err != nil {
				l.t.Fatal(err)
			}
			return data.Salt
		}
	}
	l.t.Fatalf("VM %s has no seed", vm)
	return minionKeys{}
}
