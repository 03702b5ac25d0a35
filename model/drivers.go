package model

// Drivers of outlets.
const (
	DriverHTTP          = "http"
	DriverTasmota       = "tasmota"
	DriverShelly        = "shelly"
	DriverESPHome       = "esphome"
	DriverHomeAssistant = "home-assistant"
	DriverRedfish       = "redfish"
	DriverIPMI          = "ipmi"
	DriverWOL           = "wol"
	DriverCommand       = "command"
	DriverSimulated     = "simulated"
)

// Drivers are all of them, those of plugs first.
func Drivers() []string {
	return []string{
		DriverHTTP, DriverTasmota, DriverShelly, DriverESPHome, DriverHomeAssistant,
		DriverRedfish, DriverIPMI, DriverWOL, DriverCommand, DriverSimulated,
	}
}

// Secrets of outlets.
const (
	SecretPassword = "password"
	SecretToken    = "token"
)

// HTTPOutlet tells the generic HTTP driver what to ask of a device. StatusURL
// may be empty: the device cannot be asked, its state is what was last ordered.
// {password} and {token} in URLs, headers and bodies stand for the secrets; a
// token that is named nowhere is sent as a bearer's, a password with User as
// basic or digest authentication asks for it.
type HTTPOutlet struct {
	Method    string   `json:"method"` // of on and off; empty is GET
	OnURL     string   `json:"on_url"`
	OffURL    string   `json:"off_url"`
	OnBody    string   `json:"on_body,omitempty"`
	OffBody   string   `json:"off_body,omitempty"`
	StatusURL string   `json:"status_url"`         // asked with GET
	OnMatch   string   `json:"on_match"`           // regular expression that the status of an outlet that is on matches
	OffMatch  string   `json:"off_match"`          // and of one that is off; neither is unknown
	Headers   []string `json:"headers,omitempty"`  // such as "Accept: text/plain"
	User      string   `json:"user,omitempty"`     // empty: nobody logs in
	Insecure  bool     `json:"insecure,omitempty"` // any certificate will do
}

// TasmotaOutlet is a relay of a device that runs Tasmota. Secret: password.
type TasmotaOutlet struct {
	Address string `json:"address"`         // host, host:port or URL
	Relay   int    `json:"relay,omitempty"` // 1 is the first; 0 is that there is one only
	User    string `json:"user,omitempty"`  // empty is admin
}

// ShellyOutlet is a switch of a Shelly of the second generation or later.
// Secret: password, of the user admin.
type ShellyOutlet struct {
	Address string `json:"address"`
	Channel int    `json:"channel,omitempty"` // 0 is the first
}

// ESPHomeOutlet is a switch of a device with ESPHome's web server. Secret:
// password.
type ESPHomeOutlet struct {
	Address      string `json:"address"`
	Switch       string `json:"switch"`                  // as its URL has it: the object's ID, or from 2026.7 on its name
	PowerSensor  string `json:"power_sensor,omitempty"`  // in W; empty is that there is none
	EnergySensor string `json:"energy_sensor,omitempty"` // in kWh or Wh
	User         string `json:"user,omitempty"`          // empty: nobody logs in
}

// HomeAssistantOutlet is an entity of Home Assistant. Secret: token.
type HomeAssistantOutlet struct {
	Address      string `json:"address"` // port 8123 unless it says another
	Entity       string `json:"entity"`  // such as switch.rack
	PowerSensor  string `json:"power_sensor,omitempty"`
	EnergySensor string `json:"energy_sensor,omitempty"`
	Insecure     bool   `json:"insecure,omitempty"`
}

// RedfishOutlet is a machine's management controller that speaks Redfish.
// Secret: password.
type RedfishOutlet struct {
	Address  string `json:"address"` // https unless it says http://
	User     string `json:"user"`
	System   string `json:"system,omitempty"` // its ID, where there are several
	Insecure bool   `json:"insecure,omitempty"`
}

// IPMIOutlet is a machine's management controller that speaks IPMI 2.0 over
// the network (lanplus). Secret: password.
type IPMIOutlet struct {
	Address string `json:"address"` // host or host:port; 623 unless it says another
	User    string `json:"user"`
}

// WOLOutlet wakes a machine by its network card; it can neither be switched
// off nor asked. Secret: password, SecureOn's.
type WOLOutlet struct {
	MAC       string `json:"mac"`
	Broadcast string `json:"broadcast,omitempty"` // of its subnet, with the port if it is neither 9 nor 7; empty is 255.255.255.255
}

// CommandOutlet is switched by programs on the server, which are run without a
// shell.
type CommandOutlet struct {
	On             []string `json:"on_command"`
	Off            []string `json:"off_command"`
	State          []string `json:"state_command,omitempty"`  // prints on or off; empty: it cannot be asked
	Cycle          []string `json:"cycle_command,omitempty"`  // takes the power away for a moment
	Watts          []string `json:"watts_command,omitempty"`  // prints a number of W
	TimeoutSeconds int      `json:"timeout_seconds,omitzero"` // of one run; 0 is 10
}

// SimulatedOutlet plays a device.
type SimulatedOutlet struct {
	Watts float64 `json:"watts,omitzero"` // that it measures while it is on; 0: it has no meter
}

// SetDriver makes the outlet one of another driver: nothing of the old one's
// settings stays.
func (o *Outlet) SetDriver(driver string) {
	if o.Driver != driver {
		o.ClearDevice()
	}
	o.Driver = driver
}

// ClearDevice forgets what the device is and how it is reached.
func (o *Outlet) ClearDevice() {
	*o = Outlet{
		Name: o.Name, Driver: o.Driver, Groups: o.Groups, Requires: o.Requires, Essential: o.Essential,
		DelaySeconds: o.DelaySeconds, IdleWatts: o.IdleWatts, Meta: o.Meta,
	}
}

// DeviceKeys are the JSON keys of an outlet that tell how its device is
// reached.
func DeviceKeys() []string {
	return []string{"http", "tasmota", "shelly", "esphome", "home_assistant", "redfish", "ipmi", "wol", "command", "simulated", "secrets"}
}

// Askable tells whether the device can say its state.
func (o Outlet) Askable() bool {
	switch o.Driver {
	case DriverHTTP:
		return o.HTTP.StatusURL != ""
	case DriverWOL:
		return false
	case DriverCommand:
		return len(o.Command.State) > 0
	}
	return true
}

// SameDevice tells whether both name the same device, reached the same way.
func (o Outlet) SameDevice(other Outlet) bool {
	for _, side := range []*Outlet{&o, &other} {
		side.Name, side.Groups, side.Requires, side.Essential = "", nil, nil, false
		side.DelaySeconds, side.IdleWatts, side.Meta = 0, 0, Meta{}
	}
	return same(o, other)
}

// OnOnly tells whether the device can be switched on and never off.
func (o Outlet) OnOnly() bool { return o.Driver == DriverWOL }
