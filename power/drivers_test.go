package power

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

var password = map[string]string{model.SecretPassword: "hunter2"}

func TestTasmota(t *testing.T) {
	d := tasmotaFake(t, "")
	s := mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL}}, nil)
	onAndOff(t, s, d.isOn)
	wantReading(t, s, 0.0, 3185.0) // a meter that measures nothing measures 0
	if err := s.(Cycler).Cycle(t.Context()); err != nil || !d.isOn() {
		t.Errorf("cycle: %v, on %t", err, d.isOn())
	}
	if got := d.last(); got != "GET /cm?cmnd=Backlog%20Power%20Off%3B%20Delay%20100%3B%20Power%20On" {
		t.Errorf("it cycled by %s", got)
	}
	second := mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL, Relay: 2}}, nil)
	if st, err := second.State(t.Context()); st != model.PowerOff || err != nil {
		t.Errorf("relay 2: %v, %v", st, err)
	}
	var still *StillError
	if err := second.Set(t.Context(), true); !errors.As(err, &still) || err.Error() != "the device took the order to switch on and still says off" {
		t.Errorf("a device that lies: %v", err)
	}
	third := mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL, Relay: 3}}, nil)
	_, err := third.State(t.Context())
	wantError(t, err, "does not know the command Power3")
}

func TestTasmotaPassword(t *testing.T) {
	d := tasmotaFake(t, "hunter2")
	o := model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL}}
	onAndOff(t, mustNew(t, o, password), d.isOn)
	wantError(t, mustNew(t, o, map[string]string{model.SecretPassword: "hunter2x"}).Set(t.Context(), true), "refuses the password")
	wantError(t, mustNew(t, o, nil).Set(t.Context(), true), "wants a password")
	if d.isOn() {
		t.Error("a stranger switched it")
	}
}

func TestTasmotaChannelsAndOddStates(t *testing.T) {
	for answer, want := range map[string]string{
		`{"POWER":"AAN"}`: `calls its state "AAN"`,
		`{"POWER":1}`:     "says nothing of POWER",
		`{"POWER2":"ON"}`: "says nothing of POWER",
		`<html>`:          "does not understand",
		`[]`:              "does not understand",
		`null`:            "says nothing of POWER",
	} {
		d := newFake(t, func(*fake, *http.Request, string) string { return answer })
		s := mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL}}, nil)
		st, err := s.State(t.Context())
		if st != model.PowerUnknown {
			t.Errorf("%s is %v", answer, st)
		}
		wantError(t, err, want)
	}
	d := newFake(t, func(*fake, *http.Request, string) string {
		return `{"StatusSNS":{"Time":"2026-11-23T12:00:00","ENERGY":{"Total":[1.5,2.5],"Power":[10,20]}}}`
	})
	s := mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: d.URL, Relay: 2}}, nil)
	wantReading(t, s, 20.0, 2500.0)
	bare := newFake(t, func(*fake, *http.Request, string) string { return `{"StatusSNS":{"Time":"2026-11-23T12:00:00"}}` })
	wantReading(t, mustNew(t, model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: bare.URL}}, nil), nil, nil)
}

func TestShelly(t *testing.T) {
	for _, secrets := range []map[string]string{nil, password} {
		d := shellyFake(t, secrets[model.SecretPassword])
		s := mustNew(t, model.Outlet{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: strings.TrimPrefix(d.URL, "http://")}}, secrets)
		onAndOff(t, s, d.isOn)
		wantReading(t, s, 0.0, 0.134)
		if err := s.(Cycler).Cycle(t.Context()); err != nil {
			t.Error(err)
		}
		other := mustNew(t, model.Outlet{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: d.URL, Channel: 1}}, secrets)
		wantReading(t, other, nil, nil)
		wantError(t, other.Set(t.Context(), true), "has no switch 1")
	}
	d := shellyFake(t, "hunter2")
	o := model.Outlet{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: d.URL}}
	wantError(t, mustNew(t, o, map[string]string{model.SecretPassword: "guess"}).Set(t.Context(), true), "refuses the password")
	wantError(t, mustNew(t, o, nil).Set(t.Context(), true), "wants a password or a token, and none is set")
	if d.isOn() {
		t.Error("a stranger switched it")
	}
}

