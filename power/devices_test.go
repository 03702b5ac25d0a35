package power

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/icholy/digest"

	"homelab/model"
)

// Devices as /facts/ has them: what they answer is byte for byte theirs.

// fake is a device that tests look into.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	on    bool
	lies  bool // takes orders and does nothing
	asked []string
	wrong string // what it answers to everything, if it is not empty
	code  int
}

// newFake serves what answer gives to a request; an empty text is 404.
func newFake(t *testing.T, answer func(f *fake, r *http.Request, body string) string) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
		text := f.wrong
		if text == "" && f.code == 0 {
			text = answer(f, r, string(body))
		}
		switch {
		case f.code != 0:
			w.WriteHeader(f.code)
		case text == "":
			w.WriteHeader(http.StatusNotFound)
		case text == "401":
			w.WriteHeader(http.StatusUnauthorized)
			text = "401: Unauthorized"
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) switched(on bool) {
	if !f.lies {
		f.on = on
	}
}

func (f *fake) isOn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.on
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) == 0 {
		return ""
	}
	return f.asked[len(f.asked)-1]
}

func (f *fake) pick(on, off string) string {
	if f.on {
		return on
	}
	return off
}

// tasmotaFake wants a password where password is not empty.
func tasmotaFake(t *testing.T, password string) *fake {
	return newFake(t, func(f *fake, r *http.Request, _ string) string {
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || r.URL.Path != "/cm" || strings.Contains(r.URL.RawQuery, "+") || strings.Contains(r.URL.RawQuery, ";") {
			return ""
		}
		if password != "" && (q.Get("user") != "admin" || q.Get("password") != password) {
			return `{"WARNING":"Need user=<username>&password=<password>"}`
		}
		switch command := q.Get("cmnd"); command {
		case "Power On", "Power Off":
			f.switched(command == "Power On")
			return f.pick(`{"POWER":"ON"}`, `{"POWER":"OFF"}`)
		case "Power":
			return f.pick(`{"POWER":"ON"}`, `{"POWER":"OFF"}`)
		case "Power2", "Power2 On", "Power2 Off":
			return `{"POWER2":"OFF"}`
		case "Status 10":
			return `{"StatusSNS":{"Time":"2026-11-23T12:00:00","ENERGY":{"Total":3.185,"Yesterday":3.058,"Today":0.127,"Power":0,"Factor":0.00,"Voltage":221,"Current":0.000}}}`
		case "Status 0":
			return `{"Status":{"Module":1,"DeviceName":"Shelf","FriendlyName":["Shelf"],"Topic":"shelf","ButtonTopic":"0","Power":1},"StatusFWR":{"Version":"14.2.0(tasmota)"}}`
		case "Backlog Power Off; Delay 100; Power On":
			f.switched(true)
			return `{}`
		}
		return `{"Command":"Unknown"}`
	})
}

const shellyStatus = `{"id":0,"source":"switch","output":%t,"apower":0,"voltage":238.2,"current":0,"aenergy":{"total":0.134,"by_minute":[0,0,0],"minute_ts":1632600459},"temperature":{"tC":49.5,"tF":121.1}}`

// shellyFake wants RFC 7616's digest with SHA-256 where password is not empty.
func shellyFake(t *testing.T, password string) *fake {
	f := newFake(t, func(f *fake, r *http.Request, _ string) string {
		switch r.URL.RequestURI() {
		case "/rpc/Switch.Set?id=0&on=true", "/rpc/Switch.Set?id=0&on=false":
			was := f.on
			f.switched(strings.HasSuffix(r.URL.RawQuery, "true"))
			return fmt.Sprintf(`{"was_on":%t}`, was)
		case "/rpc/Switch.Set?id=0&on=false&toggle_after=10":
			return `{"was_on":true}`
		case "/rpc/Switch.GetStatus?id=0":
			return fmt.Sprintf(shellyStatus, f.on)
		case "/rpc/Switch.GetStatus?id=1": // unmetered
			return `{"id":1,"source":"init","output":true,"temperature":{"tC":49.5,"tF":121.1}}`
		case "/shelly":
			return fmt.Sprintf(`{"name":"rack","id":"shellyplusplugs-a8032ab1","mac":"A8032AB1","model":"SNPL-00112EU","gen":2,"fw_id":"20240819","ver":"1.4.2","app":"PlusPlugS","auth_en":%t,"auth_domain":"shellyplusplugs-a8032ab1"}`, password != "")
		}
		return ""
	})
	if password != "" {
		inner := f.Config.Handler
		f.Config.Handler = wantDigest(inner, "SHA-256", sha256.New, "admin", password, func(r *http.Request) bool { return r.URL.Path == "/shelly" })
	}
	return f
}

