package server

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"homelab/model"
)

// Prometheus asks and this is what it is told, in its text format. Numbers are
// read when it asks: between two scrapes they cost nothing. What is not known
// has no sample, rather than one that says 0. The format is written here since
// it is a page of code, and its library costs an idle server two MiB of its
// memory.

// metricsType is the text format, version 0.0.4.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"

// exposition is written family by family.
type exposition struct {
	bytes.Buffer
	family string
}

// begin begins a family of samples.
func (e *exposition) begin(name, kind, help string) {
	e.family = "homelab_" + name
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", e.family, help, e.family, kind)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample adds one to the family; labels are names and values in turn.
func (e *exposition) sample(v float64, labels ...string) {
	if math.IsNaN(v) {
		return
	}
	e.WriteString(e.family)
	for i := 0; i+1 < len(labels); i += 2 {
		e.WriteByte("{,"[min(i, 1)])
		e.WriteString(labels[i] + `="` + labelEscapes.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		e.WriteByte('}')
	}
	e.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// one is a family of one sample.
func (e *exposition) one(name, kind, help string, v float64) {
	e.begin(name, kind, help)
	e.sample(v)
}

var powers = []model.Power{model.PowerOn, model.PowerOff, model.PowerUnknown}

func (s *Server) exposition() []byte {
	e := &exposition{}
	state, status := s.store.State(), s.observed.status()
	exposeOutlets(e, state, status)
	exposeHypervisors(e, state, status)
	if u := state.Usage(status); u.Watts != nil {
		e.one("watts", "gauge", "Power of all outlets that measure, each counted once.", *u.Watts)
	}
	s.exposeRuns(e)
	e.one("sessions", "gauge", "Dashboards and commands that are open.", float64(s.live.sessions()))
	e.one("revision", "gauge", "Number of the last committed change.", float64(state.Revision))
	if size, err := s.store.Size(); err == nil {
		e.one("store_bytes", "gauge", "Size of the database.", float64(size))
	}
	e.one("goroutines", "gauge", "Goroutines of the server.", float64(runtime.NumGoroutine()))
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	e.one("heap_bytes", "gauge", "Memory that the server's objects take.", float64(m.HeapAlloc))
	e.one("start_time_seconds", "gauge", "When the server started, in Unix time.", float64(s.observed.start.Unix()))
	return e.Bytes()
}

func exposeOutlets(e *exposition, state *model.State, status model.Status) {
	names := model.Names(state.Outlets)
	e.begin("outlet_state", "gauge", "1 for the state that an outlet is in: on, off or unknown.")
	for _, name := range names {
		for _, p := range powers {
			e.sample(truth(status.Outlets[name].State == p), "outlet", name, "state", string(p))
		}
	}
	e.begin("outlet_failing", "gauge", "Whether an outlet's device failed when it was last asked or ordered.")
	for _, name := range names {
		e.sample(truth(status.Outlets[name].Error != ""), "outlet", name)
	}
	e.begin("outlet_watts", "gauge", "Power that an outlet's meter says.")
	for _, name := range names {
		if w := status.Outlets[name].Watts; w != nil {
			e.sample(*w, "outlet", name)
		}
	}
	e.begin("outlet_energy_watt_hours_total", "counter", "Energy recorded of an outlet since recording began.")
	for _, name := range names {
		if recorded, ok := status.Meters[name]; ok {
			e.sample(recorded.TotalWh, "outlet", name)
		}
	}
}

func exposeHypervisors(e *exposition, state *model.State, status model.Status) {
	each := func(name, help string, add func(h string, st model.HypervisorStatus)) {
		e.begin("hypervisor_"+name, "gauge", help)
		for _, h := range model.Names(state.Hypervisors) {
			add(h, status.Hypervisors[h])
		}
	}
	each("power", "1 for the power that a machine has: on, off or unknown.", func(h string, st model.HypervisorStatus) {
		for _, p := range powers {
			e.sample(truth(st.Power == p), "hypervisor", h, "state", string(p))
		}
	})
	each("phase", "1 for what a hypervisor is doing.", func(h string, st model.HypervisorStatus) {
		e.sample(1, "hypervisor", h, "phase", string(st.Phase))
	})
	each("agent_online", "Whether the agent is connected.", func(h string, st model.HypervisorStatus) {
		e.sample(truth(st.Agent == model.AgentOnline), "hypervisor", h)
	})
	each("run_failures", "Runs that failed in a row.", func(h string, st model.HypervisorStatus) {
		e.sample(float64(st.Failures), "hypervisor", h)
	})
	each("guests_running", "Guests of ours that run, where the agent is connected.", func(h string, st model.HypervisorStatus) {
		if st.Agent == model.AgentOnline {
			e.sample(float64(st.RunningGuests()), "hypervisor", h)
		}
	})
	each("watts", "Power of all outlets of a machine; those that feed others too are counted whole.", func(h string, _ model.HypervisorStatus) {
		if u := state.Share(status, h); u.Watts != nil {
			e.sample(*u.Watts, "hypervisor", h)
		}
	})
}

func (s *Server) exposeRuns(e *exposition) {
	all, err := s.store.Runs("")
	if err != nil {
		return
	}
	count := map[model.RunState]int{}
	for _, r := range all {
		count[r.State]++
	}
	e.begin("runs", "gauge", "Kept runs by state.")
	for _, state := range []model.RunState{
		model.RunQueued, model.RunPlanning, model.RunWaiting, model.RunApplying,
		model.RunSucceeded, model.RunFailed, model.RunCancelled, model.RunSuperseded,
	} {
		e.sample(float64(count[state]), "state", string(state))
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
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", metricsType)
		_, _ = w.Write(s.exposition())
	})
	srv := &http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	s.log.Info("metrics", "address", "http://"+ln.Addr().String()+"/metrics")
	if err := srv.Serve(ln); err != nil && ctx.Err() == nil {
		s.log.Error("metrics are not served any more", "error", err)
	}
}
