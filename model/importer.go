package model

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// Import is what a dump of the predecessor becomes.
type Import struct {
	Edit  Edit         // adds it all or nothing
	Lines []ImportLine // what it does, object by object
}

// What an import does with an object.
const (
	ImportAdded     = "added"
	ImportRenamed   = "renamed"   // added, under another name
	ImportUnchanged = "unchanged" // it is there already
	ImportSkipped   = "skipped"   // it is not carried over; the note says why
)

// ImportLine says what an import does with one object.
type ImportLine struct {
	Object string `json:"object"` // such as "vm web"
	Action string `json:"action"`
	Note   string `json:"note,omitempty"`
}

// imageFolder is where the predecessor's images lie.
const imageFolder = "/var/lib/libvirt/images"

// poolFolder is where pools are assumed that the predecessor only named.
const poolFolder = "/var/lib/libvirt"

// importer turns a dump into additions to a state.
type importer struct {
	s           *State // as it was, with what is added
	edits       []Edit
	lines       []ImportLine
	hypervisors map[string]string // new names by pk
	profiles    map[string]string
	told        map[string]bool // objects that VMs share and that have their line
}

// ImportHomelabmanager reads a dump of the predecessor's database and says
// what it becomes in this state: what is new is added, what is there is never
// changed. Its error names everything for which the whole import is refused;
// what only shows with everything in place, the edit refuses.
func ImportHomelabmanager(s *State, data []byte) (Import, error) {
	d, err := readDump(data)
	if err != nil {
		return Import{}, err
	}
	im := &importer{s: s.Clone(), hypervisors: map[string]string{}, profiles: map[string]string{}, told: map[string]bool{}}
	errs := append(im.addHypervisors(d.hypervisors), im.addProfiles(d.profiles, len(s.VMs) == 0)...)
	if len(errs) == 0 {
		errs = im.addVMs(d.vms)
	}
	if len(errs) > 0 {
		return Import{}, fmt.Errorf("nothing was imported:\n%w", bounded(errs))
	}
	for _, m := range Names(d.others) {
		im.say("model "+m, ImportSkipped, fmt.Sprintf("%d objects that are no part of a lab", d.others[m]))
	}
	im.edits = append(im.edits, Validate)
	return Import{Edit: Edits(im.edits...), Lines: im.lines}, nil
}

func (im *importer) say(object, action string, notes ...string) {
	notes = slices.DeleteFunc(notes, func(n string) bool { return n == "" })
	im.lines = append(im.lines, ImportLine{object, action, strings.Join(notes, "; ")})
}

// there says once of an object that it is there already.
func (im *importer) there(object string) {
	if !im.told[object] {
		im.told[object] = true
		im.say(object, ImportUnchanged)
	}
}

// sharedBy says of what a VM that is there shares with others that it is there.
func (im *importer) sharedBy(o oldVM) {
	for _, name := range Names(im.s.Images) {
		if at := im.s.Images[name].Path; at == o.Image || at == imageFolder+"/"+o.Image {
			im.there("image " + name)
		}
	}
	for _, name := range Names(im.s.SaltMasters) {
		if im.s.SaltMasters[name].Address == o.SaltMaster {
			im.there(Ref{KindSaltMaster, name}.String())
		}
	}
}

// add adds an object to the copy and to the edit.
func add[T any](im *importer, obj T, was string, notes ...string) {
	e := Add(obj)
	_ = e(im.s) // the caller has seen that the name is free
	im.edits = append(im.edits, e)
	t := tableOf[T]()
	action := ImportAdded
	if name := t.name(obj); was != "" && was != name {
		action = ImportRenamed
		notes = append([]string{fmt.Sprintf("was %q", clip(was))}, notes...)
	}
	im.say(Ref{t.k, t.name(obj)}.String(), action, notes...)
}

// labelOf is the DNS label that a name of the predecessor becomes.
func labelOf(s string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(s))
}

func (im *importer) addHypervisors(old []oldHypervisor) (errs []error) {
	from := map[string]string{}
	for _, o := range old {
		name := labelOf(o.Name)
		if !isLabel(name) {
			errs = append(errs, fmt.Errorf("hypervisor %q: its name %s", clip(o.Name), ruleLabel))
			continue
		}
		if other, ok := from[name]; ok {
			errs = append(errs, fmt.Errorf("hypervisors %q and %q would both be named %s; rename one of them first", clip(other), clip(o.Name), name))
			continue
		}
		from[name] = o.Name
		im.hypervisors[o.pk] = name
		h := NewHypervisor(name)
		note := ""
		if o.Interface != "" {
			h.Network = NetworkMacvtap + ":" + o.Interface
			note = "network " + clip(h.Network)
		} else {
			note = "it has no interface, so its network is " + h.Network
		}
		there, ok := im.s.Hypervisors[name]
		switch {
		case !ok:
			add(im, h, o.Name, note)
		case there.Network != h.Network:
			im.say("hypervisor "+name, ImportUnchanged, fmt.Sprintf("its network here is %s, in the dump %s", there.Network, clip(h.Network)))
		default:
			im.say("hypervisor "+name, ImportUnchanged)
		}
	}
	return errs
}

