package terraform

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	"pgregory.net/rapid"

	"homelab/model"
)

// hostile are values that are code somewhere, if they are let.
var hostile = []string{
	`${file("/etc/shadow")}`, `%{ for x in [1] }`, `$${x}`, `%%{x}`, `"`, `\`, `\"`, `'`, "a\nb", "\n", "a\r\nb", "\r",
	"\nEOT\n", "<<EOT\nx\nEOT", "X\n}\nresource \"terraform_data\" \"x\" {\n", "#", "a #b", "/* x", "- a", "a: b", "a:", ": ", "&a", "*a",
	"!!python/object:x", "|", ">", "%YAML", "@", "`", "{", "}", "[", "]", ",", "? a", "---", "...", "~", "null", "true", "yes", "NO", "on", "y",
	"1", "1.5", "1e3", "0x10", "0o7", "1:30", "2001-01-01", ".inf", "=", "<<", " a", "a ", "\ta", "", "\x00", "\x07", "\x1b[2J", "\x7f",
	"é", "e\u0301", "😀", "\u2028", "\u0085", "\ufeff", "\u202e", "</vm><x/>", "&lt;", "]]>", "$(id)", "`id`", "; id", "../../etc/passwd",
	"{{ x }}", "## template: jinja", "#cloud-config", strings.Repeat("x", 5000), strings.Repeat("${", 500),
}

// hostileLab has a VM for each of them, with it wherever a person types.
func hostileLab(platform string) *model.State {
	s := newLab(platform)
	s.Settings.Timezone, s.Settings.SSHKeys = hostile[0], hostile
	s.Settings.GuestUser, s.Settings.DNS, s.Settings.Search = hostile[4], hostile, hostile
	s.Settings.Locale, s.Settings.Packages, s.Settings.Hosts = hostile[1], hostile, true
	hv := s.Hypervisors["thinkpad"]
	hv.Network = "bridge:" + strings.Join(hostile[:20], "")
	hv.Pools = []model.Pool{{Name: model.DefaultPool, Path: "/srv/" + strings.Join(hostile[:20], "")}}
	s.Hypervisors[hv.Name] = hv
	for i, h := range hostile {
		vm := newVM(i)
		vm.Name, vm.Role, vm.ExtraPool, vm.Image, vm.SaltMaster = fmt.Sprintf("h%d-", i)+h, h, "pool"+h, "image"+h, "master"+h
		s.Images[vm.Image] = model.Image{Name: vm.Image, Path: "/" + h, Checksum: h}
		s.SaltMasters[vm.SaltMaster] = model.SaltMaster{Name: vm.SaltMaster, Address: h}
		vm.Shares = []string{"share" + h}
		s.Shares[vm.Shares[0]] = model.Share{Server: h, Export: "/" + h, Mount: "/" + h, Options: []string{h}}
		if i%2 == 0 { // whose user-data is merged
			s.Roles[h] = model.GuestRole{Name: h, Packages: []string{h}, UserData: "mounts: [[a, b]]"}
		}
		addVMs(s, vm)
	}
	return s
}

// TestHostileHCL evaluates what was rendered: each value is what was put in,
// and there is no block that should not be.
func TestHostileHCL(t *testing.T) {
	s := hostileLab(model.PlatformLibvirt)
	c := render(t, s)
	all := files(t, c)
	if len(all) != len(hostile)+2 {
		t.Fatalf("%d files for %d VMs", len(all), len(hostile))
	}
	for _, vm := range s.VMs {
		body := parse(t, all["vm-"+guest{Placement: model.Placement{ID: vm.ID, Name: vm.Name}}.stem()+".tf"])
		if len(body.Blocks) != 6 {
			t.Errorf("%q: %d blocks", vm.Name, len(body.Blocks))
		}
		for _, b := range body.Blocks {
			want := model.DomainName(vm.Name, "thinkpad")
			switch b.Labels[1] {
			case model.ResourceName(vm.ID, model.PartExtra):
				equal(t, b.Body, "pool", vm.ExtraPool)
				want += "_extra"
			case model.ResourceName(vm.ID, model.PartSeed):
				want += "_seed.iso"
			case model.ResourceName(vm.ID, model.PartNICs), model.ResourceName(vm.ID, model.PartRebuild):
				continue
			}
			equal(t, b.Body, "name", want)
			for _, nested := range b.Body.Blocks {
				switch nested.Type {
				case "network_interface":
					equal(t, nested.Body, "bridge", strings.TrimPrefix(s.Hypervisors["thinkpad"].Network, "bridge:"))
				case "xml":
					if xslt := value(t, nested.Body, "xslt"); !strings.Contains(xslt, `id="`+vm.ID+`"`) || strings.Contains(xslt, idMark) {
						t.Errorf("%q: stylesheet %s", vm.Name, xslt)
					}
				}
			}
		}
	}
	for _, i := range c.Manifest.Images {
		if strings.ContainsAny(i.Volume, "/\\\x00\n") || filepath.Base(i.Volume) != i.Volume {
			t.Errorf("image volume %q", i.Volume)
		}
	}
	for _, vm := range c.Manifest.VMs {
		if filepath.Base(vm.SeedISO) != vm.SeedISO || strings.ContainsAny(vm.SeedISO, "\\\x00\n") {
			t.Errorf("seed %q", vm.SeedISO)
		}
	}
}

func parse(t *testing.T, text string) *hclsyntax.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "vm.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%v in\n%s", diags, text)
	}
	return f.Body.(*hclsyntax.Body)
}

