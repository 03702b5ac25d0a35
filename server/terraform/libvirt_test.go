package terraform

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kdomanski/iso9660"

	"homelab/agent/wire"
	"homelab/model"
)

// withProvider makes terraform find the libvirt provider.
func withProvider(t *testing.T) {
	t.Helper()
	rc := os.Getenv("HOMELAB_LIBVIRT_TERRAFORMRC")
	if rc == "" {
		t.Skip("HOMELAB_LIBVIRT_TERRAFORMRC does not name a terraform CLI configuration with the libvirt provider (.ci/libvirt makes one)")
	}
	t.Setenv("TF_CLI_CONFIG_FILE", rc)
}

// TestLibvirtValidate has terraform check the golden and the hostile lab.
func TestLibvirtValidate(t *testing.T) {
	withProvider(t)
	tf := newTerraform(t)
	for i, s := range []*model.State{goldenLab(model.PlatformLibvirt), hostileLab(model.PlatformLibvirt)} {
		tf.unpack(t, render(t, s, keptIn(s)...), nil)
		if i == 0 {
			tf.init(t)
		}
		tf.validate(t)
	}
}

// host is a libvirt of which the test has a pool and a bridge of its own.
type host struct {
	t                     *testing.T
	pool, dir, net, seeds string
}

func newHost(t *testing.T) *host {
	t.Helper()
	if os.Getenv("HOMELAB_LIBVIRT_GUEST") == "" || os.Getenv("HOMELAB_LIBVIRT_URI") == "" {
		t.Skip("HOMELAB_LIBVIRT_URI and HOMELAB_LIBVIRT_GUEST do not name a libvirt and an image to try it with (see .ci/libvirt)")
	}
	h := &host{t: t, dir: t.TempDir(), seeds: t.TempDir()}
	h.pool, h.net = fmt.Sprintf("hl-render-%d", os.Getpid()), fmt.Sprintf("hlr%d", os.Getpid())
	h.virsh("pool-define-as", h.pool, "dir", "--target", h.dir)
	t.Cleanup(func() { h.virsh("pool-undefine", h.pool) })
	h.virsh("pool-start", h.pool)
	t.Cleanup(func() { h.virsh("pool-destroy", h.pool) })
	h.run("ip", "link", "add", h.net, "type", "bridge")
	t.Cleanup(func() { h.run("ip", "link", "del", h.net) })
	h.run("ip", "link", "set", h.net, "up")
	return h
}

func (h *host) virsh(args ...string) string {
	h.t.Helper()
	return h.run("virsh", append([]string{"-q", "-c", os.Getenv("HOMELAB_LIBVIRT_URI")}, args...)...)
}

