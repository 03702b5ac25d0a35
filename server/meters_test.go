package server

import (
	"math"
	"sync"
	"testing"
	"time"

	"homelab/model"
)

// handClock is a clock that is set by hand.
type handClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *handClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestMetersRecordTheMeanOfEachMinute(t *testing.T) {
	clock := &handClock{t: time.Date(2026, 11, 23, 12, 0, 5, 0, time.UTC)}
	l := startLab(t)
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}))
	m := newMeters(l.srv)
	m.now = clock.now
	take := func(w float64) { m.take("plug", &w) }
	take(100)
	clock.add(10 * time.Second)
	take(120)
	m.take("plug", nil) // it did not answer: not 0
	m.take("gone", new(float64))
	clock.add(time.Minute)
	take(40)
	clock.add(time.Minute)
	m.tick()
	got := l.srv.observed.status().Meters["plug"]
	if n := len(got.Recent); n != 60 || got.Recent[n-2] != 110 || got.Recent[n-1] != 40 || !math.IsNaN(got.Recent[n-3]) {
		t.Errorf("the last hour is %v", got.Recent)
	}
	if math.Abs(got.TodayWh-150.0/60) > 1e-9 || math.Abs(got.TotalWh-150.0/60) > 1e-9 {
		t.Errorf("%+v", got)
	}
	clock.add(13 * time.Hour) // another day
	m.remember()
	if got := l.srv.observed.status().Meters["plug"]; got.TodayWh != 0 || got.TotalWh == 0 {
		t.Errorf("the next day %+v", got)
	}
}

func TestWattsOfASimulatedPlugAreSeen(t *testing.T) {
	l := startLab(t)
	plug := model.Outlet{Name: "plug", Driver: model.DriverSimulated}
	plug.Simulated.Watts = 60
	l.commit(model.Add(plug), model.Add(model.Outlet{Name: "bare", Driver: model.DriverSimulated}))
	eventually(t, "both are known", func() bool {
		return l.srv.observed.outlet("plug").State == model.PowerOff && l.srv.observed.outlet("bare").State == model.PowerOff
	})
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err != nil {
		t.Fatal(err)
	}
	if w := l.srv.observed.outlet("plug").Watts; w == nil || *w < 30 || *w > 90 {
		t.Errorf("watts %v", w)
	}
	if w := l.srv.observed.outlet("bare").Watts; w != nil {
		t.Errorf("one without a meter says %v W", *w)
	}
}

func TestMidnight(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 30, 0, 0, time.UTC)
	if got := midnight(at, "Europe/Amsterdam"); !got.Equal(time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
	if got := midnight(at, ""); !got.Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
}
