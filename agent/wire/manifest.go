package wire

// Names in the config's tar. Beside them lie one NAME.tf per VM and
// SeedFolder/NAME.yaml, each a [Seed].
const (
	ManifestFile = "manifest.json" // always the first entry
	MainFile     = "main.tf"
	SeedFolder   = "seeds"
)

// Manifest is what the agent must know beside terraform's files: it is the
// config's part that terraform does not carry out.
type Manifest struct {
	Version    int     `json:"version"` // of the protocol
	Hypervisor string  `json:"hypervisor"`
	Platform   string  `json:"platform"` // libvirt or sandbox
	Accel      string  `json:"accel"`    // auto, kvm or tcg
	Pools      []Pool  `json:"pools"`
	Images     []Image `json:"images"`
	VMs        []VM    `json:"vms"` // with a domain or with volumes that are kept
}

// Pool is a directory pool that the agent makes and starts.
type Pool struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Image is an image file that the agent puts into pool "default" as Volume.
type Image struct {
	Name     string `json:"name"`
	Volume   string `json:"volume"` // file name in the pool, that root volumes name as their base
	Path     string `json:"path"`   // source on the hypervisor
	Checksum string `json:"checksum,omitempty"`
}

// VM is one VM of the config.
type VM struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	DomainName string `json:"domain_name,omitempty"` // empty: volumes only
	Running    bool   `json:"running"`
	RootVolume string `json:"root_volume,omitempty"` // file name in pool "default"
	// ExtraVolume is the file name of the extra disk in ExtraPool.
	ExtraVolume string `json:"extra_volume,omitempty"`
	ExtraPool   string `json:"extra_pool,omitempty"`
	// SeedFile is the path in the tar; SeedISO is the file that the agent
	// makes of it, relative to the folder of seeds (variable "seeds");
	// SeedVolume is the volume's name in pool "default".
	SeedFile   string `json:"seed_file,omitempty"`
	SeedISO    string `json:"seed_iso,omitempty"`
	SeedVolume string `json:"seed_volume,omitempty"`
}

// Seed is a NoCloud seed: the contents of its three files.
type Seed struct {
	UserData      string `yaml:"user-data"`
	MetaData      string `yaml:"meta-data"`
	NetworkConfig string `yaml:"network-config"`
}

// Terraform variables of a rendered config that the agent sets, because only
// it knows their values.
const (
	VarDomainType = "domain_type" // kvm or qemu
	VarCPUMode    = "cpu_mode"    // host-passthrough or maximum
	VarURI        = "uri"         // of libvirt, such as qemu:///system
	VarSeeds      = "seeds"       // absolute path of the folder with the seed ISOs
)
