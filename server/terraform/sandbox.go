package terraform

import (
	"github.com/hashicorp/hcl/v2/hclwrite"

	"homelab/agent/wire"
	"homelab/model"
)

// sandbox writes the same VMs as resources that Terraform has built in. An
// edit makes terraform create, change, replace and destroy the parts of a VM
// that it would with libvirt.
type sandbox struct{}

func (sandbox) main() []byte {
	f := hclwrite.NewEmptyFile()
	// They say nothing here; an agent sets them on every platform.
	variables(f.Body(), map[string]string{wire.VarDomainType: "", wire.VarCPUMode: "", wire.VarURI: "", wire.VarSeeds: ""})
	return f.Bytes()
}

func (s sandbox) vm(g guest, vm wire.VM) []byte {
	f := hclwrite.NewEmptyFile()
	b := f.Body()
	if g.Root {
		s.disk(b, g, model.PartRoot, list(g.domain(), g.Rebuild),
			field{"name", g.domain()}, field{"base", g.base}, field{"size_gib", g.DiskGiB})
	}
	if g.Extra {
		s.disk(b, g, model.PartExtra, list(g.extraVolume(), g.ExtraPool),
			field{"name", g.extraVolume()}, field{"pool", g.ExtraPool}, field{"size_gib", g.ExtraGiB})
	}
	if g.Domain {
		s.domain(b, g, vm)
	}
	return f.Bytes()
}

// disk is replaced by its triggers only.
func (sandbox) disk(b *hclwrite.Body, g guest, part string, triggers hclwrite.Tokens, fields ...field) {
	r := resource(b, terraformData, g.ID, part)
	set(r, "input", object(fields...))
	set(r, "triggers_replace", triggers)
	set(block(r, "lifecycle"), "ignore_changes", names("input"))
}

// domain stands on its disks: a new disk is a new domain.
func (sandbox) domain(b *hclwrite.Body, g guest, vm wire.VM) {
	r := resource(b, terraformData, g.ID, model.PartDomain)
	set(r, "input", object(field{"name", g.domain()}, field{"running", g.Running}, field{"seed", vm.SeedISO}))
	disks := []any{of(terraformData, g.ID, model.PartRoot, "id")}
	if g.Extra {
		disks = append(disks, of(terraformData, g.ID, model.PartExtra, "id"))
	}
	set(r, "triggers_replace", object(
		field{"name", g.domain()}, field{"memory_mib", g.MemoryMiB}, field{"cpus", g.CPUs},
		field{"network", g.Network}, field{"nics", g.NICs}, field{"disks", list(disks...)}))
}
