package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// The tests of this file need libvirt. They run when HOMELAB_LIBVIRT_URI names
// it, with HOMELAB_LIBVIRT_GUEST a small guest that writes "guest up" and what
// it reads of its seed to its serial console. Terraform must find the provider.

func libvirtFor(t *testing.T) (uri, image string) {
	t.Helper()
	uri, image = os.Getenv("HOMELAB_LIBVIRT_URI"), os.Getenv("HOMELAB_LIBVIRT_GUEST")
	if uri == "" || image == "" {
		t.Skip("set HOMELAB_LIBVIRT_URI and HOMELAB_LIBVIRT_GUEST to run this test")
	}
	if rc := os.Getenv("HOMELAB_LIBVIRT_TERRAFORMRC"); rc != "" {
		t.Setenv("TF_CLI_CONFIG_FILE", rc)
	}
	return uri, image
}

func virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryVirsh(args...)
	if err != nil {
		t.Fatalf("virsh %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryVirsh(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "virsh", append([]string{"-q", "-c", os.Getenv("HOMELAB_LIBVIRT_URI")}, args...)...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// libvirtLab is a config of one VM that tests change.
type libvirtLab struct {
	t       *testing.T
	id      string
	name    string
	pool    string // path of the default pool
	console string
	image   string
	domain  bool
	running bool
	memory  int
	user    string // of the seed
	ramdisk string // path of a pool in memory with an extra disk; empty is none
}

func newLibvirtLab(t *testing.T, image string) *libvirtLab {
	id := model.NewID()
	l := &libvirtLab{
		t: t, id: id, name: "hlagent-" + id[:6], image: image, domain: true, running: true, memory: 128, user: "#cloud-config\n# first\n",
		pool: "/var/lib/libvirt/images", console: filepath.Join(t.TempDir(), "console.log"),
	}
	if text, err := tryVirsh("pool-dumpxml", defaultPool); err == nil {
		_, rest, _ := strings.Cut(text, "<path>")
		l.pool, _, _ = strings.Cut(rest, "</path>")
	}
	t.Cleanup(func() {
		_, _ = tryVirsh("destroy", l.domainName())
		_, _ = tryVirsh("undefine", l.domainName())
		for _, v := range append(volumesOf(l.vm()), volume{defaultPool, l.base()}) {
			_, _ = tryVirsh("vol-delete", v.Name, defaultPool)
		}
	})
	return l
}

func (l *libvirtLab) domainName() string { return l.name + "_on_hv1" }
func (l *libvirtLab) extra() string      { return l.domainName() + "_extra" }
func (l *libvirtLab) base() string       { return "base-" + l.name + ".qcow2" }

func (l *libvirtLab) vm() wire.VM {
	vm := wire.VM{ID: l.id, Name: l.name, Running: l.running, RootVolume: l.domainName()}
	if l.domain {
		vm.DomainName = l.domainName()
		vm.SeedISO = fmt.Sprintf("%s-%x.iso", l.name, len(l.user))
		vm.SeedVolume = l.domainName() + "-seed.iso"
		vm.Seed = &wire.Seed{UserData: l.user, MetaData: "instance-id: " + l.id + "\nlocal-hostname: " + l.name + "\n", NetworkConfig: "version: 2\n"}
	}
	if l.ramdisk != "" {
		vm.ExtraVolume, vm.ExtraPool = l.extra(), l.name
	}
	return vm
}

func (l *libvirtLab) config() []byte {
	vm := l.vm()
	m := wire.Manifest{
		Version: 1, Hypervisor: "hv1", Platform: model.PlatformLibvirt, Accel: model.AccelAuto, VMs: []wire.VM{vm},
		Pools:  []wire.Pool{{Name: defaultPool, Path: l.pool}},
		Images: []wire.Image{{Name: "guest", Volume: l.base(), Path: l.image}},
	}
	files := map[string]string{
		wire.MainFile: variables + `
terraform {
  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "0.8.3"
    }
  }
}
provider "libvirt" { uri = var.uri }
`,
		"vm-" + l.name + ".tf": fmt.Sprintf(`
resource "libvirt_volume" "vm_%[1]s_root" {
  name             = %[2]q
  pool             = "default"
  base_volume_name = %[3]q
  base_volume_pool = "default"
  format           = "qcow2"
  lifecycle { ignore_changes = [size, base_volume_id, base_volume_name, base_volume_pool, source] }
}
`, l.id, vm.RootVolume, l.base()),
	}
	if l.ramdisk != "" {
		m.Pools = append(m.Pools, wire.Pool{Name: l.name, Path: l.ramdisk, TmpfsMiB: 64})
		files["vm-"+l.name+".tf"] += fmt.Sprintf(`
resource "libvirt_volume" "vm_%s_extra" {
  name   = %q
  pool   = %q
  format = "qcow2"
  size   = 1073741824
  lifecycle { ignore_changes = [size] }
}
`, l.id, l.extra(), l.name)
	}
	if l.domain {
		files["vm-"+l.name+".tf"] += l.domainHCL(vm)
	}
	return tarOf(l.t, m, files)
}

func (l *libvirtLab) domainHCL(vm wire.VM) string {
	extra := ""
	if l.ramdisk != "" {
		extra = fmt.Sprintf("disk { volume_id = libvirt_volume.vm_%s_extra.id }", l.id)
	}
	return fmt.Sprintf(`
resource "libvirt_volume" "vm_%[1]s_seed" {
  name   = %[2]q
  pool   = "default"
  format = "iso"
  source = "${var.seeds}/%[3]s"
}
resource "libvirt_domain" "vm_%[1]s" {
  name       = %[4]q
  type       = var.domain_type
  memory     = %[5]d
  vcpu       = 1
  running    = %[6]v
  cpu { mode = var.cpu_mode }
  disk { volume_id = libvirt_volume.vm_%[1]s_root.id }
  %[10]s
  disk { file = "%[7]s/%[2]s" }
  console {
    type        = "pty"
    target_type = "serial"
    target_port = "0"
  }
  graphics {
    type        = "vnc"
    listen_type = "none"
  }
  xml {
    xslt = <<-X
      <xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
        <xsl:output omit-xml-declaration="yes"/>
        <xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
        <xsl:template match="/domain/metadata"/>
        <xsl:template match="/domain"><xsl:copy><xsl:apply-templates select="@*|node()"/>
          <metadata><homelab:vm xmlns:homelab="%[8]s" id="%[1]s"/></metadata></xsl:copy></xsl:template>
        <xsl:template match="/domain/devices/console[1]"><xsl:copy><xsl:apply-templates select="@*|node()"/><log file="%[9]s" append="on"/></xsl:copy></xsl:template>
      </xsl:stylesheet>
    X
  }
  depends_on = [libvirt_volume.vm_%[1]s_seed]
}
`, l.id, vm.SeedVolume, vm.SeedISO, vm.DomainName, l.memory, l.running, l.pool, wire.MetadataNamespace, l.console, extra)
}

// announced agrees to the loss of the domain, never of the disk.
func (l *libvirtLab) order(s *fakeServer, id uint64) wire.Frame {
	f := run(id, s.offer(l.config()))
	f.Run.Announced.Domains = []string{l.id}
	return f
}

// booted waits until the guest has come up n times.
func (l *libvirtLab) booted(n int) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*patience)
	defer cancel()
	for {
		b, _ := os.ReadFile(l.console)
		text := string(b)
		last := text[max(0, strings.LastIndex(text, "guest: init")):]
		if strings.Count(text, "guest: init") >= n && strings.Contains(last, "guest up") {
			return text
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			l.t.Fatalf("the guest did not come up %d times:\n%s", n, text)
		}
	}
}

