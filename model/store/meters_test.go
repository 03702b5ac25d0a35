package store

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

func meterStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "homelab.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var midnight = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func record(t *testing.T, s *Store, at time.Time, watts map[string]float64) {
	t.Helper()
	if err := s.RecordWatts(WattMinute{at, watts}); err != nil {
		t.Fatal(err)
	}
}

func TestWattsAreKeptByTheMinuteAndTheHour(t *testing.T) {
	s := meterStore(t)
	for m := range 150 {
		w := map[string]float64{"a": 60}
		if m%2 == 0 {
			w["b"] = float64(m)
		}
		record(t, s, midnight.Add(time.Duration(m)*time.Minute+10*time.Second), w)
	}
	now := midnight.Add(150*time.Minute + 30*time.Second)
	h, err := s.WattHistory([]string{"a", "b", "nobody"}, model.SpanHour, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(h) != 2 || len(h["a"]) != 60 || h["a"][0].Watts != 60 || !h["a"][59].At.Equal(midnight.Add(149*time.Minute)) {
		t.Fatalf("%v", h)
	}
	if b := h["b"]; b[58].Watts != 148 || !math.IsNaN(b[59].Watts) {
		t.Errorf("the minutes of b end with %v", b[56:])
	}
	y, err := s.WattHistory([]string{"b"}, model.SpanYear, now)
	if err != nil {
		t.Fatal(err)
	}
	p := y["b"]
	if n := len(p); n != 365*24 || p[n-3].Watts != 29 || p[n-2].Watts != 89 || p[n-1].Watts != 134 || !math.IsNaN(p[n-4].Watts) {
		t.Errorf("the hours end with %v of %d", p[len(p)-4:], len(p))
	}
	e, err := s.Energy(midnight.Add(time.Hour), now)
	if err != nil {
		t.Fatal(err)
	}
	if a := e["a"]; math.Abs(a.TotalWh-150) > 1e-6 || math.Abs(a.TodayWh-90) > 1e-6 || !a.Since.Equal(midnight) {
		t.Errorf("%+v", a)
	}
}

func TestMetersAreBoundedAndSmall(t *testing.T) {
	s := meterStore(t)
	watts := map[string]float64{}
	for i := range 50 {
		watts[string(rune('a'+i%26))+string(rune('a'+i/26))] = float64(10 * i)
	}
	for d := range 800 { // an hour and a half apart: beyond both bounds with few writes
		record(t, s, midnight.Add(time.Duration(d)*13*time.Hour), watts)
	}
	rows := func(name []byte) (n, bytes int) {
		_ = s.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeters).Bucket(name).ForEach(func(k, v []byte) error {
				n, bytes = n+1, bytes+len(k)+len(v)
				return nil
			})
		})
		return n, bytes
	}
	if n, bytes := rows(metersMinutes); n > 3 || bytes > 3*300 {
		t.Errorf("%d minutes are kept, in %d bytes", n, bytes)
	}
	if n, _ := rows(metersHours); n < 600 || n > 366*24/13+2 {
		t.Errorf("%d hours are kept", n)
	}
}

func TestHistoryFollowsARenamedOutletAndLeavesARemovedOne(t *testing.T) {
	s := meterStore(t)
	commit := func(edit model.Edit) {
		t.Helper()
		if _, err := s.Commit("t", "t", edit); err != nil {
			t.Fatal(err)
		}
	}
	plug := model.Outlet{Name: "old", Driver: model.DriverSimulated}
	commit(model.Add(plug))
	record(t, s, midnight, map[string]float64{"old": 42})
	commit(model.Change("old", 0, func(o *model.Outlet) error { o.Name = "new"; return nil }))
	record(t, s, midnight.Add(time.Minute), map[string]float64{"new": 44})
	h, err := s.WattHistory([]string{"old", "new"}, model.SpanHour, midnight.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if n := h["new"]; len(h) != 1 || n[58].Watts != 42 || n[59].Watts != 44 {
		t.Errorf("%v", h)
	}
	commit(model.Remove[model.Outlet]("new"))
	commit(model.Add(model.Outlet{Name: "new", Driver: model.DriverSimulated}))
	if h, _ := s.WattHistory([]string{"new"}, model.SpanHour, midnight); len(h) != 0 {
		t.Errorf("a new outlet has the history of another: %v", h)
	}
}

func TestNothingMeasuredWritesNothing(t *testing.T) {
	s := meterStore(t)
	writes := func() int64 {
		st := s.db.Stats()
		return st.TxStats.GetWrite()
	}
	before := writes()
	record(t, s, midnight, nil)
	if after := writes(); after != before {
		t.Errorf("%d writes", after-before)
	}
}
