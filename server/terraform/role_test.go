package terraform

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"homelab/model"
	"homelab/model/userdata"
)

// TestSkeleton: what a role is refused to replace is what the user-data of a
// guest that has everything has.
func TestSkeleton(t *testing.T) {
	s := newLab(model.PlatformLibvirt)
	s.Settings.Locale, s.Settings.Packages = "C.UTF-8", []string{"htop"}
	s.SaltMasters["pi"] = model.SaltMaster{Name: "pi", Address: "192.168.1.239", Repository: "deb https://x y z", RepositoryKey: "key"}
	s.Shares["media"] = model.Share{Name: "media", Server: "nas", Export: "/x", Mount: "/mnt/x"}
	vm := newVM(1)
	vm.Shares = []string{"media"}
	addVMs(s, vm)
	paths := func(user string) []string {
		s.Settings.GuestUser = user // with one, the keys are its own
		c, err := NewRenderer().Render(Input{State: s, Hypervisor: "thinkpad", Keys: map[string]MinionKey{vm.ID: {Private: "a", Public: "b"}}})
		if err != nil {
			t.Fatal(err)
		}
		seed, _ := c.Manifest.SeedOf(c.Manifest.VMs[0])
		return pathsOf(t, seed.UserData)
	}
	got := map[string]bool{}
	for _, p := range append(paths("homelab"), paths("")...) {
		got[p] = true
	}
	if d := cmp.Diff(pathsOf(t, userdata.Skeleton), slices.Sorted(maps.Keys(got))); d != "" {
		t.Errorf("(-skeleton +user-data):\n%s", d)
	}
}

// pathsOf are the keys of maps in maps, with what kind of value they have.
func pathsOf(t *testing.T, text string) []string {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var all []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(at+"/"+key, value)
			}
		case []any:
			all = append(all, at+" list")
		default:
			all = append(all, at)
		}
	}
	walk("", doc)
	slices.Sort(all)
	return all
}

// TestRole: what a role has reaches its guests and no others, and what cannot
// be merged is an error that names it.
func TestRole(t *testing.T) {
	s := addVMs(newLab(model.PlatformLibvirt), newVM(1), newVM(2))
	change(s, "vm-0002", func(vm *model.VM) { vm.Role = "db" })
	before := render(t, s)
	s = s.Clone()
	s.Roles["db"] = model.GuestRole{Name: "db", UserData: "packages: [postgresql]"}
	after := render(t, s)
	if before.Manifest.VMs[0].SeedISO != after.Manifest.VMs[0].SeedISO || before.Manifest.VMs[1].SeedISO == after.Manifest.VMs[1].SeedISO {
		t.Errorf("seeds %s and %s", after.Manifest.VMs[0].SeedISO, after.Manifest.VMs[1].SeedISO)
	}
	for i, want := range []bool{false, true} {
		seed, _ := after.Manifest.SeedOf(after.Manifest.VMs[i])
		if got := strings.Contains(seed.UserData, "postgresql"); got != want || strings.Count(seed.UserData, "#cloud-config\n") != 1 {
			t.Errorf("VM %d: %s", i, seed.UserData)
		}
	}
	for text, want := range map[string]string{"a: [": "role \"db\" is no YAML", "hostname: x": "\"hostname\" is set by homelab itself"} {
		s.Roles["db"] = model.GuestRole{Name: "db", UserData: text}
		if _, err := NewRenderer().Render(Input{State: s, Hypervisor: "thinkpad"}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `VM "vm-0002"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
