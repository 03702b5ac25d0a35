package store

import (
	"math"
	"testing"
	"time"

	"homelab/model"
)

func TestLoadsAreKeptByTheMinuteAndTheHour(t *testing.T) {
	s := meterStore(t)
	box := model.Ref{Kind: model.KindHypervisor, Name: "box"}
	web := model.Ref{Kind: model.KindVM, Name: "0123456789ab"}
	for m := range 130 {
		of := map[model.Ref]model.LoadPoint{box: {CPUPercent: float64(m % 50), MemoryMiB: 2048}}
		if m >= 120 {
			of[web] = model.LoadPoint{CPUPercent: 12.5, MemoryMiB: math.NaN()}
		}
		if err := s.RecordLoads(LoadMinute{midnight.Add(time.Duration(m) * time.Minute), of}); err != nil {
			t.Fatal(err)
		}
	}
	now := midnight.Add(130*time.Minute + time.Second)
	h, err := s.LoadHistory([]model.Ref{box, web, {Kind: model.KindVM, Name: "nobody"}}, model.SpanHour, now)
	if err != nil || len(h) != 2 || len(h[box]) != 60 {
		t.Fatalf("%v, %v", err, h)
	}
	if p := h[box][59]; p.CPUPercent != 29 || p.MemoryMiB != 2048 || !p.At.Equal(midnight.Add(129*time.Minute)) {
		t.Errorf("box ends with %v", p)
	}
	if p := h[web][59]; p.CPUPercent != 12.5 || !math.IsNaN(p.MemoryMiB) {
		t.Errorf("web ends with %v", p)
	}
	if p := h[web][49]; !math.IsNaN(p.CPUPercent) || math.IsNaN(h[box][49].CPUPercent) {
		t.Errorf("before it ran: %v", p)
	}
	y, err := s.LoadHistory([]model.Ref{box}, model.SpanYear, now)
	if err != nil {
		t.Fatal(err)
	}
	if p := y[box]; len(p) != 365*24 || p[len(p)-2].MemoryMiB != 2048 || math.Abs(p[len(p)-3].CPUPercent-21.2) > 0.1 {
		t.Errorf("the hours end with %v", p[len(p)-3:])
	}
}