// wantDigest checks the answer to a challenge by RFC 7616's own rule.
func wantDigest(inner http.Handler, algorithm string, newHash func() hash.Hash, user, password string, open func(*http.Request) bool) http.Handler {
	hex := func(parts ...string) string {
		h := newHash()
		_, _ = io.WriteString(h, strings.Join(parts, ":"))
		return hex.EncodeToString(h.Sum(nil))
	}
	const realm, nonce = "shellyplusplugs-a8032ab1", "60dc2f7a"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := digest.ParseCredentials(r.Header.Get("Authorization"))
		if open(r) || err == nil && c.Username == user && c.Nonce == nonce && c.URI == r.URL.RequestURI() &&
			c.Response == hex(hex(user, realm, password), nonce, fmt.Sprintf("%08x", c.Nc), c.Cnonce, "auth", hex(r.Method, c.URI)) {
			inner.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Digest qop="auth", realm="%s", nonce="%s", algorithm=%s`, realm, nonce, algorithm))
		w.WriteHeader(http.StatusUnauthorized)
	})
}

func esphomeFake(t *testing.T, password string) *fake {
	f := newFake(t, func(f *fake, r *http.Request, _ string) string {
		switch r.Method + " " + r.URL.EscapedPath() {
		case "POST /switch/relay/turn_on", "POST /switch/relay/turn_off", "POST /switch/Rack%20Relay/turn_on", "POST /switch/Rack%20Relay/turn_off":
			f.switched(strings.HasSuffix(r.URL.Path, "on"))
			return "\n"
		case "GET /switch/relay", "GET /switch/Rack%20Relay":
			return f.pick(`{"id":"switch-relay","value":true,"state":"ON"}`, `{"id":"switch-relay","value":false,"state":"OFF"}`)
		case "GET /sensor/power":
			return `{"id":"sensor-power","value":12.3,"state":"12.3 W"}`
		case "GET /sensor/energy":
			return `{"id":"sensor-energy","value":1.5,"state":"1.5 kWh"}`
		case "GET /sensor/new":
			return `{"id":"sensor-new","value":null,"state":"NA"}`
		case "GET /sensor/heat":
			return `{"id":"sensor-heat","value":21.5,"state":"21.5 °C"}`
		case "GET /":
			return `<!DOCTYPE html><html><head><meta charset=UTF-8><link rel=icon href=data:></head><body><esp-app></esp-app><script src="https://oi.esphome.io/v2/www.js"></script></body></html>`
		}
		return ""
	})
	if password != "" {
		f.Config.Handler = wantDigest(f.Config.Handler, "MD5", md5.New, "me", password, func(*http.Request) bool { return false })
	}
	return f
}

const haToken = "eyJ0eXAiOiJKV1QifQ"

func homeAssistantFake(t *testing.T) *fake {
	return newFake(t, func(f *fake, r *http.Request, body string) string {
		if r.URL.Path == "/manifest.json" {
			return `{"background_color":"#FFFFFF","name":"Home Assistant","short_name":"Home Assistant"}`
		}
		if r.Header.Get("Authorization") != "Bearer "+haToken {
			return "401"
		}
		switch r.Method + " " + r.URL.Path {
		case "POST /api/services/switch/turn_on", "POST /api/services/switch/turn_off":
			if body != `{"entity_id":"switch.x"}` || r.Header.Get("Content-Type") != "application/json" {
				return ""
			}
			f.switched(strings.HasSuffix(r.URL.Path, "on"))
			return `[]`
		case "GET /api/states/switch.x":
			return fmt.Sprintf(`{"entity_id":"switch.x","state":"%s","attributes":{"friendly_name":"X"},"last_changed":"2026-11-23T11:00:00+00:00"}`, f.pick("on", "off"))
		case "GET /api/states/switch.gone":
			return `{"entity_id":"switch.gone","state":"unavailable","attributes":{}}`
		case "GET /api/states/switch.new":
			return `{"entity_id":"switch.new","state":"unknown","attributes":{}}`
		case "GET /api/states/sensor.x_power":
			return `{"entity_id":"sensor.x_power","state":"0.0415","attributes":{"unit_of_measurement":"kW"}}`
		case "GET /api/states/sensor.x_energy":
			return `{"entity_id":"sensor.x_energy","state":"12.5","attributes":{"unit_of_measurement":"kWh"}}`
		case "GET /api/states/sensor.broken":
			return `{"entity_id":"sensor.broken","state":"much","attributes":{"unit_of_measurement":"W"}}`
		}
		return ""
	})
}

func mustNew(t *testing.T, o model.Outlet, secrets map[string]string) Switch {
	t.Helper()
	s, err := New(o, Options{Secret: func(field string) string { return secrets[field] }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onAndOff switches a device both ways and looks at it both ways.
func onAndOff(t *testing.T, s Switch, isOn func() bool) {
	t.Helper()
	for _, want := range []bool{true, true, false, true, false} {
		if err := s.Set(t.Context(), want); err != nil {
			t.Fatalf("switching %s: %v", word(want), err)
		}
		if isOn() != want {
			t.Fatalf("told to be %s, the device is not", word(want))
		}
		if got, err := s.State(t.Context()); err != nil || got != state(want) {
			t.Fatalf("state %v, %v; want %s", got, err, word(want))
		}
	}
}

func wantReading(t *testing.T, s Switch, watts, energy any) {
	t.Helper()
	r, err := s.(Meter).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show := func(n *float64) any {
		if n == nil {
			return nil
		}
		return *n
	}
	if show(r.Watts) != watts || show(r.EnergyWh) != energy {
		t.Errorf("read %v W, %v Wh; want %v, %v", show(r.Watts), show(r.EnergyWh), watts, energy)
	}
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, want %q", err, part)
	}
	if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), haToken)) {
		t.Errorf("a secret is told: %v", err)
	}
}
