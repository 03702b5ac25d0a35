package terraform

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"homelab/agent/wire"
	"homelab/model"
)

// platform writes Terraform for one kind of hypervisor and one schema of its
// provider. Another version of a provider is another platform.
type platform interface {
	// main is what a config has once, whatever its VMs.
	main() []byte
	// vm is one VM's file. The blocks of its disks do not depend on whether
	// it has a domain.
	vm(g guest, vm wire.VM) []byte
}

func platformOf(h model.Hypervisor) (platform, error) {
	switch h.Platform {
	case model.PlatformLibvirt:
		kind, name, err := model.SplitNetwork(h.Network)
		if err != nil {
			return nil, err
		}
		return libvirt083{kind, name}, nil
	case model.PlatformSandbox:
		return sandbox{}, nil
	}
	return nil, fmt.Errorf("platform %q is neither %s nor %s", h.Platform, model.PlatformLibvirt, model.PlatformSandbox)
}

// variables declares what the agent sets. A variable without a default must be
// set.
func variables(b *hclwrite.Body, defaults map[string]string) {
	for _, name := range []string{wire.VarDomainType, wire.VarCPUMode, wire.VarURI, wire.VarSeeds} {
		v := b.AppendNewBlock("variable", []string{name}).Body()
		set(v, "type", ref("string"))
		if d, ok := defaults[name]; ok {
			set(v, "default", d)
		}
	}
}

// resource appends a resource of a VM.
func resource(b *hclwrite.Body, kind, id, part string) *hclwrite.Body {
	if len(b.Blocks()) > 0 {
		b.AppendNewline()
	}
	return b.AppendNewBlock("resource", []string{kind, model.ResourceName(id, part)}).Body()
}

// block appends a nested block.
func block(b *hclwrite.Body, kind string) *hclwrite.Body { return b.AppendNewBlock(kind, nil).Body() }

// set sets an attribute to a value: a string, a number or a bool becomes a
// literal, whatever is in it; tokens are taken as they are.
func set(b *hclwrite.Body, name string, value any) { b.SetAttributeRaw(name, tokens(value)) }

func tokens(value any) hclwrite.Tokens {
	switch v := value.(type) {
	case string:
		return hclwrite.TokensForValue(cty.StringVal(v))
	case int:
		return hclwrite.TokensForValue(cty.NumberIntVal(int64(v)))
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(v))
	case hclwrite.Tokens:
		return v
	}
	panic(fmt.Sprintf("terraform: no HCL for a %T", value))
}

// ref is a reference such as var.seeds. Its parts are ours, never typed.
func ref(root string, attributes ...string) hclwrite.Tokens {
	t := hcl.Traversal{hcl.TraverseRoot{Name: root}}
	for _, a := range attributes {
		t = append(t, hcl.TraverseAttr{Name: a})
	}
	return hclwrite.TokensForTraversal(t)
}

// of refers to a resource of a VM.
func of(kind, id, part string, attributes ...string) hclwrite.Tokens {
	return ref(kind, append([]string{model.ResourceName(id, part)}, attributes...)...)
}

// list is a tuple of values.
func list(values ...any) hclwrite.Tokens {
	all := make([]hclwrite.Tokens, 0, len(values))
	for _, v := range values {
		all = append(all, tokens(v))
	}
	return hclwrite.TokensForTuple(all)
}

// names is a tuple of bare names.
func names(names ...string) hclwrite.Tokens {
	all := make([]any, 0, len(names))
	for _, n := range names {
		all = append(all, ref(n))
	}
	return list(all...)
}

// field is one attribute of an object.
type field struct {
	name  string
	value any
}

func object(fields ...field) hclwrite.Tokens {
	attrs := make([]hclwrite.ObjectAttrTokens, 0, len(fields))
	for _, f := range fields {
		attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: ref(f.name), Value: tokens(f.value)})
	}
	return hclwrite.TokensForObject(attrs)
}

// prefixed is the string "${head}tail".
func prefixed(head hclwrite.Tokens, tail string) hclwrite.Tokens {
	quoted := tokens(tail) // an opening quote, the literal, a closing quote
	all := hclwrite.Tokens{quoted[0], {Type: hclsyntax.TokenTemplateInterp, Bytes: []byte("${")}}
	all = append(all, head...)
	all = append(all, &hclwrite.Token{Type: hclsyntax.TokenTemplateSeqEnd, Bytes: []byte("}")})
	return append(all, quoted[1:]...)
}