// addProfiles adds profiles; the enabled one becomes active where no VM could
// lose its domain by that.
func (im *importer) addProfiles(old []oldProfile, empty bool) (errs []error) {
	from := map[string]string{}
	for _, o := range old {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(o.Name)), " ", "-")
		if !isName(name) {
			errs = append(errs, fmt.Errorf("profile %q: its name %s", clip(o.Name), ruleName))
			continue
		}
		if other, ok := from[name]; ok {
			errs = append(errs, fmt.Errorf("profiles %q and %q would both be named %s; rename one of them first", clip(other), clip(o.Name), name))
			continue
		}
		from[name] = o.Name
		im.profiles[o.pk] = name
		activate, note := false, ""
		if o.Enabled && im.s.ActiveProfile() != name {
			if activate = empty; activate {
				note = "is the active one now"
			} else {
				note = fmt.Sprintf("was the enabled one; %s stays active here", im.s.ActiveProfile())
			}
		}
		if _, ok := im.s.Profiles[name]; ok {
			im.say("profile "+name, ImportUnchanged, note)
		} else {
			add(im, Profile{Name: name}, o.Name, note)
		}
		if activate {
			e := Activate(name)
			_ = e(im.s) // it was just added
			im.edits = append(im.edits, e)
		}
	}
	return errs
}

// image is the name of the image that a file of the predecessor becomes.
func (im *importer) image(file string) (string, error) {
	full := file
	if !path.IsAbs(full) {
		full = imageFolder + "/" + file
	}
	if file == "" || !isPath(full) || !path.IsAbs(file) && strings.Contains(file, "/") {
		return "", fmt.Errorf("its image %q is no file name", clip(file))
	}
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (isAlnum(byte(r)) || strings.ContainsRune("-._", r)) {
			return r
		}
		return '-'
	}, strings.ToLower(path.Base(full)))
	if !isName(name) {
		return "", fmt.Errorf("its image %q cannot be an image's name, which %s", clip(file), ruleName)
	}
	there, ok := im.s.Images[name]
	if !ok {
		im.told["image "+name] = true
		add(im, Image{Name: name, Path: full}, path.Base(full), "at "+full)
		return name, nil
	}
	if there.Path != full {
		return "", fmt.Errorf("its image %q would be named %s, which is the image at %s", clip(file), name, there.Path)
	}
	im.there("image " + name)
	return name, nil
}

// master is the name of the Salt master with an address.
func (im *importer) master(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	for _, name := range Names(im.s.SaltMasters) {
		if im.s.SaltMasters[name].Address == address {
			im.there(Ref{KindSaltMaster, name}.String())
			return name, nil
		}
	}
	name := "salt-" + strings.ReplaceAll(strings.ToLower(address), ":", "-")
	name = strings.TrimRight(name, "-.")
	if !isHost(address) || !isName(name) {
		return "", fmt.Errorf("its saltmaster_ip %q %s", clip(address), ruleHost)
	}
	if _, ok := im.s.SaltMasters[name]; ok {
		return "", fmt.Errorf("its saltmaster_ip %q would be Salt master %s, which has another address here", clip(address), name)
	}
	im.told[Ref{KindSaltMaster, name}.String()] = true
	add(im, SaltMaster{Name: name, Address: address}, "")
	return name, nil
}

// pool makes sure that a hypervisor has the pool; it only ever gets more.
func (im *importer) pool(hypervisor, name string) {
	h := im.s.Hypervisors[hypervisor]
	if slices.ContainsFunc(h.Pools, func(p Pool) bool { return p.Name == name }) {
		return
	}
	p := Pool{Name: name, Path: poolFolder + "/" + name}
	e := Change(hypervisor, 0, func(h *Hypervisor) error {
		h.Pools = append(slices.Clone(h.Pools), p)
		return nil
	})
	_ = e(im.s)
	im.edits = append(im.edits, e)
	im.say("pool "+name+" of "+hypervisor, ImportAdded,
		fmt.Sprintf("assumed at %s, as the dump does not say; check that before its agent joins", p.Path))
}

// address is the VM's IP with its prefix, empty with a note if it cannot have
// it: the predecessor did not mind an address that was given twice.
func (im *importer) address(static string, profiles []string) (ip, note string, err error) {
	if static == "" {
		return "", "", nil
	}
	p, err := ParseIP(static)
	if err != nil {
		return "", "", fmt.Errorf("its static_ip %w", err)
	}
	for _, name := range Names(im.s.VMs) {
		vm := im.s.VMs[name]
		q, err := ParseIP(vm.IP)
		if err != nil || q.Addr() != p.Addr() || !overlap(vm.Profiles, profiles) {
			continue
		}
		return "", fmt.Sprintf("it asks for its address by DHCP: %s is that of %s already", static, name), nil
	}
	return p.String(), "", nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// sameAddress compares addresses as people wrote them.
func sameAddress(a, b string) bool {
	p, errP := ParseIP(a)
	q, errQ := ParseIP(b)
	return a == b || errP == nil && errQ == nil && p == q && p != netip.Prefix{}
}
