package agent

import (
	"bufio"
	"cmp"
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"homelab/agent/wire"
	"homelab/model"
)

// inventory is what the machine carries now.
func (a *agent) inventory(ctx context.Context) (wire.Inventory, error) {
	inv := wire.Inventory{Guests: []model.Guest{}, Disks: []model.Disk{}}
	st, err := a.tf.State()
	if err != nil {
		return inv, err
	}
	inv.Disks = append(inv.Disks, st.disks()...)
	m := a.manifest.Load()
	if m == nil {
		return inv, nil // it is not known yet what we run on
	}
	p, err := a.platformOf(*m)
	if err != nil {
		return inv, err
	}
	guests, err := p.Guests(ctx, *m)
	if err != nil {
		return inv, err
	}
	inv.Guests = append(inv.Guests, guests...)
	inv.Images = p.Images(ctx, *m)
	slices.SortFunc(inv.Guests, func(x, y model.Guest) int { return cmp.Compare(x.Name, y.Name) })
	if len(a.run.Unfinished()) == 0 { // a run makes and takes away what the state tells of later
		inv.Gone, inv.ForeignVolumes = p.Oddities(ctx, *m, st)
		inv.Lock = a.tf.Lock()
	}
	return inv, nil
}

// each calls f for every resource of the state that is part of a VM.
func (s state) each(f func(id, part string, uuidOrPath string)) {
	for _, r := range s.Resources {
		id, part, ok := model.ParseResource(r.Type + "." + r.Name)
		if r.Mode != "managed" || !ok {
			continue
		}
		for _, i := range r.Instances {
			f(id, part, i.Attributes.ID)
		}
	}
}

// vms are the IDs of the VMs that have anything in the state.
func (s state) vms() map[string]bool {
	ids := map[string]bool{}
	s.each(func(id, _, _ string) { ids[id] = true })
	return ids
}

// domains are the domains' UUIDs by VM.
func (s state) domains() map[string]string {
	uuids := map[string]string{}
	s.each(func(id, part, uuid string) {
		if part == model.PartDomain {
			uuids[id] = uuid
		}
	})
	return uuids
}

// disks are the disks that exist by the state, in a fixed order.
func (s state) disks() []model.Disk {
	var disks []model.Disk
	s.each(func(id, part, _ string) {
		switch part {
		case model.PartRoot:
			disks = append(disks, model.Disk{VM: id, Disk: model.DiskRoot})
		case model.PartExtra:
			disks = append(disks, model.Disk{VM: id, Disk: model.DiskExtra})
		}
	})
	slices.SortFunc(disks, func(a, b model.Disk) int {
		return cmp.Or(cmp.Compare(a.VM, b.VM), cmp.Compare(a.Disk, b.Disk))
	})
	return disks
}

// currentFacts are what is known of the machine by now.
func (a *agent) currentFacts() model.Facts {
	host, _ := os.Hostname()
	f := model.Facts{
		Hostname: host, OS: osName(), Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), MemoryMiB: memoryMiB(),
		Terraform: a.tf.Name(), Libvirt: a.virt.Version(),
	}
	if m := a.manifest.Load(); m != nil && m.Platform == model.PlatformLibvirt {
		if accel := a.accel.Load(); accel != nil {
			f.Accel = *accel
		}
	}
	return f
}

func osName() string {
	if name := fileField("/etc/os-release", "PRETTY_NAME="); name != "" {
		return strings.Trim(name, `"`)
	}
	return runtime.GOOS
}

func memoryMiB() int {
	kib, _ := strconv.Atoi(strings.TrimSuffix(fileField("/proc/meminfo", "MemTotal:"), " kB"))
	return kib >> 10
}

// fileField returns what follows prefix on the first line that begins with it.
func fileField(path, prefix string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
