package model_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"homelab/model"
)

// devices are good outlets of every driver.
func devices() map[string]model.Outlet {
	m := map[string]model.Outlet{
		model.DriverHTTP:          {HTTP: model.HTTPOutlet{OnURL: "http://10.0.0.9/on", OffURL: "http://10.0.0.9/off", Headers: []string{"X-Key: {token}"}, User: "me"}},
		model.DriverTasmota:       {Tasmota: model.TasmotaOutlet{Address: "10.0.0.9", Relay: 2}},
		model.DriverShelly:        {Shelly: model.ShellyOutlet{Address: "http://plug.lan"}},
		model.DriverESPHome:       {ESPHome: model.ESPHomeOutlet{Address: "plug.lan:8080", Switch: "Rack Relay", PowerSensor: "Leistung Küche"}},
		model.DriverHomeAssistant: {HomeAssistant: model.HomeAssistantOutlet{Address: "ha.lan", Entity: "switch.rack_1"}},
		model.DriverRedfish:       {Redfish: model.RedfishOutlet{Address: "https://[fd00::9]", User: "root", System: "437XR1138R2"}},
		model.DriverIPMI:          {IPMI: model.IPMIOutlet{Address: "10.0.0.9:6230", User: "ADMIN"}},
		model.DriverWOL:           {WOL: model.WOLOutlet{MAC: "52:54:00:12:34:56", Broadcast: "10.0.0.255:9"}},
		model.DriverCommand:       {Command: model.CommandOutlet{On: []string{"/usr/bin/send", "on"}, Off: []string{"/usr/bin/send", "off"}}},
		model.DriverSimulated:     {Simulated: model.SimulatedOutlet{Watts: 12}},
	}
	for driver, o := range m {
		o.Name, o.Driver = "plug", driver
		m[driver] = o
	}
	return m
}

func problemsOf(o model.Outlet) []string {
	s := model.NewState()
	s.Outlets["plug"] = o
	var fields []string
	for _, e := range model.FieldErrors(model.Validate(s)) {
		fields = append(fields, e.Field)
	}
	return fields
}

func TestGoodDevices(t *testing.T) {
	all := devices()
	for _, driver := range model.Drivers() {
		o, ok := all[driver]
		if !ok {
			t.Errorf("no test has the driver %s", driver)
		}
		if got := problemsOf(o); len(got) > 0 {
			t.Errorf("%s: %q", driver, got)
		}
		for _, f := range model.DriverFields(driver) {
			if f.Secret {
				o.NoteSecret(f.Key, true)
			}
		}
		if got := problemsOf(o); len(got) > 0 {
			t.Errorf("%s with all its secrets: %q", driver, got)
		}
	}
}

