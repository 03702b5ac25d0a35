package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"homelab/model"
	"homelab/model/store"
)

func BenchmarkCommit1000(b *testing.B) {
	s := open(b)
	commit(b, s, lab(1000))
	i := 0
	for b.Loop() {
		i++
		commit(b, s, setMemory("vm-500", 0, 1024+i%1000))
	}
}

func BenchmarkPreview1000(b *testing.B) {
	s := open(b)
	commit(b, s, lab(1000))
	for b.Loop() {
		if _, err := s.Preview(setMemory("vm-500", 0, 2048)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIngest takes in batches of 100 records about a run of 5,000 resources.
func BenchmarkIngest(b *testing.B) {
	s := open(b)
	run := newRun(b, s, "a")
	seq := uint64(0)
	next := func(n int) []model.Record {
		records := make([]model.Record, n)
		for i := range records {
			seq++
			records[i] = model.Record{Seq: seq, Run: run.ID, Message: "libvirt_volume: still creating", Resource: &model.Resource{
				Address: fmt.Sprintf("libvirt_volume.vm_%012x_root", seq%5000), Status: model.ResourceRunning,
			}}
		}
		return records
	}
	ingest(b, s, "a", "sp", next(5000)...)
	for b.Loop() {
		ingest(b, s, "a", "sp", next(100)...)
	}
	b.ReportMetric(100, "records/op")
}

func BenchmarkOpen1000(b *testing.B) {
	path := filepath.Join(b.TempDir(), "homelab.db")
	s := openAt(b, path)
	commit(b, s, lab(1000))
	s.Close()
	for b.Loop() {
		s, err := store.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
