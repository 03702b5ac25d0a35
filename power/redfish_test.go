package power

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stmcginnis/gofish/schemas"

	"homelab/model"
)

// redfishFake answers with the published example of a rack server, the mockup
// public-rackmount1 of DMTF's DSP2043, abridged to the resources that are asked
// for and the properties that tell something. Its one addition is EnergykWh of
// the schema EnvironmentMetrics 1.3, which the example leaves out.
type redfishFake struct {
	*fake
	state  string // PowerState
	can    string // of the reset action
	resets []string
	meter  string // the chassis' links
	two    bool
}

func newRedfishFake(t *testing.T) *redfishFake {
	r := &redfishFake{
		state: "Off", can: `"On","ForceOff","GracefulShutdown","GracefulRestart","ForceRestart","Nmi","ForceOn","PushPowerButton"`,
		meter: `"EnvironmentMetrics":{"@odata.id":"/redfish/v1/Chassis/1U/EnvironmentMetrics"}`,
	}
	r.fake = newFake(t, r.answer)
	return r
}

func (f *redfishFake) answer(_ *fake, r *http.Request, body string) string {
	if user, password, _ := r.BasicAuth(); r.URL.Path != "/redfish/v1/" && (user != "root" || password != "hunter2") {
		return "401"
	}
	const system = "/redfish/v1/Systems/437XR1138R2"
	switch r.Method + " " + r.URL.Path {
	case "GET /redfish/v1/":
		return `{"@odata.type":"#ServiceRoot.v1_15_0.ServiceRoot","Id":"RootService","Name":"Root Service","RedfishVersion":"1.15.0","UUID":"92384634-2938-2342-8820-489239905423","Product":"UR99 1U Server","Vendor":"Contoso","Systems":{"@odata.id":"/redfish/v1/Systems"},"Chassis":{"@odata.id":"/redfish/v1/Chassis"},"Links":{"Sessions":{"@odata.id":"/redfish/v1/SessionService/Sessions"}},"@odata.id":"/redfish/v1/"}`
	case "GET /redfish/v1/Systems":
		more := ""
		if f.two {
			more = `,{"@odata.id":"/redfish/v1/Systems/2"}`
		}
		return `{"@odata.type":"#ComputerSystemCollection.ComputerSystemCollection","Name":"Computer System Collection","Members@odata.count":1,"Members":[{"@odata.id":"` + system + `"}` + more + `],"@odata.id":"/redfish/v1/Systems"}`
	case "GET " + system:
		return fmt.Sprintf(`{"@odata.type":"#ComputerSystem.v1_22_0.ComputerSystem","Id":"437XR1138R2","Name":"WebFrontEnd483","SystemType":"Physical","Manufacturer":"Contoso","Model":"3500","PowerState":"%s","Links":{"Chassis":[{"@odata.id":"/redfish/v1/Chassis/1U"}]},"Actions":{"#ComputerSystem.Reset":{"target":"%s/Actions/ComputerSystem.Reset","ResetType@Redfish.AllowableValues":[%s]}},"@odata.id":"%s"}`, f.state, system, f.can, system)
	case "GET /redfish/v1/Systems/2":
		return `{"@odata.type":"#ComputerSystem.v1_22_0.ComputerSystem","Id":"2","Name":"other","PowerState":"On","Actions":{},"@odata.id":"/redfish/v1/Systems/2"}`
	case "POST " + system + "/Actions/ComputerSystem.Reset":
		kind := strings.TrimSuffix(strings.TrimPrefix(body, `{"ResetType":"`), `"}`)
		f.resets = append(f.resets, kind)
		if !f.lies {
			f.state = map[string]string{"On": "On", "PushPowerButton": "On", "ForceRestart": "On", "PowerCycle": "On", "ForceOff": "Off", "GracefulShutdown": "PoweringOff"}[kind]
		}
		return "{}"
	case "GET /redfish/v1/Chassis/1U":
		return `{"@odata.type":"#Chassis.v1_22_0.Chassis","Id":"1U","Name":"Computer System Chassis","ChassisType":"RackMount",` + f.meter + `,"@odata.id":"/redfish/v1/Chassis/1U"}`
	case "GET /redfish/v1/Chassis/1U/EnvironmentMetrics":
		return `{"@odata.type":"#EnvironmentMetrics.v1_3_0.EnvironmentMetrics","Id":"EnvironmentMetrics","Name":"Chassis Environment Metrics","PowerWatts":{"DataSourceUri":"/redfish/v1/Chassis/1U/Sensors/TotalPower","Reading":374},"EnergykWh":{"DataSourceUri":"/redfish/v1/Chassis/1U/Sensors/TotalEnergy","Reading":325675},"@odata.id":"/redfish/v1/Chassis/1U/EnvironmentMetrics"}`
	case "GET /redfish/v1/Chassis/1U/Power":
		return `{"@odata.type":"#Power.v1_7_1.Power","Id":"Power","Name":"Power","PowerControl":[{"@odata.id":"/redfish/v1/Chassis/1U/Power#/PowerControl/0","MemberId":"0","Name":"System Input Power","PowerConsumedWatts":344,"PowerRequestedWatts":800}],"@odata.id":"/redfish/v1/Chassis/1U/Power"}`
	}
	return ""
}