func (l *libvirtLab) guest(s *fakeServer, want model.GuestState) {
	l.t.Helper()
	s.until("the guest to be "+string(want), func() bool {
		for _, g := range s.inv.Guests {
			if g.ID == l.id && g.State == want {
				return true
			}
		}
		return false
	})
}

func TestLibvirtLifeOfAGuest(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})

	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	text := l.booted(1)
	for _, want := range []string{"--- network-config", "# first", "local-hostname: " + l.name} {
		if !strings.Contains(text, want) {
			t.Errorf("the guest did not read %q of its seed:\n%s", want, text)
		}
	}
	l.guest(s, model.GuestRunning)
	s.until("the facts found out by the run", func() bool { return s.facts.Accel != "" && s.facts.Libvirt != "" })
	uuid := virsh(t, "domuuid", l.domainName())

	s.send(l.order(s, 2))
	s.state(2, model.RunNoop)

	// Another seed does not touch the guest.
	l.user += "# second\n"
	s.send(l.order(s, 3))
	s.state(3, model.RunSucceeded)
	if got := virsh(t, "domuuid", l.domainName()); got != uuid {
		t.Error("an exchanged seed replaced the domain")
	}

	// A restart is gentle and the guest reads the new seed.
	if text := s.ask(wire.Frame{Kind: wire.KindRestart, VM: l.id}); text != "" {
		t.Error(text)
	}
	text = l.booted(2)
	if !strings.Contains(text, "guest: power button") || !strings.Contains(text, "# second") {
		t.Errorf("console:\n%s", text)
	}

	// Stopped and started again.
	l.running = false
	s.send(l.order(s, 4))
	s.state(4, model.RunSucceeded)
	l.guest(s, model.GuestStopped)
	s.send(l.order(s, 5))
	s.state(5, model.RunNoop)
	l.running = true
	s.send(l.order(s, 6))
	s.state(6, model.RunSucceeded)
	l.booted(3)

	// More memory replaces the domain, gently; the disk stays.
	inode := l.inode()
	l.memory = 160
	s.send(l.order(s, 7))
	s.state(7, model.RunSucceeded)
	if text = l.booted(4); strings.Count(text, "guest: power button") != 3 {
		t.Errorf("console:\n%s", text)
	}

	// The domain goes, the disk stays, the domain comes back on it.
	l.domain = false
	s.send(l.order(s, 8))
	s.state(8, model.RunSucceeded)
	s.until("the domain to go and the disk to stay", func() bool {
		for _, g := range s.inv.Guests {
			if g.ID == l.id {
				return false
			}
		}
		return len(s.inv.Disks) == 1
	})
	l.domain = true
	s.send(l.order(s, 9))
	s.state(9, model.RunSucceeded)
	if l.inode() != inode {
		t.Error("the root disk is another one")
	}
}

