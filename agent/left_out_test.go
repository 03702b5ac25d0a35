package agent

import (
	"encoding/json"
	"slices"
	"testing"

	"homelab/agent/wire"
)

// What has a disk in a pool that is missing is left out of the plan; what the
// config has, and what only the state has still, is in it.
func TestTargets(t *testing.T) {
	const here, out, gone, added = "0123456789a1", "0123456789a2", "0123456789a3", "0123456789a4"
	var st state
	text := `{"resources": [
		{"mode": "managed", "type": "libvirt_domain", "name": "vm_` + here + `", "instances": [{"attributes": {"id": "a"}}]},
		{"mode": "managed", "type": "libvirt_volume", "name": "vm_` + out + `_extra", "instances": [{"attributes": {"id": "b"}}]},
		{"mode": "managed", "type": "libvirt_volume", "name": "vm_` + gone + `_root", "instances": [{"attributes": {"id": "c"}}]}]}`
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		t.Fatal(err)
	}
	m := wire.Manifest{VMs: []wire.VM{{ID: here}, {ID: out}, {ID: added}}}
	got := targetsOf(st, m, map[string]bool{out: true})
	for address, want := range map[string]bool{
		"libvirt_domain.vm_" + here: true, "libvirt_volume.vm_" + gone + "_root": true, "terraform_data.vm_" + added + "_rebuild": true,
		"libvirt_domain.vm_" + out: false, "libvirt_volume.vm_" + out + "_extra": false,
	} {
		if slices.Contains(got, address) != want {
			t.Errorf("%s is planned: %v", address, !want)
		}
	}
	if len(got) != 3*6 {
		t.Errorf("%d targets: %q", len(got), got)
	}
	if got := targetsOf(state{}, wire.Manifest{VMs: []wire.VM{{ID: out}}}, map[string]bool{out: true}); len(got) != 0 {
		t.Errorf("nothing is left: %q", got)
	}
}
