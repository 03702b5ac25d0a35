package server

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"homelab/model"
)

// metrics serves what Prometheus asks for. Numbers are read when it asks:
// between two scrapes they cost nothing. What is not known has no sample,
// rather than one that says 0.
type metrics struct{ s *Server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("homelab_"+name, help, labels, nil)
}

var (
	metricWatts     = desc("outlet_watts", "Power that an outlet's meter says, in watts.", "outlet")
	metricEnergy    = desc("outlet_energy_watt_hours_total", "Energy recorded of an outlet since recording began.", "outlet")
	metricOutlet    = desc("outlet_state", "1 for the state that an outlet is in: on, off or unknown.", "outlet", "state")
	metricFails     = desc("outlet_failing", "Whether an outlet's device failed when it was last asked or ordered.", "outlet")
	metricPower     = desc("hypervisor_power", "1 for the power that a machine has: on, off or unknown.", "hypervisor", "state")
	metricPhase     = desc("hypervisor_phase", "1 for what a hypervisor is doing.", "hypervisor", "phase")
	metricAgent     = desc("hypervisor_agent_online", "Whether the agent is connected.", "hypervisor")
	metricGuests    = desc("hypervisor_guests_running", "Guests of ours that run.", "hypervisor")
	metricFailures  = desc("hypervisor_run_failures", "Runs that failed in a row.", "hypervisor")
	metricMachine   = desc("hypervisor_watts", "Power of all outlets of a machine; those that feed others too are counted whole.", "hypervisor")
	metricLab       = desc("watts", "Power of all outlets that measure, each counted once.")
	metricRuns      = desc("runs", "Kept runs by state.", "state")
	metricSessions  = desc("sessions", "Dashboards and commands that are open.")
	metricRevision  = desc("revision", "Number of the last committed change.")
	metricStoreSize = desc("store_bytes", "Size of the database.")
)

// Describe says nothing, on purpose: what is collected depends on the lab.
func (m metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads everything.
func (m metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	state, status := m.s.store.State(), m.s.observed.status()
	for name := range state.Outlets {
		st := status.Outlets[name]
		for _, p := range []model.Power{model.PowerOn, model.PowerOff, model.PowerUnknown} {
			gauge(metricOutlet, truth(st.State == p), name, string(p))
		}
		gauge(metricFails, truth(st.Error != ""), name)
		if st.Watts != nil {
			gauge(metricWatts, *st.Watts, name)
		}
		if recorded, ok := status.Meters[name]; ok {
			ch <- prometheus.MustNewConstMetric(metricEnergy, prometheus.CounterValue, recorded.TotalWh, name)
		}
	}
	if u := state.Usage(status); u.Watts != nil {
		gauge(metricLab, *u.Watts)
	}
	for name := range state.Hypervisors {
		m.hypervisor(name, state, status, gauge)
	}
	m.lab(state, gauge)
}

func (m metrics) hypervisor(name string, state *model.State, status model.Status, gauge func(*prometheus.Desc, float64, ...string)) {
	st := status.Hypervisors[name]
	for _, p := range []model.Power{model.PowerOn, model.PowerOff, model.PowerUnknown} {
		gauge(metricPower, truth(st.Power == p), name, string(p))
	}
	gauge(metricPhase, 1, name, string(st.Phase))
	gauge(metricAgent, truth(st.Agent == model.AgentOnline), name)
	gauge(metricFailures, float64(st.Failures), name)
	if st.Agent == model.AgentOnline {
		gauge(metricGuests, float64(st.RunningGuests()), name)
	}
	if u := state.Share(status, name); u.Watts != nil {
		gauge(metricMachine, *u.Watts, name)
	}
}

func (m metrics) lab(state *model.State, gauge func(*prometheus.Desc, float64, ...string)) {
	runs := map[model.RunState]int{}
	for _, s := range []model.RunState{
		model.RunQueued, model.RunPlanning, model.RunWaiting, model.RunApplying,
		model.RunSucceeded, model.RunFailed, model.RunCancelled, model.RunSuperseded,
	} {
		runs[s] = 0
	}
	if all, err := m.s.store.Runs(""); err == nil {
		for _, r := range all {
			runs[r.State]++
		}
		for s, n := range runs {
			gauge(metricRuns, float64(n), string(s))
		}
	}
	gauge(metricSessions, float64(m.s.live.sessions()))
	gauge(metricRevision, float64(state.Revision))
	if size, err := m.s.store.Size(); err == nil {
		gauge(metricStoreSize, float64(size))
	}
}

func truth(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// serveMetrics answers Prometheus on ln until ctx ends.
func (s *Server) serveMetrics(ctx context.Context, ln net.Listener) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second}))
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	s.log.Info("metrics", "address", "http://"+ln.Addr().String()+"/metrics")
	if err := srv.Serve(ln); err != nil && ctx.Err() == nil {
		s.log.Error("metrics are not served any more", "error", err)
	}
}
