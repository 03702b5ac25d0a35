package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"homelab/agent/wire"
	"homelab/model"
)

// protocol is the version of the manifest.
const protocol = 1

// render makes one VM's part.
func (st *site) render(g guest) (part, error) {
	vm := wire.VM{ID: g.ID, Name: g.Name, Protected: g.Protected}
	if g.Root {
		vm.RootVolume, vm.RootGiB = g.domain(), g.DiskGiB
	}
	if g.Extra {
		vm.ExtraVolume, vm.ExtraPool, vm.ExtraGiB = g.extraVolume(), g.ExtraPool, g.ExtraGiB
	}
	if g.Domain {
		seed, err := st.seeds.of(g)
		if err != nil {
			return part{}, err
		}
		vm.DomainName, vm.Running = g.domain(), g.Running
		vm.Seed = &seed
		vm.SeedISO = g.stem() + "-" + st.seeds.hash(seed) + ".iso"
		vm.SeedVolume = g.seedVolume()
	}
	file, err := entry("vm-"+g.stem()+".tf", st.platform.vm(g, vm))
	return part{guest: g, file: file, vm: vm}, err
}

// manifest gathers what the agent must know. Its images are those that root
// disks there are based on, the ones of kept disks too.
func (st *site) manifest(s *model.State, parts []part) wire.Manifest {
	m := wire.Manifest{
		Version: protocol, Hypervisor: st.hypervisor.Name,
		Platform: st.hypervisor.Platform, Accel: st.hypervisor.Accel, Network: st.hypervisor.Network,
		Pools: st.pools, Images: []wire.Image{}, VMs: make([]wire.VM, 0, len(parts)),
	}
	images := map[string]bool{}
	for _, p := range parts {
		m.VMs = append(m.VMs, p.vm)
		if p.vm.Seed != nil {
			m.UserData = st.seeds.common
		}
		if p.guest.image != "" {
			images[p.guest.image] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		i := s.Images[name]
		m.Images = append(m.Images, wire.Image{
			Name: i.Name, Volume: imageVolume(i, st.poolPath()), Path: i.Path, URL: i.URL, Checksum: i.Checksum,
		})
	}
	return m
}

// head is what a manifest says beside its VMs, to compare two by.
func (st *site) head(m wire.Manifest) string {
	m.VMs = nil
	b, _ := json.Marshal(m) // strings only: cannot fail
	return string(b) + string(st.main)
}

// imageVolume names the file in pool "default" that root disks are overlays of.
// Another content (by the checksum, else by the source) has another name: what
// stands on the old file keeps it. It is never the image's own source.
func imageVolume(i model.Image, pool string) string {
	stem, ext := i.Name, ""
	for _, e := range []string{".qcow2", ".img", ".raw"} {
		if s, ok := strings.CutSuffix(stem, e); ok && s != "" {
			stem, ext = s, e
			break
		}
	}
	stem = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, stem)
	if len(stem) > 100 {
		stem = stem[:100]
	}
	content := i.Checksum
	if !strings.HasPrefix(content, "sha") { // which does not say what it is
		content = i.Source()
	}
	volume := stem + "-" + short(i.Name, content) + ext
	if path.Join(pool, volume) == path.Clean(i.Path) {
		volume = stem + "-" + short(i.Name, content, "copy") + ext
	}
	return volume
}

// short is a hash of texts, 12 hex digits.
func short(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		var n [8]byte
		for i := range n {
			n[i] = byte(len(t) >> (8 * i))
		}
		h.Write(n[:])
		h.Write([]byte(t))
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}
