package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digitalocean/go-libvirt"

	"homelab/agent/wire"
	"homelab/model"
)

// network starts the network of libvirt that guests need, and says what is
// missing of an interface or a bridge: libvirt says that only as a guest is
// started, and not what there is instead.
func (v *virt) network(ctx context.Context, j *job, m wire.Manifest) error {
	kind, name, err := model.SplitNetwork(m.Network)
	if err != nil || !slices.ContainsFunc(m.VMs, func(vm wire.VM) bool { return vm.DomainName != "" }) {
		return nil // an older server does not say
	}
	if kind != model.NetworkNAT {
		if problem := missingInterface(kind, name); problem != "" {
			j.warn("%s: change the hypervisor's network, or make it", problem)
		}
		return nil
	}
	started, err := call(ctx, v, func(l *libvirt.Libvirt) (bool, error) { return startNetwork(l, name) })
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isCode(err, libvirt.ErrNoNetwork):
		j.warn("libvirt has no network %q: define it with virsh net-define, or change the hypervisor's network", name)
	case err != nil:
		j.warn("network %q of libvirt cannot be started: %v", name, err)
	case started:
		j.say("started network %q of libvirt", name)
	}
	return nil
}

func startNetwork(l *libvirt.Libvirt, name string) (bool, error) {
	n, err := l.NetworkLookupByName(name)
	if err != nil {
		return false, err
	}
	active, err := l.NetworkIsActive(n)
	if err != nil || active != 0 {
		return false, err
	}
	if err := l.NetworkCreate(n); err != nil {
		return false, err
	}
	return true, l.NetworkSetAutostart(n, 1)
}

// missingInterface says what is wrong with an interface; empty is nothing.
func missingInterface(kind, name string) string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var names []string
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	if !slices.Contains(names, name) {
		return fmt.Sprintf("there is no interface %s for guests on the hypervisor; it has %s", name, strings.Join(names, ", "))
	}
	if _, err := os.Stat(filepath.Join("/sys/class/net", name, "bridge")); kind == model.NetworkBridge && err != nil {
		return fmt.Sprintf("%s is no bridge on the hypervisor", name)
	}
	return ""
}