func TestBadDevices(t *testing.T) {
	bad := func(driver string, change func(*model.Outlet)) model.Outlet {
		o := devices()[driver]
		change(&o)
		return o
	}
	type O = model.Outlet
	for _, c := range []struct {
		field string
		o     model.Outlet
	}{
		{"driver", model.Outlet{Name: "plug", Driver: "x10"}},
		{"address", model.Outlet{Name: "plug", Driver: model.DriverTasmota}},
		{"address", bad(model.DriverTasmota, func(o *O) { o.Tasmota.Address = "10.0.0.9/cm" })},
		{"address", bad(model.DriverTasmota, func(o *O) { o.Tasmota.Address = "http://me:pw@10.0.0.9" })},
		{"address", bad(model.DriverTasmota, func(o *O) { o.Tasmota.Address = "10.0.0.9:70000" })},
		{"address", bad(model.DriverTasmota, func(o *O) { o.Tasmota.Address = "a b\x00" })},
		{"relay", bad(model.DriverTasmota, func(o *O) { o.Tasmota.Relay = -1 })},
		{"user", bad(model.DriverTasmota, func(o *O) { o.Tasmota.User = strings.Repeat("x", 100) })},
		{"address", bad(model.DriverShelly, func(o *O) { o.Shelly.Address = "ftp://plug" })},
		{"channel", bad(model.DriverShelly, func(o *O) { o.Shelly.Channel = 256 })},
		{"switch", bad(model.DriverESPHome, func(o *O) { o.ESPHome.Switch = "" })},
		{"switch", bad(model.DriverESPHome, func(o *O) { o.ESPHome.Switch = "../reboot" })},
		{"power_sensor", bad(model.DriverESPHome, func(o *O) { o.ESPHome.PowerSensor = "a/b" })},
		{"entity", bad(model.DriverHomeAssistant, func(o *O) { o.HomeAssistant.Entity = "rack" })},
		{"energy_sensor", bad(model.DriverHomeAssistant, func(o *O) { o.HomeAssistant.EnergySensor = "Sensor X" })},
		{"user", bad(model.DriverRedfish, func(o *O) { o.Redfish.User = "" })},
		{"system", bad(model.DriverRedfish, func(o *O) { o.Redfish.System = "a/b" })},
		{"address", bad(model.DriverIPMI, func(o *O) { o.IPMI.Address = "http://10.0.0.9" })},
		{"user", bad(model.DriverIPMI, func(o *O) { o.IPMI.User = "seventeen-letters" })},
		{"mac", bad(model.DriverWOL, func(o *O) { o.WOL.MAC = "52:54:00:12:34" })},
		{"broadcast", bad(model.DriverWOL, func(o *O) { o.WOL.Broadcast = "nas.lan" })},
		{"on_command", bad(model.DriverCommand, func(o *O) { o.Command.On = nil })},
		{"on_command", bad(model.DriverCommand, func(o *O) { o.Command.On = []string{"send"} })},
		{"state_command", bad(model.DriverCommand, func(o *O) { o.Command.State = []string{"/usr/../bin/x"} })},
		{"off_command", bad(model.DriverCommand, func(o *O) { o.Command.Off = o.Command.On })},
		{"off_command", bad(model.DriverCommand, func(o *O) { o.Command.Off = []string{"/bin/x", "a\x00b"} })},
		{"timeout_seconds", bad(model.DriverCommand, func(o *O) { o.Command.TimeoutSeconds = 600 })},
		{"watts", bad(model.DriverSimulated, func(o *O) { o.Simulated.Watts = -1 })},
		{"delay_seconds", bad(model.DriverSimulated, func(o *O) { o.DelaySeconds = -1 })},
		{"idle_watts", bad(model.DriverSimulated, func(o *O) { o.IdleWatts = 1e9 })},
		{"secrets", bad(model.DriverSimulated, func(o *O) { o.Secrets = []string{"password"} })},
		{"off_url", bad(model.DriverHTTP, func(o *O) { o.HTTP.OffURL = o.HTTP.OnURL })},
		{"on_url", bad(model.DriverHTTP, func(o *O) { o.HTTP.OnURL = "http://10.0.0.9/relay/0?turn=toggle" })},
		{"off_body", bad(model.DriverHTTP, func(o *O) { o.HTTP.OffBody = `{"state":"TOGGLE"}` })},
		{"headers", bad(model.DriverHTTP, func(o *O) { o.HTTP.Headers = []string{"no colon"} })},
		{"headers", bad(model.DriverHTTP, func(o *O) { o.HTTP.Headers = []string{"Host: other"} })},
		{"headers", bad(model.DriverHTTP, func(o *O) { o.HTTP.Headers = []string{"A: b\r\nC: d"} })},
	} {
		if got := problemsOf(c.o); !slices.Contains(got, c.field) {
			t.Errorf("%s %+v: wrong are %q, not %s", c.o.Driver, c.o, got, c.field)
		}
	}
	shelly := bad(model.DriverHTTP, func(o *O) { o.HTTP.OnURL = "http://10.0.0.9/rpc/Switch.Set?id=0&on=true&toggle_after=5" })
	if got := problemsOf(shelly); len(got) > 0 {
		t.Errorf("a timer is no toggle: %q", got)
	}
}

