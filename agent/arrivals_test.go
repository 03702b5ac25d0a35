package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homelab/agent/wire"
)

// TestForgetArrivals: only what a move brought, nobody has and is old goes.
func TestForgetArrivals(t *testing.T) {
	pool, now := t.TempDir(), time.Now()
	arrived, err := openVolumes(folder(t.TempDir()), arrivedFile)
	if err != nil {
		t.Fatal(err)
	}
	v := &virt{arrived: arrived}
	for name, age := range map[string]time.Duration{
		"old_on_hv1": 25 * time.Hour, "new_on_hv1": time.Hour, "web_on_hv1": 99 * time.Hour, "known_on_hv1": 99 * time.Hour, "foreign_on_hv1": 99 * time.Hour,
	} {
		path := filepath.Join(pool, name)
		if err := os.WriteFile(path, []byte("disk"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		if name != "foreign_on_hv1" {
			if err := arrived.Add(volume{defaultPool, name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := arrived.Add(volume{defaultPool, "gone_on_hv1"}, volume{"other", "elsewhere_on_hv1"}); err != nil {
		t.Fatal(err)
	}
	var st state
	if err := json.Unmarshal([]byte(`{"resources":[{"type":"libvirt_volume","instances":[{"attributes":{"pool":"default","name":"known_on_hv1"}}]}]}`), &st); err != nil {
		t.Fatal(err)
	}
	m := wire.Manifest{Pools: []wire.Pool{{Name: defaultPool, Path: pool}}, VMs: []wire.VM{{RootVolume: "web_on_hv1"}}}
	if _, err := v.forgetArrivals(m, st, now); err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	entries, _ := os.ReadDir(pool)
	for _, e := range entries {
		left[e.Name()] = true
	}
	if d := cmp.Diff(map[string]bool{"new_on_hv1": true, "web_on_hv1": true, "known_on_hv1": true, "foreign_on_hv1": true}, left); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]bool{"old_on_hv1": false, "gone_on_hv1": false, "new_on_hv1": true, "web_on_hv1": true} {
		if arrived.Has(volume{defaultPool, name}) != want {
			t.Errorf("%s is remembered: %v", name, !want)
		}
	}
}
