package agent

import (
	"maps"
	"sync"

	"homelab/agent/wire"
	"homelab/model"
)

// names remembers what VMs are called, by ID, also of those that the config
// has no more: the plan that removes one speaks of it.
type names struct {
	f  folder
	mu sync.Mutex
	m  map[string]string
}

func openNames(f folder) (*names, error) {
	n := &names{f: f, m: map[string]string{}}
	return n, f.load(namesFile, &n.m)
}

// Learn adds the names of a config; kept are the IDs that must not be
// forgotten.
func (n *names) Learn(m wire.Manifest, kept map[string]bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	learned := map[string]string{}
	for id, name := range n.m {
		if kept[id] {
			learned[id] = name
		}
	}
	for _, vm := range m.VMs {
		learned[vm.ID] = vm.Name
	}
	if maps.Equal(n.m, learned) {
		return nil
	}
	n.m = learned
	return n.f.save(namesFile, n.m)
}

// Of is a VM's name, or its ID if that is all that is known.
func (n *names) Of(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.m[id]; ok {
		return name
	}
	return id
}

var partLabels = map[string]string{
	model.PartDomain:  "domain",
	model.PartRoot:    "root disk",
	model.PartExtra:   "extra disk",
	model.PartSeed:    "seed",
	model.PartNICs:    "network settings",
	model.PartRebuild: "rebuild counter",
}

// Label is what people call a terraform resource, such as "web root disk".
func (n *names) Label(address string) string {
	id, part, ok := model.ParseResource(address)
	if !ok {
		return address
	}
	return n.Of(id) + " " + partLabels[part]
}
