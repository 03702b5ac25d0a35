package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

func TestPowerStatusSaysWhatIsDrawn(t *testing.T) {
	l := openLab(t)
	must(t, l, "settings", "set", "--price-kwh", "0.25", "--currency", "EUR")
	for _, o := range []string{"shared", "own", "bare"} {
		must(t, l, "outlet", "add", o, "--driver", "simulated")
	}
	must(t, l, "hypervisor", "add", "nuc", "--platform", "sandbox", "--outlet", "shared")
	must(t, l, "hypervisor", "add", "rack", "--platform", "sandbox", "--outlet", "shared,own")
	must(t, l, "hypervisor", "add", "dark", "--platform", "sandbox", "--outlet", "bare")
	since := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	watts := func(w float64) *float64 { return &w }
	l.status.Outlets["shared"] = model.OutletStatus{State: model.PowerOn, Watts: watts(100)}
	l.status.Outlets["own"] = model.OutletStatus{State: model.PowerOn, Watts: watts(20.5)}
	l.status.Outlets["bare"] = model.OutletStatus{State: model.PowerOn}
	l.status.Meters = map[string]model.Metered{
		"shared": {TodayWh: 1000, TotalWh: 4000, Since: since.AddDate(0, 0, 1)}, "own": {TodayWh: 200, TotalWh: 400, Since: since},
	}
	var lines []powerJSON
	if err := json.Unmarshal([]byte(must(t, l, "power", "status", "--json")), &lines); err != nil {
		t.Fatal(err)
	}
	by := map[string]powerJSON{}
	for _, line := range lines {
		by[line.Name] = line
	}
	if r := by["rack"]; *r.Watts != 120.5 || r.Energy.Today != 1200 || r.Cost.Today != 0.3 || r.Cost.Currency != "EUR" || strings.Join(r.Shared, "") != "nuc" {
		t.Errorf("%+v", r)
	}
	// The outlet that two machines share is in the total once.
	if all := by["total"]; *all.Watts != 120.5 || !all.Partial || all.Energy.Total != 4400 || all.Cost.Total != 1.1 || !all.Energy.Since.Equal(since) {
		t.Errorf("%+v", all)
	}
	if d := by["dark"]; d.Watts != nil || d.Energy != nil || d.Cost != nil {
		t.Errorf("what is not known is said: %+v", d)
	}
	text := must(t, l, "power", "status")
	for _, want := range []string{"120 W or more", "1.20 kWh", "0.30 EUR", "shared with nuc"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
