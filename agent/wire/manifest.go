package wire

import "strings"

// Names in the config's tar. Beside them lies one vm-NAME.tf per VM (so that a VM
// may be named "main" or "override", which terraform takes for its own). The seeds
// are in the manifest: as files of their own they would double the tar.
const (
	ManifestFile = "manifest.json" // always the first entry
	MainFile     = "main.tf"
)

// MetadataNamespace is the namespace of the element <vm id="ID"/> by which a
// domain's XML metadata tells whose it is.
const MetadataNamespace = "https://homelab.invalid/vm/1"

// Manifest is what the agent must know beside terraform's files: it is the
// config's part that terraform does not carry out.
type Manifest struct {
	Version    int     `json:"version"` // of the protocol
	Hypervisor string  `json:"hypervisor"`
	Platform   string  `json:"platform"` // libvirt or sandbox
	Accel      string  `json:"accel"`    // auto, kvm or tcg
	Network    string  `json:"network"`  // macvtap:IFACE, bridge:NAME or nat:NETWORK
	Pools      []Pool  `json:"pools"`
	Images     []Image `json:"images"`
	// UserData begins the user-data of every guest, with what all have in
	// common: a thousand copies of the same SSH keys are not sent.
	UserData string `json:"user_data,omitempty"`
	VMs      []VM   `json:"vms"` // with a domain or with volumes that are kept
}

// userDataHeader is the first line of user-data that is whole.
const userDataHeader = "#cloud-config\n"

// SeedOf is the whole seed of a VM of the manifest; a VM without a domain has
// none.
func (m *Manifest) SeedOf(vm VM) (Seed, bool) {
	if vm.Seed == nil {
		return Seed{}, false
	}
	seed := *vm.Seed
	if !strings.HasPrefix(seed.UserData, userDataHeader) {
		seed.UserData = m.UserData + seed.UserData
	}
	return seed, true
}

// Pool is a pool that the agent makes, mounts and starts.
type Pool struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	NFS      string `json:"nfs,omitempty"`       // HOST:/EXPORT
	TmpfsMiB int    `json:"tmpfs_mib,omitempty"` // size
}

// Image is an image file that the agent puts into pool "default" as Volume.
type Image struct {
	Name     string `json:"name"`
	Volume   string `json:"volume"`             // file name in the pool, that root volumes name as their base
	Path     string `json:"path,omitempty"`     // source on the hypervisor
	URL      string `json:"url,omitempty"`      // else http, https or file
	Checksum string `json:"checksum,omitempty"` // as in model.Image
}

// VM is one VM of the config.
type VM struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	DomainName string `json:"domain_name,omitempty"` // empty: volumes only
	Running    bool   `json:"running"`
	Protected  bool   `json:"protected,omitempty"`   // no plan may destroy its disks, whoever approves it
	RootVolume string `json:"root_volume,omitempty"` // file name in pool "default"
	RootGiB    int    `json:"root_gib,omitempty"`    // that it is grown to; 0 leaves it as it is
	// ExtraVolume is the file name of the extra disk in ExtraPool.
	ExtraVolume string `json:"extra_volume,omitempty"`
	ExtraPool   string `json:"extra_pool,omitempty"`
	ExtraGiB    int    `json:"extra_gib,omitempty"` // that it is grown to
	// SeedISO is the file that the agent makes of the seed (see
	// [Manifest.SeedOf]), relative to the folder of seeds (variable "seeds");
	// SeedVolume is the volume's name in pool "default".
	SeedISO    string `json:"seed_iso,omitempty"`
	SeedVolume string `json:"seed_volume,omitempty"`
	Seed       *Seed  `json:"seed,omitempty"` // user-data without its common beginning, unless it has its header
}

// Seed is a NoCloud seed: the contents of its three files.
type Seed struct {
	UserData      string `json:"user_data"`
	MetaData      string `json:"meta_data"`
	NetworkConfig string `json:"network_config"`
}

// Terraform variables of a rendered config that the agent sets, because only
// it knows their values. Configs of every platform declare all of them.
const (
	VarDomainType = "domain_type" // kvm or qemu
	VarCPUMode    = "cpu_mode"    // host-passthrough or maximum
	VarURI        = "uri"         // of libvirt, such as qemu:///system
	VarSeeds      = "seeds"       // absolute path of the folder with the seed ISOs
)
