package server

import (
	"net"
	"net/http"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	hl "homelab/model"
)

// scrape asks as Prometheus does and parses what is answered.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value finds the sample with these labels.
func value(f *dto.MetricFamily, labels ...string) (float64, bool) {
	for _, m := range f.GetMetric() {
		found := 0
		for _, l := range m.GetLabel() {
			for i := 0; i < len(labels); i += 2 {
				if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
					found++
				}
			}
		}
		if found == len(labels)/2 {
			if c := m.GetCounter(); c != nil {
				return c.GetValue(), true
			}
			return m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

func TestMetrics(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := startLab(t, func(s *Server) { s.opts.Metrics = ln })
	plug := hl.Outlet{Name: "plug", Driver: hl.DriverSimulated}
	plug.Simulated.Watts = 60
	h := hl.NewHypervisor("nuc")
	h.Platform, h.Outlets = hl.PlatformSandbox, []string{"plug"}
	l.commit(hl.Add(plug), hl.Add(hl.Outlet{Name: "bare", Driver: hl.DriverSimulated}), hl.Add(h))
	eventually(t, "they are known", func() bool {
		return l.srv.observed.outlet("plug").State == hl.PowerOff && l.srv.observed.outlet("bare").State == hl.PowerOff
	})
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, "http://"+ln.Addr().String()+"/metrics")
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"homelab_outlet_state", []string{"outlet", "plug", "state", "on"}, 1},
		{"homelab_outlet_state", []string{"outlet", "plug", "state", "off"}, 0},
		{"homelab_outlet_state", []string{"outlet", "bare", "state", "off"}, 1},
		{"homelab_hypervisor_agent_online", []string{"hypervisor", "nuc"}, 0},
		{"homelab_runs", []string{"state", "failed"}, 0},
		{"homelab_revision", nil, float64(l.srv.store.State().Revision)},
	} {
		if v, ok := value(got[c.name], c.labels...); !ok || v != c.want {
			t.Errorf("%s%v is %v (%v), want %v", c.name, c.labels, v, ok, c.want)
		}
	}
	for _, c := range []struct{ name, label, of string }{{"homelab_outlet_watts", "outlet", "plug"}, {"homelab_hypervisor_watts", "hypervisor", "nuc"}} {
		if v, ok := value(got[c.name], c.label, c.of); !ok || v < 30 || v > 90 {
			t.Errorf("%s is %v (%v)", c.name, v, ok)
		}
	}
	if v, ok := value(got["homelab_outlet_watts"], "outlet", "bare"); ok {
		t.Errorf("one without a meter says %v W", v)
	}
	if v, _ := value(got["homelab_store_bytes"]); v < 4096 {
		t.Errorf("the store has %v bytes", v)
	}
	if v, _ := value(got["homelab_goroutines"]); v < 5 {
		t.Errorf("%v goroutines", v)
	}
}
