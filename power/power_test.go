package power

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"homelab/model"
)

// device is a plug that can be told and asked.
func device(t *testing.T) (*httptest.Server, *atomic.Bool) {
	t.Helper()
	var on atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("POST /set", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Content-Type") != "application/json":
			http.Error(w, "json please", http.StatusUnsupportedMediaType)
		case string(body) == `{"on":true}`:
			on.Store(true)
		case string(body) == `{"on":false}`:
			on.Store(false)
		default:
			http.Error(w, "what?", http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, map[bool]string{true: `{"output":true}`, false: `{"output":false}`}[on.Load()])
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, &on
}

func outlet(h model.HTTPOutlet) model.Outlet {
	return model.Outlet{Name: "plug", Driver: model.DriverHTTP, HTTP: h}
}

func TestHTTPSwitchesAndAsks(t *testing.T) {
	d, on := device(t)
	s, err := New(outlet(model.HTTPOutlet{
		Method: "post", OnURL: d.URL + "/set", OffURL: d.URL + "/set", OnBody: `{"on":true}`, OffBody: `{"on":false}`,
		StatusURL: d.URL + "/status", OnMatch: `"output": *true`, OffMatch: `"output": *false`,
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false, true} {
		if err := s.Set(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if on.Load() != want {
			t.Fatalf("the device is %v", on.Load())
		}
		state, err := s.State(t.Context())
		if err != nil || state != (map[bool]model.Power{true: model.PowerOn, false: model.PowerOff})[want] {
			t.Fatalf("state %v, %v", state, err)
		}
	}
}

func TestHTTPErrorsAreSaid(t *testing.T) {
	teapot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "short and stout", http.StatusTeapot)
	}))
	defer teapot.Close()
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ON or OFF") }))
	defer odd.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	cases := []struct {
		name string
		http model.HTTPOutlet
		want string // in the error of Set, or of State where there is a status URL
	}{
		{"status code", model.HTTPOutlet{OnURL: teapot.URL}, `418 I'm a teapot "short and stout"`},
		{"no URL", model.HTTPOutlet{OffURL: teapot.URL}, "no URL to switch it on"},
		{"refused", model.HTTPOutlet{OnURL: gone.URL + "/?password=secret"}, "refused the connection"},
		{"both", model.HTTPOutlet{StatusURL: odd.URL, OnMatch: "ON", OffMatch: "OFF"}, "matches both"},
		{"neither", model.HTTPOutlet{StatusURL: odd.URL, OnMatch: "^on$", OffMatch: "^off$"}, "matches neither"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(outlet(c.http), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if c.http.StatusURL != "" {
				var state model.Power
				if state, err = s.State(t.Context()); state != model.PowerUnknown {
					t.Errorf("state %v", state)
				}
			} else {
				err = s.Set(t.Context(), true)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestHTTPHangsNoLongerThanItsContext(t *testing.T) {
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hang.Close()
	defer close(release)
	s, err := New(outlet(model.HTTPOutlet{OnURL: hang.URL}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := s.Set(ctx, true); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestHTTPTriesAgainOnlyWhatNeverArrived(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		conn, _, err := w.(http.Hijacker).Hijack() // breaks off without an answer
		if err == nil {
			conn.Close()
		}
	}))
	defer s.Close()
	sw, err := New(outlet(model.HTTPOutlet{Method: "POST", OnURL: s.URL}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sw.Set(t.Context(), true); err == nil {
		t.Error("no error")
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("a device that was reached was told %d times", n)
	}

	// Nothing listens there: the discard service of an address that nobody uses.
	late, err := New(outlet(model.HTTPOutlet{OnURL: "http://127.254.253.252:9"}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := late.Set(t.Context(), true); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error %v", err)
	}
}

func TestUnaskableIsUnknownWithoutError(t *testing.T) {
	s, err := New(outlet(model.HTTPOutlet{OnURL: "http://127.0.0.1/on", OffURL: "http://127.0.0.1/off"}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := s.State(t.Context()); state != model.PowerUnknown || err != nil {
		t.Errorf("%v %v", state, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []model.Outlet{
		{Name: "x", Driver: "magic"},
		outlet(model.HTTPOutlet{OnURL: "ftp://x"}),
		outlet(model.HTTPOutlet{OnURL: "http://u:secret@"}),
		outlet(model.HTTPOutlet{OnMatch: "("}),
	} {
		if _, err := New(o, Options{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

func TestSimulatedStartsOffAndTells(t *testing.T) {
	var told []bool
	s, err := New(model.Outlet{Name: "plug", Driver: model.DriverSimulated}, Options{Simulated: func(name string, on bool) {
		if name != "plug" {
			t.Errorf("name %q", name)
		}
		told = append(told, on)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if state, _ := s.State(t.Context()); state != model.PowerOff {
		t.Errorf("it starts %v", state)
	}
	for _, on := range []bool{true, false, true} {
		if err := s.Set(t.Context(), on); err != nil {
			t.Fatal(err)
		}
	}
	if state, _ := s.State(t.Context()); state != model.PowerOn || len(told) != 3 || !told[2] {
		t.Errorf("state %v, told %v", state, told)
	}
}
