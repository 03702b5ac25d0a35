package terraform

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"homelab/agent/wire"
	"homelab/model"
)

// Input is all that a config is rendered from.
type Input struct {
	State      *model.State
	Hypervisor string
	Kept       []model.Disk // disks that its agent reports; those of VMs without a domain stay
	// Keys are those of the VMs' minions, by the VM's ID. A guest without one
	// makes its own.
	Keys map[string]MinionKey
}

// MinionKey is the key pair of a VM's Salt minion, in PEM.
type MinionKey struct{ Private, Public string }

// Renderer renders configs and remembers the part of each VM, so that a change
// of one VM costs little more than that VM. It may be used concurrently.
type Renderer struct {
	mu   sync.Mutex
	last map[string]memory // by hypervisor
}

// memory is what the last rendering of a hypervisor left.
type memory struct {
	parts  map[string]part // by VM ID; never written after it was stored
	head   string          // what the config consists of beside them
	config *Config
}

// part is one VM's share of a config.
type part struct {
	guest guest
	file  []byte // its terraform file, as an entry of the tar
	vm    wire.VM
}

// NewRenderer makes a renderer that remembers nothing yet.
func NewRenderer() *Renderer { return &Renderer{last: map[string]memory{}} }

// Render renders the config of one hypervisor. A hypervisor that the state does
// not know is an error, never an empty config. The config may be one that was
// returned before, if nothing differs.
func (r *Renderer) Render(in Input) (*Config, error) {
	site, err := newSite(in.State, in.Hypervisor)
	if err != nil {
		return nil, err
	}
	guests, err := site.guests(in)
	if err != nil {
		return nil, err
	}
	old := r.recall(in.Hypervisor)
	now := memory{parts: make(map[string]part, len(guests)), config: old.config}
	parts := make([]part, 0, len(guests))
	same := len(old.parts) == len(guests)
	for _, g := range guests {
		p, ok := old.parts[g.ID]
		if !ok || p.guest != g {
			same = false
			if p, err = site.render(g); err != nil {
				return nil, fmt.Errorf("VM %q: %w", g.Name, err)
			}
		}
		now.parts[g.ID] = p
		parts = append(parts, p)
	}
	manifest := site.manifest(in.State, parts)
	now.head = site.head(manifest)
	if !same || now.head != old.head {
		if now.config, err = pack(manifest, site.main, parts); err != nil {
			return nil, err
		}
	}
	r.remember(in.Hypervisor, now)
	return now.config, nil
}

func (r *Renderer) recall(hypervisor string) memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[hypervisor]
}

func (r *Renderer) remember(hypervisor string, m memory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[hypervisor] = m
}

// site is what all VMs of one hypervisor have in common.
type site struct {
	hypervisor model.Hypervisor
	platform   platform
	main       []byte      // main.tf
	pools      []wire.Pool // "default" among them
	seeds      seeds
}

func newSite(s *model.State, name string) (*site, error) {
	h, ok := s.Hypervisors[name]
	if !ok {
		return nil, &model.NotFoundError{Ref: model.Ref{Kind: model.KindHypervisor, Name: name}}
	}
	st := &site{hypervisor: h}
	for _, p := range h.Pools {
		st.pools = append(st.pools, wire.Pool(p))
	}
	if st.poolPath() == "" {
		st.pools = append(st.pools, wire.Pool{Name: model.DefaultPool, Path: model.DefaultPoolPath})
	}
	slices.SortStableFunc(st.pools, func(a, b wire.Pool) int { return cmp.Compare(a.Name, b.Name) })
	var err error
	if st.platform, err = platformOf(h); err != nil {
		return nil, fmt.Errorf("hypervisor %q: %w", name, err)
	}
	st.main = st.platform.main()
	if st.seeds, err = newSeeds(s); err != nil {
		return nil, fmt.Errorf("the part of the seeds that all guests share: %w", err)
	}
	return st, nil
}

// poolPath is where pool "default" lies.
func (st *site) poolPath() string {
	for _, p := range st.pools {
		if p.Name == model.DefaultPool {
			return p.Path
		}
	}
	return ""
}

// guest is all that one VM's part of a config is rendered from, so that equal
// guests have equal parts: shares and what the role adds are in the placement's Seed.
type guest struct {
	model.Placement
	ip, gateway, dns string // of the seed; dns separated by commas
	role, master     string // of the seed; the master's address
	extraFormat      string
	repository       string // of the minion's package
	repositoryKey    string
	minion           MinionKey
	image, base      string // name and volume of the image; empty without a root disk
	pool             string // path of pool "default"
	platform         string
	seeds            string // fingerprint of what all seeds share
}

// guests lists what the hypervisor carries, sorted by name.
func (st *site) guests(in Input) ([]guest, error) {
	placements := model.Placements(in.State, in.Hypervisor, in.Kept)
	guests := make([]guest, 0, len(placements))
	for _, p := range placements {
		vm, ok := in.State.VMs[p.Name]
		if !ok {
			return nil, fmt.Errorf("VM %q is placed on %q but not in the state", p.Name, in.Hypervisor)
		}
		g := guest{
			Placement: p, ip: vm.IP, gateway: vm.Gateway, dns: strings.Join(vm.DNS, ","), role: vm.Role, extraFormat: vm.Format(),
			pool: st.poolPath(), platform: st.hypervisor.Platform, seeds: st.seeds.fingerprint,
		}
		if !idPattern.MatchString(vm.ID) {
			return nil, fmt.Errorf("VM %q has the malformed ID %q", vm.Name, vm.ID)
		}
		if name := in.State.Master(vm); name != "" {
			m, ok := in.State.SaltMasters[name]
			if !ok {
				return nil, fmt.Errorf("VM %q: there is no salt master named %q", vm.Name, name)
			}
			g.master, g.repository, g.repositoryKey = m.Address, m.Repository, m.RepositoryKey
			g.minion = in.Keys[vm.ID]
		}
		if p.Root {
			image, ok := in.State.Images[vm.Image]
			if !ok {
				return nil, fmt.Errorf("VM %q: there is no image named %q", vm.Name, vm.Image)
			}
			g.image, g.base = vm.Image, imageVolume(image, g.pool)
		}
		guests = append(guests, g)
	}
	slices.SortFunc(guests, func(a, b guest) int { return cmp.Compare(a.Name, b.Name) })
	return guests, nil
}

var (
	idPattern    = regexp.MustCompile(`^[0-9a-zA-Z][0-9a-zA-Z_-]*$`)
	labelPattern = regexp.MustCompile(`^[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?$`)
)

// stem is what the VM's files are named by: its name, as far as that can name
// a file safely.
func (g guest) stem() string {
	if labelPattern.MatchString(g.Name) {
		return g.Name
	}
	return g.ID
}

// domain is the name of the VM's libvirt domain and root volume; the others
// have suffixes that no name of a VM or hypervisor can end with.
func (g guest) domain() string      { return model.DomainName(g.Name, g.Hypervisor) }
func (g guest) extraVolume() string { return model.ExtraVolume(g.Name, g.Hypervisor) }
func (g guest) seedVolume() string  { return g.domain() + "_seed.iso" } // a cdrom by its suffix
func (g guest) seedPath() string    { return path.Join(g.pool, g.seedVolume()) }