func (l *libvirtLab) inode() string {
	l.t.Helper()
	out, err := exec.Command("stat", "-c", "%i", filepath.Join(l.pool, l.domainName())).Output()
	if err != nil {
		l.t.Fatal(err)
	}
	return string(out)
}

// A foreign domain of our name is left alone until it is adopted; its disk
// becomes ours then.
func TestLibvirtForeignGuest(t *testing.T) {
	uri, image := libvirtFor(t)
	grace := shutdownGrace
	shutdownGrace = 2 * time.Second // it has no system that would hear ACPI
	t.Cleanup(func() { shutdownGrace = grace })
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})
	// A first run without the VM makes the pool.
	s.send(run(1, s.offer(tarOf(t, wire.Manifest{Version: 1, Platform: model.PlatformLibvirt, Pools: []wire.Pool{{Name: defaultPool, Path: l.pool}}}, map[string]string{wire.MainFile: variables}))))
	s.state(1, model.RunNoop)
	virsh(t, "vol-create-as", defaultPool, l.domainName(), "64M", "--format", "qcow2")
	file := filepath.Join(t.TempDir(), "foreign.xml")
	xml := fmt.Sprintf(`<domain type="qemu"><name>%s</name><memory unit="MiB">64</memory><os><type>hvm</type></os><devices>
<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="%s"/><target dev="vda" bus="virtio"/></disk></devices></domain>`,
		l.domainName(), filepath.Join(l.pool, l.domainName()))
	if err := os.WriteFile(file, []byte(xml), 0o600); err != nil {
		t.Fatal(err)
	}
	virsh(t, "define", file)
	virsh(t, "start", l.domainName())
	uuid, inode := virsh(t, "domuuid", l.domainName()), l.inode()

	s.send(l.order(s, 2))
	got := s.state(2, model.RunFailed)
	if !strings.Contains(got.Error, l.domainName()) || !strings.Contains(got.Error, "vm adopt "+l.name) {
		t.Errorf("error %q", got.Error)
	}
	if virsh(t, "domuuid", l.domainName()) != uuid || virsh(t, "domstate", l.domainName()) != "running" {
		t.Error("the foreign guest was touched")
	}
	s.until("the conflict in the inventory", func() bool {
		for _, g := range s.inv.Guests {
			if g.Conflict == l.id && g.ID == "" {
				return true
			}
		}
		return false
	})
	if text := s.ask(wire.Frame{Kind: wire.KindAdopt, VM: l.id}); text != "" {
		t.Fatal(text)
	}
	s.send(l.order(s, 3))
	s.state(3, model.RunSucceeded)
	if virsh(t, "domuuid", l.domainName()) == uuid || l.inode() != inode {
		t.Error("the domain was not made anew on its disk")
	}
	s.send(l.order(s, 4))
	s.state(4, model.RunNoop)
}

// An agent that has lost everything, terraform's state too, finds the guests
// by their IDs and brings them back under control, on their disks.
func TestLibvirtOrphan(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	a := start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})
	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	l.booted(1)
	uuid, inode := virsh(t, "domuuid", l.domainName()), l.inode()
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	s.until("the agent to be gone", func() bool { return s.w == nil })
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri})
	s.send(l.order(s, 2))
	s.state(2, model.RunSucceeded)
	text := l.booted(2)
	if !strings.Contains(text, "guest: power button") || virsh(t, "domuuid", l.domainName()) == uuid || l.inode() != inode {
		t.Errorf("the guest was not shut down and made anew on its disk:\n%s", text)
	}
	s.send(l.order(s, 3))
	s.state(3, model.RunNoop)
}

// Shutting down takes the guests down before the machine.
func TestLibvirtShutdown(t *testing.T) {
	uri, image := libvirtFor(t)
	s := newFakeServer(t)
	l := newLibvirtLab(t, image)
	down := make(chan string, 1)
	start(t, Options{Data: t.TempDir(), Token: s.token().String(), LibvirtURI: uri, Shutdown: func(context.Context) error {
		state, _ := tryVirsh("domstate", l.domainName())
		down <- state
		return nil
	}})
	s.send(l.order(s, 1))
	s.state(1, model.RunSucceeded)
	l.booted(1)
	if others := virsh(t, "list", "--name"); others != l.domainName() {
		t.Skipf("other guests run here: %q", others)
	}
	if text := s.ask(wire.Frame{Kind: wire.KindShutdown}); text != "" {
		t.Error(text)
	}
	if state := <-down; state != "shut off" {
		t.Errorf("the guest was %s when the machine went down", state)
	}
}
