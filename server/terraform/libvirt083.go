package terraform

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"homelab/agent/wire"
	"homelab/model"
)

// libvirt083 writes for dmacvicar/libvirt 0.8.3. Version 0.9 has another
// schema and fails changes of memory and NICs.
type libvirt083 struct{ kind, network string } // of the hypervisor's NICs

const (
	libvirtSource  = "dmacvicar/libvirt"
	libvirtVersion = "0.8.3"
)

// Resource types.
const (
	libvirtDomain = "libvirt_domain"
	libvirtVolume = "libvirt_volume"
	terraformData = "terraform_data"
)

func (libvirt083) main() []byte {
	f := hclwrite.NewEmptyFile()
	b := f.Body()
	required := block(block(b, "terraform"), "required_providers")
	set(required, "libvirt", object(field{"source", libvirtSource}, field{"version", libvirtVersion}))
	variables(b, map[string]string{
		wire.VarDomainType: "kvm", wire.VarCPUMode: "host-passthrough", wire.VarURI: "qemu:///system",
	})
	set(b.AppendNewBlock("provider", []string{"libvirt"}).Body(), "uri", ref("var", wire.VarURI))
	// A domain may ask for things that the provider cannot say.
	set(block(b, "locals"), "xslt", domainXSLT)
	return f.Bytes()
}

// idMark is what a domain's stylesheet has in place of its VM's ID.
const idMark = "VM_ID"

// domainXSLT gives a domain what all have in common: the VM's ID in its
// metadata (the provider's own metadata never reaches libvirt), a serial and a
// virtio console, and a screen that listens nowhere. Applied to its own result
// it changes nothing.
var domainXSLT = strings.NewReplacer("{NS}", wire.MetadataNamespace, "{ID}", idMark).Replace(
	`<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output omit-xml-declaration="yes"/>
<xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
<xsl:template match="/domain/metadata|/domain/devices/console|/domain/devices/graphics"/>
<xsl:template match="/domain"><xsl:copy><xsl:apply-templates select="@*|node()"/>
<metadata><homelab:vm xmlns:homelab="{NS}" id="{ID}"/></metadata></xsl:copy></xsl:template>
<xsl:template match="/domain/devices"><xsl:copy><xsl:apply-templates select="@*|node()"/>
<console type="pty"><target type="serial" port="0"/></console>
<console type="pty"><target type="virtio" port="1"/></console>
<graphics type="vnc" autoport="yes"><listen type="none"/></graphics></xsl:copy></xsl:template>
</xsl:stylesheet>
`)

func (l libvirt083) vm(g guest, vm wire.VM) []byte {
	f := hclwrite.NewEmptyFile()
	b := f.Body()
	if g.Root {
		l.root(b, g)
	}
	if g.Extra {
		l.extra(b, g)
	}
	if g.Domain {
		l.seed(b, g, vm)
		l.domain(b, g)
	}
	return f.Bytes()
}

// root is an overlay over the image that the agent has put in the pool. Another
// image, or another size, is for the disk of the next rebuild: the provider
// would make the volume anew, and the data be gone.
func (libvirt083) root(b *hclwrite.Body, g guest) {
	set(resource(b, terraformData, g.ID, model.PartRebuild), "input", g.Rebuild)
	r := resource(b, libvirtVolume, g.ID, model.PartRoot)
	set(r, "name", g.domain())
	set(r, "pool", model.DefaultPool)
	set(r, "base_volume_name", g.base)
	set(r, "base_volume_pool", model.DefaultPool)
	set(r, "format", "qcow2")
	if g.DiskGiB > 0 {
		set(r, "size", g.DiskGiB<<30)
	}
	life := block(r, "lifecycle")
	set(life, "ignore_changes", names("size", "base_volume_id", "base_volume_name", "base_volume_pool", "source"))
	set(life, "replace_triggered_by", list(of(terraformData, g.ID, model.PartRebuild)))
}

func (libvirt083) extra(b *hclwrite.Body, g guest) {
	r := resource(b, libvirtVolume, g.ID, model.PartExtra)
	set(r, "name", g.extraVolume())
	set(r, "pool", g.ExtraPool)
	set(r, "format", g.extraFormat)
	set(r, "size", g.ExtraGiB<<30)
	set(block(r, "lifecycle"), "ignore_changes", names("size"))
}

// seed is the volume that the agent's ISO is copied into. Its name stays and
// its source has the hash, so that a new seed is a new volume and nothing else.
func (libvirt083) seed(b *hclwrite.Body, g guest, vm wire.VM) {
	r := resource(b, libvirtVolume, g.ID, model.PartSeed)
	set(r, "name", vm.SeedVolume)
	set(r, "pool", model.DefaultPool)
	set(r, "format", "iso")
	set(r, "source", prefixed(ref("var", wire.VarSeeds), "/"+vm.SeedISO))
}

func (l libvirt083) domain(b *hclwrite.Body, g guest) {
	set(resource(b, terraformData, g.ID, model.PartNICs), "input", list(l.kind, l.network, g.NICs))
	r := resource(b, libvirtDomain, g.ID, model.PartDomain)
	set(r, "name", g.domain())
	set(r, "type", ref("var", wire.VarDomainType))
	set(r, "memory", g.MemoryMiB)
	set(r, "vcpu", g.CPUs)
	set(r, "running", g.Running)
	set(r, "autostart", g.Running)
	set(block(r, "cpu"), "mode", ref("var", wire.VarCPUMode))
	set(block(r, "disk"), "volume_id", of(libvirtVolume, g.ID, model.PartRoot, "id"))
	if g.Extra {
		set(block(r, "disk"), "volume_id", of(libvirtVolume, g.ID, model.PartExtra, "id"))
	}
	set(block(r, "disk"), "file", g.seedPath()) // by reference the domain would change with each seed
	for i := range g.NICs {
		nic := block(r, "network_interface")
		set(nic, l.nicAttribute(), l.network)
		set(nic, "mac", model.MAC(g.ID, i))
	}
	set(block(r, "xml"), "xslt", hclwrite.TokensForFunctionCall("replace", ref("local", "xslt"), tokens(idMark), tokens(g.ID)))
	set(block(r, "lifecycle"), "replace_triggered_by", list(
		of(terraformData, g.ID, model.PartNICs), of(terraformData, g.ID, model.PartRebuild)))
	set(r, "depends_on", list(of(libvirtVolume, g.ID, model.PartSeed)))
}

func (l libvirt083) nicAttribute() string {
	if l.kind == model.NetworkNAT {
		return "network_name"
	}
	return l.kind // macvtap and bridge are called so by the provider too
}