func TestDriverFieldsRoundTrip(t *testing.T) {
	for driver, o := range devices() {
		again := model.Outlet{Name: o.Name}
		again.SetDriver(driver)
		for _, f := range model.DriverFields(driver) {
			if err := f.Set(&again, f.Get(o)); err != nil {
				t.Errorf("%s %s: %v", driver, f.Key, err)
			}
		}
		if !again.SameDevice(o) {
			t.Errorf("%s: %+v became %+v", driver, o, again)
		}
	}
	o := devices()[model.DriverTasmota]
	for key, text := range map[string]string{"relay": "two"} {
		f, _ := o.DriverField(key)
		if errs := model.FieldErrors(f.Set(&o, text)); len(errs) != 1 || errs[0].Field != key {
			t.Errorf("%s %q: %v", key, text, errs)
		}
	}
}

// TestSetDriverForgetsTheDevice: nothing of one device goes to another.
func TestSetDriverForgetsTheDevice(t *testing.T) {
	for driver, o := range devices() {
		o.Groups, o.Essential, o.DelaySeconds, o.IdleWatts, o.Version = []string{"g"}, true, 3, 4, 7
		o.Secrets = []string{"password"}
		same := o
		same.SetDriver(driver)
		if !reflect.DeepEqual(same, o) {
			t.Errorf("%s is another device by being set to itself", driver)
		}
		o.SetDriver("other")
		want := model.Outlet{Name: "plug", Driver: "other", Groups: []string{"g"}, Essential: true, DelaySeconds: 3, IdleWatts: 4, Meta: model.Meta{Version: 7}}
		if !reflect.DeepEqual(o, want) {
			t.Errorf("%s leaves %+v", driver, o)
		}
	}
}

// TestDeviceKeysAreAll: what hides how devices are reached hides every driver.
func TestDeviceKeysAreAll(t *testing.T) {
	typ, keys := reflect.TypeFor[model.Outlet](), model.DeviceKeys()
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.Struct && f.Name != "Meta" && !slices.Contains(keys, key) {
			t.Errorf("%s is not among them", key)
		}
	}
}

func TestSplitCommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		argv := rapid.SliceOf(rapid.String()).Draw(t, "argv")
		got, err := model.SplitCommand(model.JoinCommand(argv))
		if err != nil || !slices.Equal(got, argv) && len(argv)+len(got) > 0 {
			t.Fatalf("%q became %q, %v", argv, got, err)
		}
	})
	for text, want := range map[string][]string{
		`/bin/a b`: {"/bin/a", "b"}, `  a   "b c"  `: {"a", "b c"}, `a\ b`: {"a b"}, `"a\"b"`: {`a"b`}, `'$x' *`: {"$x", "*"}, `""`: {""}, ``: nil,
	} {
		if got, err := model.SplitCommand(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

func TestDeviceURL(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.9": "http://10.0.0.9:8123", "10.0.0.9:80": "http://10.0.0.9:80", "ha.lan": "http://ha.lan:8123",
		"https://ha.lan": "https://ha.lan", "http://ha.lan/": "http://ha.lan", "https://ha.lan:9": "https://ha.lan:9",
		"fd00::9": "http://[fd00::9]:8123", "[fd00::9]:80": "http://[fd00::9]:80", "http://[fd00::9]": "http://[fd00::9]",
	} {
		if u, err := model.DeviceURL(address, "http", "8123"); err != nil || u.String() != want {
			t.Errorf("%s is %v, %v; want %s", address, u, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "address")
		if u, err := model.DeviceURL(text, "http", ""); err == nil && (u.Hostname() == "" || u.User != nil || u.Path != "") {
			t.Fatalf("%q is %v", text, u)
		}
	})
}
