package model_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"homelab/model"
)

func realDump(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/homelabmanager-resources.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustImport(t testing.TB, s *model.State, dump []byte) (*model.State, []model.ImportLine) {
	t.Helper()
	im, err := model.ImportHomelabmanager(s, dump)
	if err != nil {
		t.Fatal(err)
	}
	return with(t, s, im.Edit), im.Lines
}

func TestImportOfARealDump(t *testing.T) {
	s, lines := mustImport(t, model.NewState(), realDump(t))
	want := model.VM{
		Name: "devenv", Profiles: []string{"default"}, Hypervisor: "thinkpad", Role: "devenv", Image: "debian-10-openstack-amd64.qcow2",
		MemoryMiB: 4096, CPUs: 8, ExtraDiskGiB: 1, NICs: 1, IP: "192.168.1.245/24", SaltMaster: "salt-192.168.1.239", Enabled: true, Running: true,
	}
	if d := cmp.Diff(want, s.VMs["devenv"], cmpopts.IgnoreFields(model.VM{}, "ID")); d != "" {
		t.Error(d)
	}
	if got := s.Images[want.Image].Path; got != "/var/lib/libvirt/images/debian-10-openstack-amd64.qcow2" {
		t.Errorf("the image is at %s", got)
	}
	if got := s.Hypervisors["thinkpad"].Network; got != "macvtap:enp0s20f0u4" {
		t.Errorf("the network is %s", got)
	}
	if got := s.SaltMasters["salt-192.168.1.239"].Address; got != "192.168.1.239" {
		t.Errorf("the master is at %s", got)
	}
	wantLines := []model.ImportLine{
		{Object: "hypervisor thinkpad", Action: "added", Note: "network macvtap:enp0s20f0u4"},
		{Object: "profile default", Action: "unchanged"},
		{Object: "profile offline", Action: "added"},
		{Object: "image debian-10-openstack-amd64.qcow2", Action: "added", Note: "at /var/lib/libvirt/images/debian-10-openstack-amd64.qcow2"},
		{Object: "salt_master salt-192.168.1.239", Action: "added"},
		{Object: "vm devenv", Action: "added", Note: "in default"},
	}
	if d := cmp.Diff(wantLines, lines); d != "" {
		t.Error(d)
	}
}

func TestSecondImportAddsWhatIsNew(t *testing.T) {
	first, _ := mustImport(t, model.NewState(), realDump(t))
	again, lines := mustImport(t, first, realDump(t))
	if d := cmp.Diff(first, again, cmpopts.IgnoreUnexported(model.State{})); d != "" {
		t.Error(d)
	}
	for _, l := range lines {
		if l.Action != model.ImportUnchanged || l.Note != "" {
			t.Errorf("got %+v", l)
		}
	}
	changed := with(t, first, changeVM("devenv", func(v *model.VM) { v.MemoryMiB = 1 << 10 }))
	more := strings.Replace(string(realDump(t)), "]", `, {"model": "resources.virtualmachine", "pk": 2, "fields": {"name": "Node_1", "ram_in_mb": 512,
		"cpu": 1, "host": 1, "role": "my role", "profile": 2, "image": "debian-10-openstack-amd64.qcow2", "enabled": false,
		"extra_storage_in_gb": 2, "network_interface_count": 1, "extra_storage_pool": "ramdisk"}}]`, 1)
	s, lines := mustImport(t, changed, []byte(more))
	if s.VMs["devenv"].MemoryMiB != 1<<10 {
		t.Error("a VM was overwritten")
	}
	if vm := s.VMs["node-1"]; vm.ExtraPool != "ramdisk" || vm.Role != "" || vm.Enabled {
		t.Errorf("got %+v", vm)
	}
	if pools := s.Hypervisors["thinkpad"].Pools; len(pools) != 2 || pools[1].Path != "/var/lib/libvirt/ramdisk" {
		t.Errorf("pools are %v", pools)
	}
	text := fmt.Sprint(lines)
	for _, want := range []string{
		"{vm devenv unchanged is left as it is here; the dump differs in memory_mib}", "{vm node-1 renamed was \"Node_1\"",
		"its role \"my role\" is not carried over", "{pool ramdisk of thinkpad added assumed at /var/lib/libvirt/ramdisk",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

// dumpOf is a dump of two hypervisors, two profiles and these VMs.
func dumpOf(vms ...string) []byte {
	head := `[{"model":"resources.hypervisor","pk":1,"fields":{"name":"a","interface":"eth0"}},
		{"model":"resources.hypervisor","pk":2,"fields":{"name":"b","interface":"eth0"}},
		{"model":"resources.profile","pk":1,"fields":{"name":"home","enabled":false}},
		{"model":"resources.profile","pk":2,"fields":{"name":"offline","enabled":true}}`
	for i, vm := range vms {
		head += fmt.Sprintf(`,{"model":"resources.virtualmachine","pk":%d,"fields":{"ram_in_mb":512,"cpu":1,"host":1,"profile":1,
			"image":"x.qcow2","enabled":true,"network_interface_count":1,%s}}`, i+1, vm)
	}
	return []byte(head + "]")
}

func TestImportOfVMsInTwoProfiles(t *testing.T) {
	s, lines := mustImport(t, model.NewState(), dumpOf(
		`"name":"same"`, `"name":"same","profile":2`,
		`"name":"other"`, `"name":"other","profile":2,"cpu":2`,
		`"name":"x","static_ip":"10.0.0.5"`, `"name":"y","static_ip":"10.0.0.5"`, `"name":"z","static_ip":"10.0.0.5","profile":2`))
	if d := cmp.Diff([]string{"home", "offline"}, s.VMs["same"].Profiles); d != "" {
		t.Error(d)
	}
	if s.VMs["other"].CPUs != 1 || s.VMs["other-offline"].CPUs != 2 {
		t.Errorf("got %v", model.Names(s.VMs))
	}
	if s.VMs["x"].IP != "10.0.0.5/24" || s.VMs["y"].IP != "" || s.VMs["z"].IP != "10.0.0.5/24" {
		t.Errorf("addresses are %q %q %q", s.VMs["x"].IP, s.VMs["y"].IP, s.VMs["z"].IP)
	}
	if s.ActiveProfile() != "offline" {
		t.Errorf("active is %s", s.ActiveProfile())
	}
	if text := fmt.Sprint(lines); !strings.Contains(text, "10.0.0.5 is that of x already") || !strings.Contains(text, "is the active one now") {
		t.Error(text)
	}
	// Where VMs are already, the active profile stays: guests hang on it.
	again, _ := mustImport(t, lab(), dumpOf())
	if again.ActiveProfile() != "default" {
		t.Error("the import switched the profile")
	}
}

func TestImportRefusesAll(t *testing.T) {
	for name, tt := range map[string]struct{ dump, want string }{
		"no dump":       {"hello", "manage.py dumpdata"},
		"no list":       {`{"a":1}`, "manage.py dumpdata"},
		"collision":     {string(dumpOf(`"name":"node_1"`, `"name":"node-1"`)), `would both be named node-1`},
		"suffix":        {string(dumpOf(`"name":"v"`, `"name":"v","profile":2,"cpu":3`, `"name":"v-offline"`)), `would both be named v-offline`},
		"name":          {string(dumpOf(`"name":"${x}"`)), "DNS label"},
		"host":          {string(dumpOf(`"name":"v","host":7`)), "its host 7 is not in the dump"},
		"image":         {string(dumpOf(`"name":"v","image":"${file(\"/etc/shadow\")}"`)), "is no file name"},
		"command":       {string(dumpOf(`"name":"v","image":"x\"\n provisioner \"local-exec\" {"`)), "is no file name"},
		"address":       {string(dumpOf(`"name":"v","static_ip":"ten"`)), "its static_ip"},
		"type":          {string(dumpOf(`"name":"v","cpu":"many"`)), "object 5 of the dump"},
		"twice":         {strings.Replace(string(dumpOf()), `"pk":2`, `"pk":1`, 1), "its pk is there twice"},
		"two machines":  {strings.Replace(string(dumpOf()), `"name":"b"`, `"name":"A"`, 1), "would both be named a"},
		"salt":          {string(dumpOf(`"name":"v","saltmaster_ip":"a b"`)), "saltmaster_ip"},
		"no fields":     {`[{"model":"resources.profile","pk":1}]`, "no fields"},
		"no pk":         {`[{"model":"resources.profile","fields":{}}]`, "no pk"},
		"another image": {string(dumpOf(`"name":"v","image":"/one/x.qcow2"`, `"name":"w","image":"/two/x.qcow2"`)), "which is the image at /one/x.qcow2"},
	} {
		if _, err := model.ImportHomelabmanager(model.NewState(), []byte(tt.dump)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// What only shows with everything in place, the edit refuses.
	im, err := model.ImportHomelabmanager(model.NewState(), dumpOf(`"name":"v","cpu":0`))
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Edit(model.NewState()); len(model.FieldErrors(err)) != 1 {
		t.Errorf("got %v", err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(realDump(f))
	f.Add(dumpOf(`"name":"same"`, `"name":"same","profile":2`, `"name":"node_1","extra_storage_pool":"ramdisk","extra_storage_in_gb":1`))
	f.Add(dumpOf(`"name":"v","saltmaster_ip":"fd00::1","static_ip":"fd00::2"`))
	f.Add([]byte(`[{"model":"auth.user","pk":"x","fields":{}}]`))
	f.Fuzz(func(t *testing.T, dump []byte) {
		for _, base := range []*model.State{model.NewState(), lab()} {
			before := base.Clone()
			im, err := model.ImportHomelabmanager(base, dump)
			if d := cmp.Diff(before, base, cmpopts.IgnoreUnexported(model.State{})); d != "" {
				t.Fatal("the state was written into:", d)
			}
			if err != nil {
				continue
			}
			after := base.Clone()
			if im.Edit(after) != nil {
				continue
			}
			if err := model.Check(before, after, nil); err != nil {
				t.Fatal(err)
			}
			for name, vm := range before.VMs {
				if d := cmp.Diff(vm, after.VMs[name]); d != "" {
					t.Fatal("a VM was overwritten:", d)
				}
			}
			again, err := model.ImportHomelabmanager(after, dump)
			if err != nil {
				t.Fatal("the second import:", err)
			}
			twice := after.Clone()
			if err := again.Edit(twice); err != nil {
				t.Fatal("the second import:", err)
			}
			if d := cmp.Diff(after, twice, cmpopts.IgnoreUnexported(model.State{})); d != "" {
				t.Fatal("the second import changed something:", d)
			}
		}
	})
}
