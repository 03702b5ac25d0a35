package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkLibvirtCreate is what the agent adds to terraform: the wall time of
// its run that creates thirty stopped domains, from the order to its end, by
// that of a bare `terraform apply` of the same config, each pair in turn.
//
//	go test -run '^$' -bench LibvirtCreate -benchtime 5x .
func BenchmarkLibvirtCreate(b *testing.B) {
	f := newFleet(b, 0)
	var ratios, ours, bare []float64
	for b.Loop() {
		first := len(ratios)%2 == 0
		var agent, terraform time.Duration
		if first {
			agent = f.createdByAgent()
		}
		terraform = f.createdByTerraform()
		if !first {
			agent = f.createdByAgent()
		}
		b.Logf("agent %.2f s, bare terraform %.2f s", agent.Seconds(), terraform.Seconds())
		ours, bare = append(ours, agent.Seconds()), append(bare, terraform.Seconds())
		ratios = append(ratios, agent.Seconds()/terraform.Seconds())
	}
	b.ReportMetric(median(ours), "agent-s")
	b.ReportMetric(median(bare), "bare-s")
	b.ReportMetric(median(ratios), "ratio")
	if m := median(ratios); m > 1.15 {
		b.Errorf("the agent takes %.2f times as long as a bare terraform apply, more than 1.15", m)
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// wipe removes all that was made but the image, and what the agent knows of
// it, behind everybody's back.
func (f *fleet) wipe() {
	f.t.Helper()
	var script strings.Builder
	for i := range fleetSize {
		script.WriteString("undefine " + f.domain(i) + "; vol-delete " + f.domain(i) + " default; vol-delete " + f.domain(i) + "_seed.iso default; ")
	}
	f.tryVirsh(script.String())
	if left := f.tryVirsh("vol-list", "default"); len(f.starts()) > 0 || strings.Contains(left, "_on_fleet") {
		f.t.Fatalf("not wiped: %v %s", f.starts(), left)
	}
	for _, name := range []string{"terraform.tfstate", "backups", "volumes.json"} {
		if err := os.RemoveAll(f.agentData(name)); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fleet) agentData(names ...string) string {
	return filepath.Join(append([]string{f.dir, "agent-fleet"}, names...)...)
}

// createdByAgent has the agent create everything anew.
func (f *fleet) createdByAgent() time.Duration {
	f.t.Helper()
	f.must("hold", "fleet")
	f.agent.terminate()
	f.wipe()
	last := f.seen().LastRun
	f.must("release", "fleet")
	// Asking the server all the time would take a part of the CPUs.
	ended := func() int {
		log, _ := os.ReadFile(filepath.Join(f.dir, "fleet.log"))
		return bytes.Count(log, []byte(`msg="run ended"`))
	}
	before := ended()
	f.agent = f.rejoin("fleet")
	f.eventually("the run has ended", 3*time.Minute, func() error {
		if ended() == before {
			return errors.New("it has not")
		}
		return nil
	})
	f.inSync("fleet", time.Minute)
	var run struct {
		ID                uint64
		State             string
		Started, Finished time.Time
		Summary           struct{ Add, Done int }
	}
	f.decode(f.must("run", "show", jsonNumber(f.seen().LastRun), "--json"), &run)
	if run.ID <= last || run.State != "succeeded" || run.Summary.Add < 3*fleetSize || run.Summary.Done != run.Summary.Add {
		f.t.Fatalf("run: %+v", run)
	}
	return run.Finished.Sub(run.Started)
}

func jsonNumber(n uint64) string { b, _ := json.Marshal(n); return string(b) }

// createdByTerraform creates the same by a terraform that nobody runs but the
// test, with the seeds that the agent made.
func (f *fleet) createdByTerraform() time.Duration {
	f.t.Helper()
	f.must("hold", "fleet")
	f.wipe()
	dir := f.t.TempDir()
	configs, _ := filepath.Glob(f.agentData("configs", "*"))
	if len(configs) != 1 {
		f.t.Fatalf("configs: %q", configs)
	}
	files, _ := filepath.Glob(filepath.Join(configs[0], "*.tf"))
	for _, file := range files {
		if filepath.Base(file) == "agent_backend.tf" {
			continue
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	terraform := func(args ...string) {
		f.t.Helper()
		cmd := exec.Command("terraform", args...)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), f.env...), "CHECKPOINT_DISABLE=1",
			"TF_VAR_domain_type=qemu", "TF_VAR_cpu_mode=maximum", "TF_VAR_uri="+f.uri, "TF_VAR_seeds="+f.agentData("seeds"))
		if out, err := cmd.CombinedOutput(); err != nil {
			f.t.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
	}
	terraform("init", "-input=false")
	begun := time.Now()
	terraform("apply", "-input=false", "-auto-approve")
	took := time.Since(begun)
	if n := len(f.starts()); n != fleetSize {
		f.t.Fatalf("terraform made %d domains", n)
	}
	f.wipe()
	return took
}