func (f *redfishFake) outlet() model.Outlet {
	return model.Outlet{Driver: model.DriverRedfish, Redfish: model.RedfishOutlet{Address: f.URL, User: "root"}}
}

func (f *redfishFake) took() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.Join(f.resets, " ")
	f.resets = nil
	return text
}

func TestRedfish(t *testing.T) {
	d := newRedfishFake(t)
	s := mustNew(t, d.outlet(), password)
	onAndOff(t, s, func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.state == "On" })
	if got := d.took(); got != "On ForceOff On ForceOff" { // and not again what it is already
		t.Errorf("it was told %s", got)
	}
	if err := s.(Cycler).Cycle(t.Context()); err != nil || d.took() != "On" {
		t.Errorf("a machine that is off: %v", err)
	}
	if err := s.(Cycler).Cycle(t.Context()); err != nil || d.took() != "ForceRestart" {
		t.Errorf("a controller that cannot take the power away: %v", err)
	}
	d.set(func() { d.can += `,"PowerCycle"` })
	if err := s.(Cycler).Cycle(t.Context()); err != nil || d.took() != "PowerCycle" {
		t.Errorf("cycle: %v", err)
	}
	wantReading(t, s, 374.0, 325675000.0)
	d.set(func() { d.meter = `"Power":{"@odata.id":"/redfish/v1/Chassis/1U/Power"}` })
	wantReading(t, s, 344.0, nil)
	d.set(func() { d.meter = `"AssetTag":"x"` })
	wantReading(t, s, nil, nil)
}

func TestRedfishAsksWhatItCan(t *testing.T) {
	d := newRedfishFake(t)
	s := mustNew(t, d.outlet(), password)
	d.set(func() { d.state, d.can = "Off", `"PushPowerButton","GracefulShutdown"` })
	if err := s.Set(t.Context(), true); err != nil || d.took() != "PushPowerButton" {
		t.Errorf("on: %v", err)
	}
	if err := s.Set(t.Context(), false); err != nil || d.took() != "GracefulShutdown" {
		t.Errorf("off: %v", err)
	}
	if st, err := s.State(t.Context()); st != model.PowerOn || err != nil {
		t.Errorf("on its way off it still has power: %v, %v", st, err)
	}
	d.set(func() { d.can = `"Nmi"` })
	wantError(t, s.Set(t.Context(), false), "can [Nmi], and none of")
	d.set(func() { d.state = "Sleeping" })
	_, err := s.State(t.Context())
	wantError(t, err, `says "Sleeping"`)
	d.set(func() { d.two = true })
	_, err = s.State(t.Context())
	wantError(t, err, "choose one with --system")
	o := d.outlet()
	o.Redfish.System = "2"
	if st, err := mustNew(t, o, password).State(t.Context()); st != model.PowerOn || err != nil {
		t.Errorf("%v, %v", st, err)
	}
}

func TestRedfishRefusals(t *testing.T) {
	d := newRedfishFake(t)
	wantError(t, mustNew(t, d.outlet(), map[string]string{model.SecretPassword: "guess"}).Set(t.Context(), true), "refuses user or password")
	if d.took() != "" {
		t.Error("a stranger reset it")
	}
	d.set(func() {
		d.code = 503
		d.wrong = `{"error":{"code":"Base.1.8.GeneralError","message":"A general error has occurred.","@Message.ExtendedInfo":[{"MessageId":"Base.1.8.ServiceTemporarilyUnavailable","Message":"The service is temporarily unavailable.  Retry in 30 seconds."}]}}`
	})
	_, err := mustNew(t, d.outlet(), password).State(t.Context())
	wantError(t, err, `503 "The service is temporarily unavailable.  Retry in 30 seconds."`)
	for _, st := range []schemas.PowerState{"On", "PoweringOn", "PoweringOff", "Paused"} {
		if machineState(&schemas.ComputerSystem{PowerState: st}) != model.PowerOn {
			t.Errorf("%s has no power", st)
		}
	}
}