func TestESPHome(t *testing.T) {
	for _, name := range []string{"relay", "Rack Relay"} {
		d := esphomeFake(t, "")
		s := mustNew(t, model.Outlet{Driver: model.DriverESPHome, ESPHome: model.ESPHomeOutlet{Address: d.URL, Switch: name, PowerSensor: "power", EnergySensor: "energy"}}, nil)
		onAndOff(t, s, d.isOn)
		wantReading(t, s, 12.3, 1500.0)
	}
	d := esphomeFake(t, "hunter2")
	o := model.ESPHomeOutlet{Address: d.URL, Switch: "relay", User: "me"}
	onAndOff(t, mustNew(t, model.Outlet{Driver: model.DriverESPHome, ESPHome: o}, password), d.isOn)
	o.User = "you"
	wantError(t, mustNew(t, model.Outlet{Driver: model.DriverESPHome, ESPHome: o}, password).Set(t.Context(), true), "refuses the password")

	d = esphomeFake(t, "")
	o = model.ESPHomeOutlet{Address: d.URL, Switch: "lamp", PowerSensor: "new"}
	s := mustNew(t, model.Outlet{Driver: model.DriverESPHome, ESPHome: o}, nil)
	wantError(t, s.Set(t.Context(), true), `has no switch "lamp"`)
	wantReading(t, s, nil, nil)
	o.PowerSensor = "heat"
	_, err := mustNew(t, model.Outlet{Driver: model.DriverESPHome, ESPHome: o}, nil).(Meter).Read(t.Context())
	wantError(t, err, `measures "°C" and not W`)
	d.set(func() { d.wrong = `{"id":"switch-relay","value":true,"state":"OFF"}` })
	_, err = s.State(t.Context())
	wantError(t, err, "at once")
}

func TestHomeAssistant(t *testing.T) {
	d := homeAssistantFake(t)
	token := map[string]string{model.SecretToken: haToken}
	o := model.HomeAssistantOutlet{Address: d.URL, Entity: "switch.x", PowerSensor: "sensor.x_power", EnergySensor: "sensor.x_energy"}
	of := func(o model.HomeAssistantOutlet) model.Outlet {
		return model.Outlet{Name: "x", Driver: model.DriverHomeAssistant, HomeAssistant: o}
	}
	s := mustNew(t, of(o), token)
	onAndOff(t, s, d.isOn)
	wantReading(t, s, 41.5, 12500.0)
	for entity, want := range map[string]string{
		"switch.gone": "cannot reach switch.gone either", "switch.new": "does not know the state", "switch.none": "has no entity switch.none",
	} {
		o := o
		o.Entity = entity
		st, err := mustNew(t, of(o), token).State(t.Context())
		if st != model.PowerUnknown {
			t.Errorf("%s is %v", entity, st)
		}
		wantError(t, err, want)
	}
	o.PowerSensor = "sensor.broken"
	_, err := mustNew(t, of(o), token).(Meter).Read(t.Context())
	wantError(t, err, "is no number")
	wantError(t, mustNew(t, of(o), map[string]string{model.SecretToken: "old"}).Set(t.Context(), true), "refuses the token")
	_, err = New(of(o), Options{})
	wantError(t, err, "needs a token")
}

func TestHTTPSecrets(t *testing.T) {
	var asked []string
	d := newFake(t, func(_ *fake, r *http.Request, body string) string {
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("X-Key")+" "+body)
		return "ok"
	})
	both := map[string]string{model.SecretPassword: `hunter2&"`, model.SecretToken: "tok en"}
	for _, o := range []model.HTTPOutlet{
		{OnURL: d.URL + "/on"},
		{OnURL: d.URL + "/on?key={token}", User: "me"},
		{OnURL: d.URL + "/on", Method: "POST", OnBody: `{"p":"{password}"}`, Headers: []string{"X-Key: {token}"}},
	} {
		if err := mustNew(t, outlet(o), both).Set(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"/on Bearer tok en  ", "/on?key=tok+en Basic bWU6aHVudGVyMiYi  ", `/on  tok en {"p":"hunter2&\""}`,
	}
	for i := range want {
		if i >= len(asked) || asked[i] != want[i] {
			t.Errorf("asked %q, want %q", asked, want)
			break
		}
	}
	echo := newFake(t, func(f *fake, r *http.Request, _ string) string { return "bad key " + r.URL.Query().Get("key") })
	s := mustNew(t, outlet(model.HTTPOutlet{StatusURL: echo.URL + "/?key={password}", OnMatch: "^on$"}), password)
	_, err := s.State(t.Context())
	wantError(t, err, "repeats a secret")
}

func TestCertificates(t *testing.T) {
	d := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	d.Config.ErrorLog = log.New(io.Discard, "", 0)
	d.StartTLS()
	defer d.Close()
	wantError(t, mustNew(t, outlet(model.HTTPOutlet{OnURL: d.URL}), nil).Set(t.Context(), true), "not trusted")
	if err := mustNew(t, outlet(model.HTTPOutlet{OnURL: d.URL, Insecure: true}), nil).Set(t.Context(), true); err != nil {
		t.Error(err)
	}
}

