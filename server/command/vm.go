package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func vms(s *session) noun[model.VM] {
	return noun[model.VM]{
		s: s, kind: model.KindVM, word: "vm", plural: "VMs",
		all:    func(st *model.State) map[string]model.VM { return st.VMs },
		name:   func(vm *model.VM) *string { return &vm.Name },
		fresh:  model.NewVM,
		fields: vmFields,
		complete: func(f *fields[model.VM], vm *model.VM) error {
			return completeVM(s, f, vm)
		},
		json: func(st *model.State, vm model.VM) any {
			return vmJSON{vm, s.observed().vmStatus(st, vm)}
		},
		header: []string{"name", "state", "hypervisor", "memory", "cpus", "disk", "ip", "image", "profiles", "role", "salt"},
		row: func(st *model.State, vm model.VM) []cell {
			return []cell{
				{text: vm.Name},
				s.stateCell(st, vm),
				{text: vm.Hypervisor},
				{text: mib(vm.MemoryMiB)},
				plainCell("%d", vm.CPUs),
				{text: disks(vm)},
				{text: or(vm.IP, "dhcp")},
				{text: vm.Image},
				{text: strings.Join(vm.Profiles, ",")},
				{text: vm.Role},
				s.vmSaltCell(st, vm),
			}
		},
		detail: func(st *model.State, vm model.VM) []pair { return vmDetail(s, st, vm) },
	}
}

func (s *session) vmSaltCell(st *model.State, vm model.VM) cell {
	minion, ok := s.observed().minion(st, vm)
	if !ok {
		return cell{"", faint}
	}
	return saltCell(minion)
}

func vmFields(f *fields[model.VM]) {
	f.list("profile", "profiles that it is a member of", func(vm *model.VM) *[]string { return &vm.Profiles })
	f.text("hypervisor", "the hypervisor that carries it", func(vm *model.VM) *string { return &vm.Hypervisor })
	f.text("role", "the Salt grain role", func(vm *model.VM) *string { return &vm.Role })
	f.text("image", "the image that its root disk overlays", func(vm *model.VM) *string { return &vm.Image })
	f.size("memory", "memory, such as 2048 (MiB) or 4GiB", model.ParseMiB, func(vm *model.VM) *int { return &vm.MemoryMiB })
	f.number("cpus", "virtual CPUs", func(vm *model.VM) *int { return &vm.CPUs })
	f.size("disk", "root disk, such as 20 (GiB) or 1TiB; 0 is the image's own size; it grows in place and never shrinks", model.ParseGiB, func(vm *model.VM) *int { return &vm.DiskGiB })
	f.size("extra-disk", "a second disk, such as 100GiB; 0 is none", model.ParseGiB, func(vm *model.VM) *int { return &vm.ExtraDiskGiB })
	f.text("extra-pool", "the pool of the second disk; empty is default", func(vm *model.VM) *string { return &vm.ExtraPool })
	f.text("extra-format", "of the second disk: qcow2, or raw, which takes all its room at once", func(vm *model.VM) *string { return &vm.ExtraFormat })
	f.number("nics", "network interfaces", func(vm *model.VM) *int { return &vm.NICs })
	f.text("ip", "address of the first NIC, such as 192.168.1.20/24; empty is DHCP", func(vm *model.VM) *string { return &vm.IP })
	f.text("gateway", "of a static address; empty is the settings' one", func(vm *model.VM) *string { return &vm.Gateway })
	f.list("dns", "name servers with a static address; none: the settings' ones", func(vm *model.VM) *[]string { return &vm.DNS })
	f.list("share", "shares that it mounts on demand", func(vm *model.VM) *[]string { return &vm.Shares })
	f.text("salt-master", "its Salt master; empty is the settings' one", func(vm *model.VM) *string { return &vm.SaltMaster })
	f.truth("enabled", "it has a domain while its profile is active; --enabled=false: none", func(vm *model.VM) *bool { return &vm.Enabled })
	f.truth("running", "its domain is on; --running=false: off", func(vm *model.VM) *bool { return &vm.Running })
	f.truth("protected", "nothing may remove its disks", func(vm *model.VM) *bool { return &vm.Protected })
	f.choices("extra-format", model.FormatQCOW2, model.FormatRaw)
	f.suggest("profile", model.KindProfile)
	f.suggest("hypervisor", model.KindHypervisor)
	f.suggest("image", model.KindImage)
	f.suggest("share", model.KindShare)
	f.suggest("salt-master", model.KindSaltMaster)
}

// completeVM chooses what was not given where there is only one choice.
func completeVM(s *session, f *fields[model.VM], vm *model.VM) error {
	st := s.state()
	if !f.given("profile") {
		vm.Profiles = []string{st.ActiveProfile()}
	}
	if !f.given("hypervisor") {
		one, err := only(f.cmd, "hypervisor", model.Names(st.Hypervisors))
		if err != nil {
			return err
		}
		vm.Hypervisor = one
	}
	if !f.given("image") {
		one, err := only(f.cmd, "image", model.Names(st.Images))
		if err != nil {
			return err
		}
		vm.Image = one
	}
	return nil
}

func only(cmd *cobra.Command, flag string, names []string) (string, error) {
	switch len(names) {
	case 0:
		return "", hint(fmt.Errorf("there is no %s yet", flag), "add one with: %s add NAME", flag)
	case 1:
		return names[0], nil
	}
	return "", &usageError{err: fmt.Errorf("say which %s with --%s: %s", flag, flag, orList(names)), hint: seeHelp(cmd)}
}