func (h *host) run(name string, args ...string) string {
	h.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// prepare does what an agent does before a plan.
func (h *host) prepare(c *Config) {
	h.t.Helper()
	for _, i := range c.Manifest.Images {
		to := filepath.Join(h.dir, i.Volume)
		if _, err := os.Stat(to); err != nil {
			h.run("cp", os.Getenv("HOMELAB_LIBVIRT_GUEST"), to)
		}
	}
	for _, vm := range c.Manifest.VMs {
		seed, ok := c.Manifest.SeedOf(vm)
		if !ok {
			continue
		}
		if err := writeISO(filepath.Join(h.seeds, vm.SeedISO), seed); err != nil {
			h.t.Fatal(err)
		}
	}
	h.virsh("pool-refresh", h.pool)
}

func writeISO(name string, seed wire.Seed) error {
	w, err := iso9660.NewWriter()
	if err != nil {
		return err
	}
	defer w.Cleanup()
	for file, content := range map[string]string{"user-data": seed.UserData, "meta-data": seed.MetaData, "network-config": seed.NetworkConfig} {
		if err := w.AddFile(strings.NewReader(content), file); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := w.WriteTo(&b, "CIDATA"); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// TestLibvirtEdits carries edits out on a real libvirt.
func TestLibvirtEdits(t *testing.T) {
	withProvider(t)
	h := newHost(t)
	tf := newTerraform(t, "domain_type=qemu", "cpu_mode=maximum", "uri="+os.Getenv("HOMELAB_LIBVIRT_URI"), "seeds="+h.seeds)
	s := editsLab(model.PlatformLibvirt)
	// Pools are libvirt's, not a hypervisor's: both of the lab's are the test's one.
	own := func(text string) string {
		return strings.NewReplacer(`"default"`, fmt.Sprintf("%q", h.pool), `"storage"`, fmt.Sprintf("%q", h.pool)).Replace(text)
	}
	hv := s.Hypervisors["thinkpad"]
	hv.Network, hv.Pools = "bridge:"+h.net, []model.Pool{{Name: model.DefaultPool, Path: h.dir}}
	s.Hypervisors[hv.Name] = hv
	plan := func(c *Config) map[string]string {
		h.prepare(c)
		tf.unpack(t, c, own)
		return tf.plan(t)
	}
	first := render(t, s)
	tf.unpack(t, first, own)
	tf.init(t)
	tf.validate(t)
	t.Cleanup(func() { // whatever failed, nothing is left
		if err := tf.Destroy(context.Background(), tf.destroyVars()...); err != nil {
			t.Error(err)
		}
		for volume := range strings.FieldsSeq(h.virsh("vol-list", h.pool, "--details")) {
			if i, ok := strings.CutPrefix(volume, h.dir+"/"); ok {
				h.virsh("vol-delete", i, h.pool)
			}
		}
	})
	plan(first)
	tf.apply(t)
	h.checkDomain(first.Manifest.VMs[0])
	other := first.Manifest.VMs[1].DomainName
	before := h.observe(first.Manifest.VMs[0].DomainName, other)
	ok := runEdits(t, s, plan, func() { tf.apply(t) }, func(t *testing.T, edit string) {
		if edit == "stopped" {
			h.virsh("destroy", first.Manifest.VMs[0].DomainName) // as an agent does: the provider never stops a guest
		}
		now := h.observe(first.Manifest.VMs[0].DomainName, other)
		if now.other != before.other {
			t.Errorf("the other guest is another: %s, was %s", now.other, before.other)
		}
		if (now.root != before.root) != (edit == "rebuild" || edit == "removed") {
			t.Errorf("the root disk is inode %d, was %d", now.root, before.root)
		}
		if edit == "seed" && now.domain != before.domain {
			t.Errorf("the domain is %s, was %s", now.domain, before.domain)
		}
		before = now
	})
	if !ok {
		return
	}
	s = s.Clone()
	delete(s.VMs, "vm-0001")
	h.checkNetworks(s, plan, func() { tf.apply(t) })
}

// checkDomain reads a domain as libvirt has it.
func (h *host) checkDomain(vm wire.VM) {
	h.t.Helper()
	xml := h.virsh("dumpxml", vm.DomainName)
	for _, want := range []string{
		fmt.Sprintf(`<homelab:vm xmlns:homelab="%s" id="%s"/>`, wire.MetadataNamespace, vm.ID),
		`<target type='serial' port='0'/>`, `<target type='virtio' port='1'/>`,
		`<listen type='none'/>`, fmt.Sprintf(`<mac address='%s'/>`, model.MAC(vm.ID, 0)),
		vm.SeedVolume, "device='cdrom'",
	} {
		if !strings.Contains(xml, want) {
			h.t.Errorf("the domain has no %s:\n%s", want, xml)
		}
	}
	// It boots, and says on its console the name that it found in its seed.
	tty := strings.TrimSpace(h.virsh("ttyconsole", vm.DomainName))
	h.run("timeout", "120", "grep", "-am1", model.HostName(vm.Name, "thinkpad"), tty)
	if n := strings.Count(xml, "<graphics") + strings.Count(xml, "<console"); n != 3 {
		h.t.Errorf("%d consoles and screens, want 3:\n%s", n, xml)
	}
}

// checkNetworks moves the remaining VM to each kind of network.
func (h *host) checkNetworks(s *model.State, plan func(*Config) map[string]string, apply func()) {
	veth, network := fmt.Sprintf("hlv%d", os.Getpid()), fmt.Sprintf("hlr-net-%d", os.Getpid())
	h.run("ip", "link", "add", veth, "type", "veth", "peer", "name", veth+"p")
	h.t.Cleanup(func() { h.run("ip", "link", "del", veth) })
	h.run("ip", "link", "set", veth, "up")
	h.run("ip", "link", "set", veth+"p", "up")
	file := filepath.Join(h.t.TempDir(), "net.xml")
	// Without addresses it needs no dnsmasq, and reads as libvirt's NAT networks do.
	xml := fmt.Sprintf("<network><name>%s</name><bridge name='%sn'/><dns enable='no'/></network>", network, h.net)
	if err := os.WriteFile(file, []byte(xml), 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.virsh("net-define", file)
	h.t.Cleanup(func() { h.virsh("net-undefine", network) })
	h.virsh("net-start", network)
	h.t.Cleanup(func() { h.virsh("net-destroy", network) })
	id := s.VMs["vm-0002"].ID
	want := addresses(s, id, map[string]string{"nics": "update", "": "replace"})
	for _, to := range []string{"macvtap:" + veth, "nat:" + network} {
		hv := s.Hypervisors["thinkpad"]
		hv.Network = to
		s.Hypervisors[hv.Name] = hv
		c := render(h.t, s)
		if d := cmp.Diff(want, plan(c)); d != "" {
			h.t.Fatalf("%s (-want +got):\n%s", to, d)
		}
		apply()
		if again := plan(c); len(again) > 0 {
			h.t.Errorf("%s, planned again: %v", to, again)
		}
	}
	s.VMs = map[string]model.VM{}
	plan(render(h.t, s))
	apply()
}

// observed is what a test compares before and after.
type observed struct {
	root          uint64 // inode of the root disk; 0 is none
	domain, other string // IDs of the domain and the other guest
}

func (h *host) observe(vm, other string) observed {
	h.t.Helper()
	o := observed{root: h.inode(vm), other: h.virsh("domid", other) + h.virsh("domuuid", other)}
	if strings.Contains(h.virsh("list", "--all", "--name"), vm+"\n") {
		o.domain = h.virsh("domuuid", vm)
	}
	return o
}

// inode of a volume; 0 if there is none.
func (h *host) inode(volume string) uint64 {
	h.t.Helper()
	info, err := os.Stat(filepath.Join(h.dir, volume))
	if err != nil {
		return 0
	}
	ino := info.Sys().(*syscall.Stat_t).Ino
	// A second name keeps the number from being given to another file.
	_ = os.Link(filepath.Join(h.dir, volume), filepath.Join(h.seeds, fmt.Sprintf("inode-%d", ino)))
	return ino
}
