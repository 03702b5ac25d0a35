package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"homelab/model"
)

func httpOutlet(name string, h model.HTTPOutlet) model.Edit {
	return model.Add(model.Outlet{Name: name, Driver: model.DriverHTTP, HTTP: h})
}

func TestADeadDeviceDelaysNoOther(t *testing.T) {
	release := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer dead.Close()
	defer close(release)
	var on atomic.Bool
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want, ok := strings.CutPrefix(r.URL.Path, "/set/"); ok {
			on.Store(want == "on")
		}
		_, _ = io.WriteString(w, map[bool]string{true: "it is ON", false: "it is OFF"}[on.Load()])
	}))
	defer live.Close()
	l := startLab(t)
	l.commit(
		httpOutlet("dead", model.HTTPOutlet{OnURL: dead.URL, OffURL: dead.URL + "/off", StatusURL: dead.URL, OnMatch: "ON", OffMatch: "OFF"}),
		httpOutlet("live", model.HTTPOutlet{OnURL: live.URL + "/set/on", OffURL: live.URL + "/set/off", StatusURL: live.URL, OnMatch: "ON", OffMatch: "OFF"}),
	)
	start := time.Now()
	eventually(t, "the live one is known", func() bool { return l.srv.observed.outlet("live").State == model.PowerOff })
	for _, want := range []bool{true, false} {
		if err := l.admin().SwitchOutlet(t.Context(), "live", want, false); err != nil {
			t.Fatal(err)
		}
		if on.Load() != want {
			t.Error("it was not switched")
		}
	}
	if st := l.srv.observed.outlet("live"); st.State != model.PowerOff || st.Assumed || st.Error != "" || st.Since.IsZero() {
		t.Errorf("%+v", st)
	}
	if st := l.srv.observed.outlet("dead"); st.State != model.PowerUnknown {
		t.Errorf("%+v", st)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestADeviceThatCannotBeAskedIsAssumedToDoAsTold(t *testing.T) {
	broken := atomic.Bool{}
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer d.Close()
	l := startLab(t)
	l.commit(httpOutlet("plug", model.HTTPOutlet{OnURL: d.URL, OffURL: d.URL + "/off"}))
	eventually(t, "it is known", func() bool { return l.srv.outlets.get("plug") != nil })
	if st := l.srv.observed.outlet("plug"); st.State != model.PowerUnknown {
		t.Errorf("at first %+v", st)
	}
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err != nil {
		t.Fatal(err)
	}
	if st := l.srv.observed.outlet("plug"); st.State != model.PowerOn || !st.Assumed {
		t.Errorf("on: %+v", st)
	}
	broken.Store(true)
	err := l.admin().SwitchOutlet(t.Context(), "plug", false, false)
	if err == nil || !strings.Contains(err.Error(), "outlet plug") || !strings.Contains(err.Error(), "500") {
		t.Errorf("error %v", err)
	}
	if st := l.srv.observed.outlet("plug"); st.State != model.PowerOn || !st.Assumed || st.Error == "" {
		t.Errorf("after a failure: %+v", st)
	}
}

func TestADeviceThatDoesNotDoAsToldIsAnError(t *testing.T) {
	d := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OFF") }))
	defer d.Close()
	l := startLab(t)
	l.commit(httpOutlet("plug", model.HTTPOutlet{OnURL: d.URL, OffURL: d.URL + "/off", StatusURL: d.URL, OnMatch: "ON", OffMatch: "OFF"}))
	eventually(t, "it is known", func() bool { return l.srv.observed.outlet("plug").State == model.PowerOff })
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err == nil || !strings.Contains(err.Error(), "still says off") {
		t.Errorf("error %v", err)
	}
	if err := l.admin().SwitchOutlet(t.Context(), "none", true, false); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("error %v", err)
	}
}

// Who has just added or changed an outlet may order it at once.
func TestAnOutletObeysAsSoonAsItIsThere(t *testing.T) {
	l := startLab(t)
	for n := range 100 {
		name := fmt.Sprintf("plug-%d", n)
		l.commit(model.Add(model.Outlet{Name: name, Driver: model.DriverSimulated}))
		if err := l.admin().SwitchOutlet(t.Context(), name, true, false); err != nil {
			t.Fatal(err)
		}
		l.commit(model.Change(name, 0, func(o *model.Outlet) error { o.Groups = []string{"g"}; return nil }))
		if report, err := l.admin().TestOutlet(t.Context(), name); err != nil || report.State != model.PowerOn {
			t.Fatal(report, err)
		}
	}
	if _, err := l.admin().TestOutlet(t.Context(), "none"); err == nil {
		t.Error("an outlet that is not there answers")
	}
}