func disks(vm model.VM) string {
	text := "image"
	if vm.DiskGiB != 0 {
		text = gib(vm.DiskGiB)
	}
	if vm.ExtraDiskGiB != 0 {
		text += "+" + gib(vm.ExtraDiskGiB)
	}
	return text
}

func vmDetail(s *session, st *model.State, vm model.VM) []pair {
	extra := "none"
	if vm.ExtraDiskGiB != 0 {
		extra = fmt.Sprintf("%s in pool %s, %s", gib(vm.ExtraDiskGiB), vm.Pool(), vm.Format())
	}
	disk := "the image's size"
	if vm.DiskGiB != 0 {
		disk = gib(vm.DiskGiB)
	}
	pairs := []pair{
		{"name", cell{text: vm.Name}},
		{"state", s.goingCell(st, vm)},
	}
	if from, to := vm.Way(); from != "" {
		move, way := s.observed().Moves[vm.ID], ""
		switch {
		case vm.Returns():
			way = "; vm move " + vm.Name + " --cancel leaves it there"
		case vm.MovedFrom != "":
			way = "; vm move " + vm.Name + " --back returns it"
		}
		pairs = append(pairs, pair{"moves", cell{text: from + " to " + to + ": " + or(moveText(move, true), "about to begin") + way}})
	}
	pairs = append(pairs, s.guestDetail(st, vm)...)
	return append(pairs, []pair{
		{"hypervisor", carrierCell(st, vm)},
		{"profiles", cell{text: strings.Join(vm.Profiles, ", ")}},
		{"enabled", cell{text: yesNo(vm.Enabled)}},
		{"running", cell{text: yesNo(vm.Running)}},
		{"protected", cell{text: yesNo(vm.Protected)}},
		{"memory", cell{text: mib(vm.MemoryMiB)}},
		{"cpus", plainCell("%d", vm.CPUs)},
		{"image", cell{text: vm.Image}},
		{"disk", cell{text: disk}},
		{"extra disk", cell{text: extra}},
		{"nics", plainCell("%d", vm.NICs)},
		{"ip", cell{text: or(vm.IP, "by DHCP")}},
		{"gateway", cell{text: gatewayWords(st, vm)}},
		{"dns", cell{text: dnsWords(st, vm)}},
		{"mac", cell{text: macs(vm)}},
		{"host name", cell{text: model.HostName(vm.Name, vm.Hypervisor)}},
		{"role", cell{text: or(vm.Role, "none")}},
		{"shares", cell{text: or(strings.Join(vm.Shares, ", "), "none")}},
		{"salt", s.vmSaltCell(st, vm)},
		{"salt master", cell{text: or(vm.SaltMaster, or(st.Settings.SaltMaster, "none"))}},
		{"id", cell{text: vm.ID}},
		{"changed", plainCell("%s, in revision %d", s.age(vm.Changed), vm.Version)},
		{"created", cell{text: s.age(vm.Created)}},
	}...)
}

// gatewayWords is the gateway that a guest is told.
func gatewayWords(st *model.State, vm model.VM) string {
	p, err := model.ParseIP(vm.IP)
	if err != nil || vm.IP == "" {
		return "by DHCP"
	}
	if g := model.Gateway(p, or(vm.Gateway, st.Settings.Gateway)); g.IsValid() {
		return g.String()
	}
	return "none"
}

func dnsWords(st *model.State, vm model.VM) string {
	switch {
	case vm.IP == "":
		return "by DHCP"
	case len(vm.DNS) > 0:
		return strings.Join(vm.DNS, ", ")
	case len(st.Settings.DNS) > 0:
		return strings.Join(st.Settings.DNS, ", ")
	}
	return "the gateway"
}

// macs are the addresses of all NICs.
func macs(vm model.VM) string {
	var all []string
	for i := range vm.NICs {
		all = append(all, model.MAC(vm.ID, i))
	}
	return strings.Join(all, ", ")
}

func vmCommand(s *session) *cobra.Command {
	n := vms(s)
	return parent(
		&cobra.Command{Use: "vm", Short: "Virtual machines: define, change, start, stop, rebuild", Aliases: []string{"vms"}},
		n.list(vmsOn, vmsIn), n.show(),
		n.add("vm add web\nvm add db --hypervisor thinkpad --image debian-12 --memory 4GiB --cpus 2 --disk 20GiB --ip 192.168.1.20",
			`Add a VM. The only hypervisor and the only image are taken when there is just
one, and the active profile unless --profile names others. In a script that
makes sure of a VM, change it first and add it where that fails:

  vm edit web --memory 4GiB || vm add web --memory 4GiB`),
		n.edit("vm edit web --memory 4GiB\nvm edit web --name www --version 12"),
		n.remove("Remove VMs: their domains, and their disks with all that is on them."),
		enableVM(s), disableVM(s), startVM(s), stopVM(s), restartVM(s), rebuildVM(s), protectVM(s), unprotectVM(s), adoptVM(s), moveVM(s),
	)
}

func vmsOn(cmd *cobra.Command) func(model.VM) bool {
	v := cmd.Flags().String("hypervisor", "", "only those placed on this hypervisor")
	annotate(cmd.Flags().Lookup("hypervisor"), "kind", string(model.KindHypervisor))
	return func(vm model.VM) bool { return *v == "" || vm.Hypervisor == *v }
}

func vmsIn(cmd *cobra.Command) func(model.VM) bool {
	v := cmd.Flags().String("profile", "", "only those of this profile")
	annotate(cmd.Flags().Lookup("profile"), "kind", string(model.KindProfile))
	return func(vm model.VM) bool { return *v == "" || slices.Contains(vm.Profiles, *v) }
}
