package model

import "strings"

// Parts of a VM in terraform's config; each has a resource of its own.
const (
	PartDomain  = ""
	PartRoot    = "root"
	PartExtra   = "extra"
	PartSeed    = "seed"
	PartNICs    = "nics"    // holds what makes terraform replace the domain
	PartRebuild = "rebuild" // holds what makes terraform replace the root disk
)

const resourcePrefix = "vm_"

// ResourceName is the name of a VM's resource, by its ID: "vm_ID" for the
// domain, "vm_ID_PART" for other parts.
func ResourceName(id, part string) string {
	if part == PartDomain {
		return resourcePrefix + id
	}
	return resourcePrefix + id + "_" + part
}

// Addresses are those that the resources of a VM can have on libvirt.
func Addresses(id string) []string {
	var all []string
	for part, kind := range map[string]string{
		PartDomain: "libvirt_domain", PartRoot: "libvirt_volume", PartExtra: "libvirt_volume", PartSeed: "libvirt_volume",
		PartNICs: "terraform_data", PartRebuild: "terraform_data",
	} {
		all = append(all, kind+"."+ResourceName(id, part))
	}
	return all
}

// ParseResource finds the VM and the part that a terraform address names. It
// reads libvirt's resources and the sandbox's, whose terraform_data resources
// have the same names.
func ParseResource(address string) (id, part string, ok bool) {
	kind, name, ok := strings.Cut(address, ".")
	if !ok {
		return "", "", false
	}
	name, ok = strings.CutPrefix(name, resourcePrefix)
	if !ok {
		return "", "", false
	}
	id, part, _ = strings.Cut(name, "_")
	if !validID(id) || ResourceName(id, part) != resourcePrefix+name {
		return "", "", false
	}
	return id, part, partsOf(kind, part)
}

// partsOf tells whether a resource type can be that part of a VM.
func partsOf(kind, part string) bool {
	switch part {
	case PartDomain:
		return kind == "libvirt_domain" || kind == "terraform_data"
	case PartRoot, PartExtra:
		return kind == "libvirt_volume" || kind == "terraform_data"
	case PartSeed:
		return kind == "libvirt_volume" || kind == "libvirt_cloudinit_disk" || kind == "terraform_data"
	case PartNICs, PartRebuild:
		return kind == "terraform_data"
	}
	return false
}

// validID tells whether s is a VM's ID, as NewID makes them.
func validID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