// remote are outlets of all drivers that speak HTTP with a device at a URL.
func remote(at string) map[string]model.Outlet {
	return map[string]model.Outlet{
		"http":           outlet(model.HTTPOutlet{OnURL: at + "/on", OffURL: at + "/off", StatusURL: at + "/", OnMatch: "ON", OffMatch: "OFF"}),
		"tasmota":        {Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: at}},
		"shelly":         {Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: at}},
		"esphome":        {Driver: model.DriverESPHome, ESPHome: model.ESPHomeOutlet{Address: at, Switch: "relay", PowerSensor: "power"}},
		"home-assistant": {Driver: model.DriverHomeAssistant, HomeAssistant: model.HomeAssistantOutlet{Address: at, Entity: "switch.x", PowerSensor: "sensor.x_power"}},
		"redfish":        {Driver: model.DriverRedfish, Redfish: model.RedfishOutlet{Address: at, User: "root"}},
	}
}

var secrets = map[string]string{model.SecretPassword: "hunter2", model.SecretToken: haToken}

func TestBadAnswersAreUnknownWithAnError(t *testing.T) {
	for _, wrong := range []string{`{`, `"on"`, `42`, `{"POWER":{}}`, `{"output":"yes"}`, "\xff\xfe\x00", `{"state":{"state":"on"}}`, strings.Repeat("[", 200_000)} {
		d := newFake(t, func(*fake, *http.Request, string) string { return wrong })
		for name, o := range remote(d.URL) {
			s := mustNew(t, o, secrets)
			if st, err := s.State(t.Context()); st != model.PowerUnknown || err == nil {
				t.Errorf("%s took %.20q as %v, %v", name, wrong, st, err)
			}
			if m, ok := s.(Meter); ok {
				if r, err := m.Read(t.Context()); r.Watts != nil || r.EnergyWh != nil {
					t.Errorf("%s read %v, %v in %.20q", name, r, err, wrong)
				}
			}
		}
	}
	for _, code := range []int{400, 401, 403, 404, 500, 302} {
		d := newFake(t, nil)
		d.code = code
		for name, o := range remote(d.URL) {
			s := mustNew(t, o, secrets)
			if st, err := s.State(t.Context()); st != model.PowerUnknown || err == nil {
				t.Errorf("%s took %d as %v", name, code, st)
			}
			if err := s.Set(t.Context(), true); err == nil {
				t.Errorf("%s took %d as done", name, code)
			}
		}
	}
}

func TestDevicesThatHang(t *testing.T) {
	release := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hang.Close()
	defer close(release)
	silent, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	outlets := remote(hang.URL)
	outlets["ipmi"] = model.Outlet{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: silent.LocalAddr().String(), User: "root"}}
	outlets["command"] = model.Outlet{Driver: model.DriverCommand, Command: model.CommandOutlet{On: []string{"/bin/sleep", "60"}, State: []string{"/bin/sleep", "60"}}}
	t.Run("all", func(t *testing.T) { // which ends when all of them have
		for name, o := range outlets {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := mustNew(t, o, secrets)
				for what, do := range map[string]func(context.Context) error{
					"set":   func(ctx context.Context) error { return s.Set(ctx, true) },
					"state": func(ctx context.Context) error { _, err := s.State(ctx); return err },
				} {
					ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
					start := time.Now()
					err := do(ctx)
					cancel()
					wantError(t, err, "in time")
					if d := time.Since(start); d > 3*time.Second {
						t.Errorf("%s took %v", what, d)
					}
				}
			})
		}
	})
}

func TestSecretsThatAreGoneAreSaid(t *testing.T) {
	_, err := New(model.Outlet{Name: "plug", Driver: model.DriverShelly, Secrets: []string{"password"}, Shelly: model.ShellyOutlet{Address: "10.0.0.1"}}, Options{})
	wantError(t, err, "`outlet edit plug --password -` sets it again")
}

func TestBadSettings(t *testing.T) {
	for _, o := range []model.Outlet{
		{Driver: model.DriverTasmota},
		{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: "ftp://x"}},
		{Driver: model.DriverESPHome, ESPHome: model.ESPHomeOutlet{Address: "a b"}},
		{Driver: model.DriverRedfish, Redfish: model.RedfishOutlet{Address: "https://me:hunter2@10.0.0.1"}},
		{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: "x:99999"}},
		{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: "52:54"}},
		{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: "52:54:00:12:34:56", Broadcast: "nowhere:x"}},
		{Driver: model.DriverCommand, Command: model.CommandOutlet{On: []string{"sh"}}},
	} {
		if _, err := New(o, Options{}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, text := range []string{"x", "1.2.3", "01:02:03", "::1", "01:02:03:04:05:06:07:08"} {
		_, err := New(model.Outlet{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: "52:54:00:12:34:56"}}, Options{Secret: func(string) string { return text }})
		wantError(t, err, "none of SecureOn's")
	}
}
