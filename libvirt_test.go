package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bench is a lab whose one hypervisor is this machine's own libvirt. Its
// guests come from the small image that .ci/libvirt makes.
type bench struct {
	*lab
	uri        string
	run        string // libvirt's folder of what runs
	pool       string // folder of pool "default"
	hypervisor string
	image      string // whose volumes are the bench's
}

func newBench(t *testing.T) *bench { return newBenchOf(t, "thinkpad", "guest") }

// newBenchOf is a bench beside which others can work on the same libvirt.
func newBenchOf(t testing.TB, hypervisor, image string) *bench {
	t.Helper()
	uri, rc, guest := os.Getenv("HOMELAB_LIBVIRT_URI"), os.Getenv("HOMELAB_LIBVIRT_TERRAFORMRC"), os.Getenv("HOMELAB_LIBVIRT_GUEST")
	if uri == "" || rc == "" || guest == "" {
		t.Skip("needs libvirt: run .ci/libvirt FOLDER as root and set HOMELAB_LIBVIRT_URI, HOMELAB_LIBVIRT_TERRAFORMRC=FOLDER/terraformrc and HOMELAB_LIBVIRT_GUEST=FOLDER/guest.qcow2")
	}
	b := &bench{uri: uri, run: "/run/libvirt", hypervisor: hypervisor, image: image}
	b.lab = newLab(t, "TF_CLI_CONFIG_FILE="+rc, "LIBVIRT_DEFAULT_URI="+uri)
	b.pool = filepath.Join(b.dir, "pool")
	if _, rest, ok := strings.Cut(b.tryVirsh("pool-dumpxml", "default"), "<path>"); ok { // this machine's own
		b.pool, _, _ = strings.Cut(rest, "</path>")
	} else {
		t.Cleanup(func() {
			b.tryVirsh("pool-destroy", "default")
			b.tryVirsh("pool-undefine", "default")
		})
	}
	b.clean() // of a test that was killed
	t.Cleanup(b.clean)
	return b
}

// clean removes what the test left in libvirt.
func (b *bench) clean() {
	for _, name := range strings.Fields(b.tryVirsh("list", "--all", "--name")) {
		if strings.HasSuffix(name, "_on_"+b.hypervisor) {
			b.tryVirsh("destroy", name)
			b.tryVirsh("undefine", name)
		}
	}
	for _, line := range strings.Split(b.tryVirsh("vol-list", "default"), "\n") {
		if f := strings.Fields(line); len(f) > 0 && (strings.Contains(f[0], "_on_"+b.hypervisor) || strings.HasPrefix(f[0], b.image+"-")) {
			b.tryVirsh("vol-delete", f[0], "default")
		}
	}
}

