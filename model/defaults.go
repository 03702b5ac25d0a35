package model

// DefaultPoolPath is where a hypervisor's default pool lies unless its pools
// say otherwise; it is libvirt's own.
const DefaultPoolPath = "/var/lib/libvirt/images"

// NewVM is a VM with a permanent ID of its own and what most want: enabled,
// running, one CPU, 1 GiB of memory, one NIC, the image's own disk size.
func NewVM(name string) VM {
	return VM{
		ID: NewID(), Name: name, Profiles: []string{DefaultProfile},
		MemoryMiB: 1024, CPUs: 1, NICs: 1,
		Enabled: true, Running: true,
	}
}

// NewHypervisor is a libvirt hypervisor on libvirt's own network, with the
// default pool, that applies whatever destroys nothing unannounced. Its power
// is left to people.
func NewHypervisor(name string) Hypervisor {
	return Hypervisor{
		Name: name, Platform: PlatformLibvirt, Accel: AccelAuto,
		Network: NetworkNAT + ":default",
		Pools:   []Pool{{Name: DefaultPool, Path: DefaultPoolPath}},
		Policy:  PolicyAuto, PowerWanted: PowerWantedNone,
	}
}

// NewSaltMaster is a master of VMs whose minion is in their image and whose
// command line is not reached.
func NewSaltMaster(name string) SaltMaster {
	return SaltMaster{Name: name, Serves: ServesVMs, Reach: []string{}}
}
