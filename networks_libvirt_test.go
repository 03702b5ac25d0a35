package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// natNetwork is a network of libvirt that the test makes: its DHCP server gives
// addresses on a bridge of its own.
const natNetwork = `<network><name>hlnat</name><forward mode='nat'/><bridge name='hlnat0' stp='off'/>
<ip address='203.0.113.1' netmask='255.255.255.0'><dhcp><range start='203.0.113.100' end='203.0.113.150'/></dhcp></ip></network>`

// TestLibvirtNetworks boots guests on a network of libvirt with NAT, which the
// agent starts, and then on a bridge: they get addresses, with every NIC that they
// have, and the server knows them.
func TestLibvirtNetworks(t *testing.T) {
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		t.Skip("needs libvirt's DHCP server: .ci/libvirt installs dnsmasq-base")
	}
	b := newBenchOf(t, "netbench", "netimage")
	gone := func() {
		b.tryVirsh("net-destroy", "hlnat")
		b.tryVirsh("net-undefine", "hlnat")
	}
	gone()
	t.Cleanup(func() { b.clean(); gone() })
	file := filepath.Join(b.dir, "network.xml")
	if err := os.WriteFile(file, []byte(natNetwork), 0o600); err != nil {
		t.Fatal(err)
	}
	b.virsh("net-define", file)
	b.must("image", "add", "netimage", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	b.must("hypervisor", "add", "netbench", "--network", "nat:hlnat")
	b.must("pool", "edit", "netbench", "default", "--path", b.pool)
	b.must("vm", "add", "two", "--memory", "128MiB", "--nics", "2")
	b.must("vm", "add", "fixed", "--memory", "128MiB", "--ip", "203.0.113.10/24")
	b.join("netbench", "")
	b.inSync("netbench", 3*time.Minute)

	var leased []string
	t.Run("nat", func(t *testing.T) {
		if out := b.virsh("net-list", "--name", "--autostart"); !strings.Contains(out, "hlnat") {
			t.Errorf("the agent did not start the network for good: %q", out)
		}
		leased = b.addressed("two", 2)
		if xml := b.virsh("dumpxml", "two_on_netbench"); strings.Count(xml, "<source network='hlnat'") != 2 {
			t.Errorf("its NICs are elsewhere:\n%s", xml)
		}
		if g := b.console("fixed_on_netbench"); g.ip != "203.0.113.10/24" {
			t.Errorf("the static address: %+v", g)
		}
		if got := b.addressed("fixed", 1); !slices.Equal(got, []string{"203.0.113.10"}) {
			t.Errorf("the server knows %q", got)
		}
	})
	t.Run("bridge", func(t *testing.T) {
		b.must("hypervisor", "edit", "netbench", "--network", "bridge:hlnat0", "--yes")
		b.inSync("netbench", 2*time.Minute)
		if xml := b.virsh("dumpxml", "two_on_netbench"); strings.Count(xml, "<source bridge='hlnat0'") != 2 {
			t.Errorf("its NICs are elsewhere:\n%s", xml)
		}
		// The MACs are those that they were: so are the addresses.
		if now := b.addressed("two", 2); !slices.Equal(now, leased) {
			t.Errorf("the addresses were %q, are %q", leased, now)
		}
	})
}