func (b *bench) tryVirsh(args ...string) string {
	out, _ := exec.Command("virsh", append([]string{"-q", "-c", b.uri}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

func (b *bench) virsh(args ...string) string {
	b.t.Helper()
	out, err := exec.Command("virsh", append([]string{"-q", "-c", b.uri}, args...)...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("virsh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// domain identifies one start of one domain: its UUID and QEMU's process.
func (b *bench) domain(name string) string {
	b.t.Helper()
	pid, err := os.ReadFile(filepath.Join(b.run, "qemu", name+".pid"))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.virsh("domuuid", name) + " " + strings.TrimSpace(string(pid))
}

var guestUp = regexp.MustCompile(`guest up: name=(\S*) id=(\S*) role=(\S*) boots=(\S*) extra=(\S*) mem=(\S*) cpus=(\S*) mac=(\S*) ip=(\S*) uptime=(\S*)`)

// guestReport is what a guest says of itself on its serial console.
type guestReport struct {
	name, id, role, boots, extra, mac, ip string
	uptime                                float64
}

// console reads the guest's serial console until it reports.
func (b *bench) console(domain string) guestReport {
	b.t.Helper()
	tty, err := os.Open(b.virsh("ttyconsole", domain))
	if err != nil {
		b.t.Fatal(err)
	}
	found := make(chan guestReport, 1)
	failed := make(chan error, 1)
	go func() {
		s := bufio.NewScanner(tty)
		for s.Scan() {
			if m := guestUp.FindStringSubmatch(s.Text()); m != nil {
				uptime, _ := strconv.ParseFloat(m[10], 64)
				found <- guestReport{name: m[1], id: m[2], role: m[3], boots: m[4], extra: m[5], mac: m[8], ip: m[9], uptime: uptime}
				return
			}
		}
		failed <- fmt.Errorf("the console of %s ended: %w", domain, cmp.Or(s.Err(), io.EOF))
	}()
	defer tty.Close()
	select {
	case g := <-found:
		return g
	case err := <-failed:
		b.t.Fatalf("%v%s", err, b.logs())
	case <-time.After(90 * time.Second):
		b.t.Fatalf("%s said nothing on its console%s", domain, b.logs())
	}
	return guestReport{}
}

// define defines and starts a domain that is nobody's VM, as the predecessor
// or a person would have.
func (b *bench) define(name string, memory int, devices string) {
	b.t.Helper()
	file := filepath.Join(b.dir, name+".xml")
	xml := fmt.Sprintf("<domain type='qemu'><name>%s</name><memory unit='MiB'>%d</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>"+
		"<features><acpi/></features>%s</domain>", name, memory, devices)
	if err := os.WriteFile(file, []byte(xml), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.virsh("define", file)
	b.virsh("start", name)
}

// TestLibvirtFirstLight is the path from the predecessor's dump to real guests.
func TestLibvirtFirstLight(t *testing.T) {
	b := newBench(t)
	dump, err := os.ReadFile("model/testdata/homelabmanager-resources.json")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := b.ssh(dump, "import", "homelabmanager"); err != nil {
		t.Fatal(err)
	} else {
		t.Logf("import:\n%s", out)
	}
	b.must("image", "add", "guest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	b.must("pool", "edit", "thinkpad", "default", "--path", b.pool)
	b.must("vm", "edit", "devenv", "--image", "guest", "--memory", "192MiB", "--cpus", "1", "--yes")
	agent := b.join("thinkpad", "")
	b.inSync("thinkpad", 3*time.Minute)

	const devenv = "devenv_on_thinkpad"
	if s := b.virsh("domstate", devenv); s != "running" {
		t.Fatalf("%s is %s", devenv, s)
	}
	first := b.console(devenv)
	if first.name != "devenv-on-thinkpad" || first.ip != "192.168.1.245/24" || first.role != "devenv" || first.boots != "1" {
		t.Fatalf("the guest did not read its seed: %+v", first)
	}
	domain := b.domain(devenv)
	xml := b.virsh("dumpxml", devenv)
	if !strings.Contains(xml, strings.SplitN(first.id, "-", 2)[0]) || !strings.Contains(xml, "enp0s20f0u4") {
		t.Fatalf("the domain lacks the VM's ID or its macvtap parent:\n%s", xml)
	}

	t.Run("second VM leaves the first alone", func(t *testing.T) {
		b.must("vm", "add", "second", "--hypervisor", "thinkpad", "--image", "guest", "--memory", "160MiB", "--ip", "192.168.1.246", "--extra-disk", "1GiB")
		b.inSync("thinkpad", 3*time.Minute)
		if g := b.console("second_on_thinkpad"); g.name != "second-on-thinkpad" || g.extra != "1" {
			t.Fatalf("second: %+v", g)
		}
		b.untouched(t, devenv, domain, first)
	})
	t.Run("dashboard in a terminal shows both", func(t *testing.T) { b.dashboardShows(t, "devenv", "second") })
	t.Run("foreign domain survives", func(t *testing.T) { b.foreignSurvives(t, devenv, domain, first) })
	t.Run("foreign domain is adopted on request", func(t *testing.T) { b.adopted(t, devenv, domain, first) })
	t.Run("agent restarts, guests stay", func(t *testing.T) {
		agent.kill()
		b.rejoin("thinkpad")
		b.must("vm", "edit", "second", "--memory", "176MiB", "--yes")
		b.inSync("thinkpad", 3*time.Minute)
		if g := b.console("second_on_thinkpad"); g.boots != "2" || g.extra != "2" {
			t.Fatalf("second lost a disk when its memory changed: %+v", g)
		}
		b.untouched(t, devenv, domain, first)
	})
	t.Run("disable keeps the disk", func(t *testing.T) { b.disableKeepsDisk(t) })
	t.Run("remove destroys exactly one", func(t *testing.T) {
		b.must("vm", "remove", "second", "--yes")
		b.inSync("thinkpad", 3*time.Minute)
		if names := b.virsh("list", "--all", "--name"); strings.Contains(names, "second_on_thinkpad") || !strings.Contains(names, devenv) {
			t.Fatalf("domains: %s", names)
		}
		if _, err := os.Stat(filepath.Join(b.pool, "second_on_thinkpad")); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("second's root disk: %v", err)
		}
		b.untouched(t, devenv, domain, first)
	})
	t.Run("disable and enable finds the disk", func(t *testing.T) {
		b.must("vm", "disable", "devenv", "--yes")
		b.inSync("thinkpad", 3*time.Minute)
		b.must("vm", "enable", "devenv")
		b.inSync("thinkpad", 3*time.Minute)
		if g := b.console(devenv); g.boots != "2" || g.mac != first.mac || g.id != first.id {
			t.Fatalf("not the disk that it was: %+v, before %+v", g, first)
		}
	})
}

// untouched fails unless the domain is the same and has run on since.
func (b *bench) untouched(t *testing.T, name, domain string, before guestReport) {
	t.Helper()
	if now := b.domain(name); now != domain {
		t.Fatalf("%s was %q, is %q", name, domain, now)
	}
	if g := b.console(name); g.boots != before.boots || g.uptime <= before.uptime {
		t.Fatalf("%s did not run on: %+v, before %+v", name, g, before)
	}
}

// foreignSurvives puts a foreign domain in the way of a VM of ours.
func (b *bench) foreignSurvives(t *testing.T, devenv, domain string, first guestReport) {
	const squatter = "squatter_on_thinkpad"
	b.define(squatter, 64, "")
	theirs := b.domain(squatter)
	b.must("vm", "add", "squatter", "--hypervisor", "thinkpad", "--image", "guest", "--memory", "128MiB")
	b.showsForeign("squatter")
	b.must("vm", "remove", "squatter", "--yes")
	b.inSync("thinkpad", 3*time.Minute)
	if now := b.domain(squatter); now != theirs {
		t.Fatalf("the foreign domain was %q, is %q", theirs, now)
	}
	b.untouched(t, devenv, domain, first)
}

// showsForeign waits until the run has stopped at a foreign domain and says
// what to do.
func (b *bench) showsForeign(vm string) {
	b.t.Helper()
	b.eventually("the run stops at the foreign domain", time.Minute, func() error {
		out, err := b.ssh(nil, "hypervisor", "show", "thinkpad", "--json")
		if err == nil && !strings.Contains(out, "vm adopt "+vm) {
			err = errors.New(out)
		}
		return err
	})
}

// adopted takes over a guest that the predecessor left running, with its disk.
func (b *bench) adopted(t *testing.T, devenv, domain string, first guestReport) {
	const legacy = "legacy_on_thinkpad"
	disk := filepath.Join(b.pool, legacy)
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", os.Getenv("HOMELAB_LIBVIRT_GUEST"), disk).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	b.define(legacy, 160, fmt.Sprintf(`<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>
<serial type='pty'/></devices>`, disk))
	if g := b.console(legacy); g.name != "noseed" || g.boots != "1" {
		t.Fatalf("legacy: %+v", g)
	}
	b.must("vm", "add", "legacy", "--hypervisor", "thinkpad", "--image", "guest", "--memory", "160MiB")
	b.showsForeign("legacy")
	out := b.must("vm", "adopt", "legacy", "--dry-run")
	for _, known := range []string{
		"domain legacy_on_thinkpad: running, 160 MiB, 1 CPU, disk " + disk, "its guest is shut down, and started again", "its domain is made anew",
		" its root disk, with all that is on it",
	} {
		if !strings.Contains(out, known) {
			t.Errorf("it is not said that %q:\n%s", known, out)
		}
	}
	t.Logf("vm adopt legacy --dry-run:\n%s", out)
	b.must("vm", "adopt", "legacy", "--yes")
	b.inSync("thinkpad", 3*time.Minute)
	if g := b.console(legacy); g.name != "legacy-on-thinkpad" || g.boots != "2" {
		t.Fatalf("legacy did not keep its disk: %+v", g)
	}
	b.untouched(t, devenv, domain, first)
	b.must("vm", "remove", "legacy", "--yes")
	b.inSync("thinkpad", 3*time.Minute)
}

func (b *bench) disableKeepsDisk(t *testing.T) {
	inode := func() string {
		out, err := exec.Command("stat", "-c", "%i", filepath.Join(b.pool, "second_on_thinkpad")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	before := inode()
	b.must("vm", "disable", "second", "--yes")
	b.inSync("thinkpad", 3*time.Minute)
	if names := b.virsh("list", "--all", "--name"); strings.Contains(names, "second_on_thinkpad") {
		t.Fatalf("domains: %s", names)
	}
	b.must("vm", "enable", "second")
	b.inSync("thinkpad", 3*time.Minute)
	if after := inode(); after != before {
		t.Fatalf("root disk was inode %s, is %s", before, after)
	}
	if g := b.console("second_on_thinkpad"); g.boots != "3" || g.extra != "3" {
		t.Fatalf("second: %+v", g)
	}
}

// dashboardShows opens the dashboard with ssh in a real terminal.
func (b *bench) dashboardShows(t *testing.T, names ...string) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed")
	}
	socket := filepath.Join(b.dir, "tmux")
	tmux := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("tmux", append([]string{"-S", socket}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
		}
		return string(out)
	}
	tmux(append([]string{"new-session", "-d", "-x", "120", "-y", "40", "ssh", "-t"}, b.sshArgs()...)...)
	defer tmux("kill-server")
	screen := func(wanted ...string) {
		t.Helper()
		b.eventually(fmt.Sprintf("the screen shows %q", wanted), 20*time.Second, func() error {
			text := tmux("capture-pane", "-p")
			for _, w := range wanted {
				if !strings.Contains(text, w) {
					return errors.New(text)
				}
			}
			return nil
		})
	}
	screen("thinkpad")
	tmux("send-keys", "2")
	screen(names...)
}