func value(t *testing.T, b *hclsyntax.Body, attribute string) string {
	t.Helper()
	v, diags := b.Attributes[attribute].Expr.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{"local": cty.ObjectVal(map[string]cty.Value{"xslt": cty.StringVal(domainXSLT)})},
		Functions: map[string]function.Function{"replace": stdlib.ReplaceFunc},
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v.AsString()
}

// equal compares but for the normal form of Unicode that HCL's strings have.
func equal(t *testing.T, b *hclsyntax.Body, attribute, want string) {
	t.Helper()
	if got := value(t, b, attribute); got != cty.NormalizeString(want) {
		t.Errorf("%s is %.80q, want %.80q", attribute, got, want)
	}
}

// TestHostileSeeds reads the seeds' YAML again.
func TestHostileSeeds(t *testing.T) {
	s := hostileLab(model.PlatformSandbox)
	c := render(t, s)
	byID := map[string]model.VM{}
	for _, vm := range s.VMs {
		byID[vm.ID] = vm
	}
	for _, m := range c.Manifest.VMs {
		seed, _ := c.Manifest.SeedOf(m)
		vm := byID[m.ID]
		var data struct {
			Users    []any `yaml:"users"`
			Timezone string
			Locale   string
			Packages []string
			Hostname string
			Mounts   [][]string
			Boot     [][]string `yaml:"bootcmd"`
			Salt     *salt      `yaml:"salt_minion"`
		}
		if err := yaml.Unmarshal([]byte(seed.UserData), &data); err != nil {
			t.Fatalf("%v in\n%s", err, seed.UserData)
		}
		user := data.Users[1].(map[string]any)
		keys := user["ssh_authorized_keys"].([]any)
		for i, k := range keys {
			if k != hostile[i] {
				t.Errorf("SSH key %q, want %q", k, hostile[i])
			}
		}
		if user["name"] != s.Settings.GuestUser || len(keys) != len(hostile) || data.Timezone != s.Settings.Timezone {
			t.Errorf("user %q, %d keys, timezone %q", user["name"], len(keys), data.Timezone)
		}
		host := model.HostName(vm.Name, "thinkpad")
		address := s.SaltMasters[vm.SaltMaster].Address
		if data.Hostname != host || (address != "") != (data.Salt != nil) ||
			data.Salt != nil && (string(data.Salt.Grains.Role) != vm.Role || string(data.Salt.Conf.Master) != address || string(data.Salt.Conf.ID) != host) {
			t.Errorf("%.60q: %q %+v", vm.Name, data.Hostname, data.Salt)
		}
		packages, mounts := len(hostile), 1
		if role, ok := s.Roles[vm.Role]; ok && len(role.Packages) > 0 {
			packages, mounts = packages+1, 2
		}
		share := s.Shares[vm.Shares[0]]
		if len(data.Packages) != packages || len(data.Mounts) != mounts || data.Locale != s.Settings.Locale ||
			data.Mounts[0][0] != share.Source() || data.Mounts[0][1] != share.Mount || data.Mounts[0][3] != share.MountOptions() {
			t.Errorf("%.60q: %d packages, mounts %.300q, locale %q", vm.Name, len(data.Packages), data.Mounts, data.Locale)
		}
		if d := cmp.Diff(append([]string{"sh", "-c", writeHosts, "hosts"}, s.GuestHosts()...), data.Boot[0]); d != "" || len(data.Boot) != 1 {
			t.Errorf("bootcmd (-want +got):\n%s", d)
		}
		for i, p := range data.Packages {
			if i < len(hostile) && p != hostile[i] || i == len(hostile) && p != vm.Role {
				t.Errorf("package %q", p)
			}
		}
		var network networkConfig
		if err := yaml.Unmarshal([]byte(seed.NetworkConfig), &network); err != nil {
			t.Fatal(err)
		}
		for i, a := range network.Ethernets["nic0"].Nameservers.Search {
			if string(a) != hostile[i] {
				t.Errorf("search domain %q, want %q", a, hostile[i])
			}
		}
	}
	if _, err := json.Marshal(c.Manifest); err != nil {
		t.Error(err)
	}
}

// TestText tries texts of every kind, in each place of a YAML document.
func TestText(t *testing.T) {
	type document struct {
		Plain text            `yaml:"plain"`
		Block []text          `yaml:"block"`
		Flow  []text          `yaml:"flow,flow"`
		Deep  map[string]text `yaml:"deep"`
		After text            `yaml:"after"`
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile)).Draw(t, "text")
		want := document{text(s), []text{text(s), "x"}, []text{text(s), "x"}, map[string]text{"k": text(s)}, "end"}
		b, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got document
		if err := yaml.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q became %q by\n%s", want, got, b)
		}
	})
}

// TestHostileSandbox asks a real terraform what it made of the values.
func TestHostileSandbox(t *testing.T) {
	tf := newTerraform(t)
	s := hostileLab(model.PlatformSandbox)
	c := render(t, s)
	tf.unpack(t, c, nil)
	tf.init(t)
	tf.validate(t)
	tf.plan(t)
	plan, err := tf.ShowPlanFile(context.Background(), "plan")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, r := range plan.ResourceChanges {
		got[r.Address] = r.Change.After.(map[string]any)["input"].(map[string]any)["pool"]
	}
	if len(got) != 3*len(hostile) {
		t.Errorf("%d resources of %d VMs", len(got), len(hostile))
	}
	for _, vm := range s.VMs {
		address := terraformData + "." + model.ResourceName(vm.ID, model.PartExtra)
		if got[address] != cty.NormalizeString(vm.ExtraPool) {
			t.Errorf("the pool is %q, want %q", got[address], vm.ExtraPool)
		}
	}
}
