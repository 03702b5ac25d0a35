package server

import (
	"io"
	"slices"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// percentile reports a figure of many.
func percentile(b *testing.B, all []time.Duration, name string, p float64) {
	slices.Sort(all)
	b.ReportMetric(float64(all[int(p*float64(len(all)-1))].Microseconds())/1000, name)
}

func report(b *testing.B, all []time.Duration) {
	percentile(b, all, "p50-ms", 0.5)
	percentile(b, all, "p99-ms", 0.99)
}

// thousand is a libvirt hypervisor with 1,000 VMs.
func thousand() model.Edit {
	return model.Edits(withVMs("box", 1000), model.Change("box", 0, func(h *model.Hypervisor) error {
		h.Platform = model.PlatformLibvirt
		return nil
	}))
}

// BenchmarkVMList is `ssh host vm list` of 1,000 VMs, the whole connection.
func BenchmarkVMList(b *testing.B) {
	l := startLab(b)
	l.commit(thousand())
	var all []time.Duration
	for b.Loop() {
		start := time.Now()
		c, err := l.tryDial(l.key)
		if err != nil {
			b.Fatal(err)
		}
		out, errs, status := runOn(b, c, "vm list")
		c.Close()
		all = append(all, time.Since(start))
		if status != 0 || len(out) < 20_000 {
			b.Fatalf("status %d, %d bytes, %s", status, len(out), errs)
		}
	}
	report(b, all)
}

// BenchmarkFetch fetches a config of 1,000 VMs by the terraform subsystem: over
// the agent's standing connection, after one VM has changed.
func BenchmarkFetch(b *testing.B) {
	l := startLab(b)
	l.commit(thousand())
	c := l.dial(l.join("box"))
	fetch := func() int64 {
		ch, err := openSubsystem(c, wire.SubsystemTerraform)
		if err != nil {
			b.Fatal(err)
		}
		defer ch.Close()
		n, err := io.Copy(io.Discard, ch)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	fetch()
	var all []time.Duration
	var size int64
	for b.Loop() {
		l.commit(moreMemory("vm500"))
		start := time.Now()
		size = fetch()
		all = append(all, time.Since(start))
	}
	report(b, all)
	b.ReportMetric(float64(size)/1e6, "MB")
}

// BenchmarkCommitToRun is the time from the commit of an edit of one of 1,000
// VMs to the order to run, beyond the pause in which edits are gathered.
func BenchmarkCommitToRun(b *testing.B) {
	l := startLab(b)
	l.commit(thousand())
	a := l.agent(l.join("box"), wire.Hello{})
	a.finish(a.expect(wire.KindRun).Run.ID, model.RunSucceeded, "")
	l.phase("box", model.PhaseInSync)
	var all []time.Duration
	for b.Loop() {
		l.commit(moreMemory("vm500"))
		committed := time.Now()
		run := a.expect(wire.KindRun).Run
		all = append(all, time.Since(committed)-editPause)
		a.finish(run.ID, model.RunSucceeded, "")
		l.phase("box", model.PhaseInSync)
	}
	report(b, all)
}

// BenchmarkConnect is a connection that does nothing.
func BenchmarkConnect(b *testing.B) {
	l := startLab(b)
	var all []time.Duration
	for b.Loop() {
		start := time.Now()
		c, err := l.tryDial(l.key)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
		all = append(all, time.Since(start))
	}
	report(b, all)
}
