package model

import (
	"fmt"
	"slices"
	"strings"
)

// plannedVM is a VM of the dump with the profiles in which it is the same.
type plannedVM struct {
	old        oldVM
	name       string
	hypervisor string
	profiles   []string
	notes      []string
}

// addVMs adds the VMs. The predecessor's were unique by name and profile; here
// a VM is one, and may be in several profiles.
func (im *importer) addVMs(old []oldVM) []error {
	planned, errs := im.plan(old)
	owner := map[string]string{}
	for _, p := range planned {
		was := fmt.Sprintf("%q in profile %s", clip(p.old.Name), p.profiles[0])
		if other, ok := owner[p.name]; ok {
			errs = append(errs, fmt.Errorf("VMs %s and %s would both be named %s; rename one of them first", other, was, p.name))
		}
		owner[p.name] = was
	}
	if len(errs) > 0 {
		return errs
	}
	for _, p := range planned {
		if err := im.addVM(p); err != nil {
			errs = append(errs, fmt.Errorf("VM %q: %w", clip(p.old.Name), err))
		}
	}
	return errs
}

// plan finds the VMs that the dump's become, with their names.
func (im *importer) plan(old []oldVM) ([]*plannedVM, []error) {
	var planned []*plannedVM
	var errs []error
	byName := map[string][]*plannedVM{} // by the predecessor's name
	for _, o := range old {
		hypervisor, okH := im.hypervisors[string(o.Host)]
		profile, okP := im.profiles[string(o.Profile)]
		name := labelOf(o.Name)
		switch {
		case !isLabel(name):
			errs = append(errs, fmt.Errorf("VM %q: its name %s", clip(o.Name), ruleLabel))
			continue
		case !okH:
			errs = append(errs, fmt.Errorf("VM %q: its host %s is not in the dump", clip(o.Name), clip(string(o.Host))))
			continue
		case !okP:
			errs = append(errs, fmt.Errorf("VM %q: its profile %s is not in the dump", clip(o.Name), clip(string(o.Profile))))
			continue
		}
		twins := byName[o.Name]
		if i := slices.IndexFunc(twins, func(p *plannedVM) bool { return p.old.equal(o) }); i >= 0 {
			if !slices.Contains(twins[i].profiles, profile) {
				twins[i].profiles = append(twins[i].profiles, profile)
			}
			continue
		}
		p := &plannedVM{old: o, name: name, hypervisor: hypervisor, profiles: []string{profile}}
		if len(twins) > 0 {
			p.name = strings.Trim(name+"-"+labelOf(profile), "-")
			p.notes = append(p.notes, fmt.Sprintf("it is another VM than %s in profile %s", twins[0].name, twins[0].profiles[0]))
		}
		byName[o.Name] = append(twins, p)
		planned = append(planned, p)
	}
	return planned, errs
}

// equal tells whether two VMs of the dump are defined alike, profiles apart.
func (o oldVM) equal(other oldVM) bool {
	return o.Name == other.Name && o.RAM == other.RAM && o.CPU == other.CPU && string(o.Host) == string(other.Host) &&
		o.Role == other.Role && o.Image == other.Image && o.StaticIP == other.StaticIP && o.SaltMaster == other.SaltMaster &&
		o.Enabled == other.Enabled && o.ExtraStorage == other.ExtraStorage && o.NICs == other.NICs && o.ExtraPool == other.ExtraPool
}

func (im *importer) addVM(p *plannedVM) error {
	if there, ok := im.s.VMs[p.name]; ok {
		im.sharedBy(p.old)
		im.compareVM(p, there)
		return nil
	}
	vm, o := NewVM(p.name), p.old
	var err error
	if vm.Image, err = im.image(o.Image); err != nil {
		return err
	}
	if vm.SaltMaster, err = im.master(o.SaltMaster); err != nil {
		return err
	}
	note := ""
	if vm.IP, note, err = im.address(o.StaticIP, p.profiles); err != nil {
		return err
	}
	p.notes = append(p.notes, note)
	vm.Hypervisor, vm.Profiles, vm.Enabled = p.hypervisor, p.profiles, o.Enabled
	vm.MemoryMiB, vm.CPUs, vm.ExtraDiskGiB = o.RAM, o.CPU, o.ExtraStorage
	if vm.NICs = o.NICs; vm.NICs == 0 {
		vm.NICs = 1
		p.notes = append(p.notes, "it had no NIC and gets one")
	}
	if vm.Role, note = roleOf(o.Role); note != "" {
		p.notes = append(p.notes, note)
	}
	if o.ExtraPool != "" && o.ExtraPool != DefaultPool && o.ExtraStorage > 0 {
		if !isName(o.ExtraPool) {
			return fmt.Errorf("its extra_storage_pool %q %s", clip(o.ExtraPool), ruleName)
		}
		vm.ExtraPool = o.ExtraPool
		im.pool(p.hypervisor, o.ExtraPool)
	}
	add(im, vm, o.Name, append([]string{"in " + enumerate(p.profiles, 4)}, p.notes...)...)
	return nil
}

// roleOf is the role that one of the predecessor becomes.
func roleOf(s string) (role, note string) {
	switch lower := strings.ToLower(s); {
	case s == "" || isName(s):
		return s, ""
	case isName(lower):
		return lower, fmt.Sprintf("its role is %s, was %q", lower, clip(s))
	}
	return "", fmt.Sprintf("its role %q is not carried over: a role %s", clip(s), ruleName)
}

// compareVM reports a VM that is there already, which is left as it is.
func (im *importer) compareVM(p *plannedVM, there VM) {
	o := p.old
	role, _ := roleOf(o.Role)
	var differ []string
	check := func(field string, same bool) {
		if !same {
			differ = append(differ, field)
		}
	}
	file := im.s.Images[there.Image].Path
	check("hypervisor", there.Hypervisor == p.hypervisor)
	check("profiles", !slices.ContainsFunc(p.profiles, func(s string) bool { return !slices.Contains(there.Profiles, s) }))
	check("role", there.Role == role)
	check("image", file == o.Image || file == imageFolder+"/"+o.Image)
	check("memory_mib", there.MemoryMiB == o.RAM)
	check("cpus", there.CPUs == o.CPU)
	check("extra_disk_gib", there.ExtraDiskGiB == o.ExtraStorage)
	check("nics", there.NICs == max(o.NICs, 1))
	check("ip", sameAddress(there.IP, o.StaticIP))
	check("salt_master", im.s.SaltMasters[there.SaltMaster].Address == o.SaltMaster)
	check("enabled", there.Enabled == o.Enabled)
	note := ""
	if len(differ) > 0 {
		note = "is left as it is here; the dump differs in " + enumerate(differ, 12)
	}
	im.say("vm "+p.name, ImportUnchanged, note)
}
