package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

// BenchmarkEditToTerraform measures from the commit of an edit to terraform's
// start in the agent (the record that says so, written right after it), by separate processes on one clock. The coalescing pause is in it.
func BenchmarkEditToTerraform(b *testing.B) {
	needTerraform(b)
	l := newLab(b)
	l.must("hypervisor", "add", "h1", "--platform", "sandbox")
	l.must("image", "add", "img", "--path", "/srv/img.qcow2")
	for i := range 30 {
		l.must("vm", "add", fmt.Sprintf("v%d", i), "--hypervisor", "h1", "--image", "img")
	}
	l.join("h1", "")
	l.inSync("h1", time.Minute)
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		l.must("vm", "edit", "v1", "--memory", strconv.Itoa(600+i), "--yes")
		l.inSync("h1", time.Minute)
		took = append(took, l.editToTerraform())
	}
	b.StopTimer()
	report(b, took, "edit")
}

// editToTerraform compares the newest revision with the newest run.
func (l *lab) editToTerraform() time.Duration {
	l.t.Helper()
	var revisions []model.Revision
	l.decode(l.must("history", "--limit", "1", "--json"), &revisions)
	var runs []model.Run
	l.decode(l.must("run", "list", "h1", "--json"), &runs)
	var records []model.Record
	l.decode(l.must("logs", strconv.FormatUint(runs[0].ID, 10), "--json"), &records)
	for _, r := range records {
		if strings.HasSuffix(r.Message, " plan started") {
			return r.Time.Sub(revisions[0].Time)
		}
	}
	l.t.Fatal("the newest run never planned")
	return 0
}

// BenchmarkIdleServer measures the memory of a server with a small lab and
// nobody connected.
func BenchmarkIdleServer(b *testing.B) {
	for range b.N {
		l := newLab(b)
		l.must("hypervisor", "add", "h1", "--platform", "sandbox")
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.server.cmd.Process.Pid))
		if err != nil {
			b.Skip(err)
		}
		for _, line := range strings.Split(string(status), "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
				kib, _ := strconv.ParseFloat(f[1], 64)
				b.ReportMetric(kib/1024, "MiB-RSS")
			}
		}
		l.server.terminate()
	}
}

// report adds the median and the 99th percentile, in milliseconds.
func report(b *testing.B, took []time.Duration, name string) {
	slices.Sort(took)
	ms := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.5), name+"-p50-ms")
	b.ReportMetric(ms(0.99), name+"-p99-ms")
}
