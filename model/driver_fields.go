package model

import (
	"slices"
	"strconv"
	"strings"
)

// DriverField is one setting of a driver: what flags, forms and screens need
// to know of it. Its key is unique within the driver; drivers share keys for
// what is alike, such as address.
type DriverField struct {
	Key     string
	Hint    string
	Options []string // that it chooses from; nil is any text
	Lines   bool     // a list, each item given by itself
	Truth   bool     // "true" or ""
	Secret  bool     // written and never read; the outlet holds its name only
	at      func(*Outlet) any
}

// DriverFields are the settings of a driver, in the order of its form.
func DriverFields(driver string) []DriverField { return driverFields[driver] }

// DriverField finds a setting of the outlet's driver.
func (o *Outlet) DriverField(key string) (DriverField, bool) {
	for _, f := range driverFields[o.Driver] {
		if f.Key == key {
			return f, true
		}
	}
	return DriverField{}, false
}

// Get returns the setting as text; Set takes it back. A list has a line for
// each item, a command is quoted as in a shell, and a secret is never there.
func (f DriverField) Get(o Outlet) string {
	if f.Secret {
		return ""
	}
	switch v := f.at(&o).(type) {
	case *string:
		return *v
	case *int:
		return nonzero(strconv.Itoa(*v))
	case *float64:
		return nonzero(strconv.FormatFloat(*v, 'f', -1, 64))
	case *bool:
		if *v {
			return "true"
		}
	case *[]string:
		if f.Lines {
			return strings.Join(*v, "\n")
		}
		return JoinCommand(*v)
	}
	return ""
}

func nonzero(number string) string {
	if number == "0" {
		return ""
	}
	return number
}

// Set changes the setting; its error is a [FieldError]. Of a secret it notes
// whether there is one: its value is the store's alone.
func (f DriverField) Set(o *Outlet, text string) error {
	if f.Secret {
		o.NoteSecret(f.Key, text != "")
		return nil
	}
	bad := func(rule string) error {
		return &FieldError{Ref: Ref{KindOutlet, o.Name}, Field: f.Key, Value: text, Rule: rule}
	}
	var err error
	switch v := f.at(o).(type) {
	case *string:
		*v = text
	case *int:
		if *v, err = strconv.Atoi(zero(text)); err != nil {
			return bad("is no number")
		}
	case *float64:
		if *v, err = strconv.ParseFloat(zero(text), 64); err != nil {
			return bad("is no number")
		}
	case *bool:
		if *v, err = strconv.ParseBool(or(text, "false")); err != nil {
			return bad("is neither true nor false")
		}
	case *[]string:
		*v, err = f.list(text)
		if err != nil {
			return bad("cannot be taken apart: " + err.Error())
		}
	}
	return nil
}

func (f DriverField) list(text string) ([]string, error) {
	if !f.Lines {
		return SplitCommand(text)
	}
	var items []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, line)
		}
	}
	return items, nil
}

func zero(text string) string { return or(text, "0") }

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// NoteSecret notes that the device needs a secret, or no longer does.
func (o *Outlet) NoteSecret(field string, needed bool) {
	has := slices.Contains(o.Secrets, field)
	switch {
	case needed && !has:
		o.Secrets = append(slices.Clone(o.Secrets), field)
		slices.Sort(o.Secrets)
	case !needed && has:
		o.Secrets = slices.DeleteFunc(slices.Clone(o.Secrets), func(s string) bool { return s == field })
	}
}

// TakesSecret tells whether the driver knows a secret of that name.
func (o Outlet) TakesSecret(field string) bool {
	f, ok := o.DriverField(field)
	return ok && f.Secret
}

func text(key, hint string, at func(*Outlet) *string) DriverField {
	return DriverField{Key: key, Hint: hint, at: func(o *Outlet) any { return at(o) }}
}

func count(key, hint string, at func(*Outlet) *int) DriverField {
	return DriverField{Key: key, Hint: hint, at: func(o *Outlet) any { return at(o) }}
}

func truth(key, hint string, at func(*Outlet) *bool) DriverField {
	return DriverField{Key: key, Hint: hint, Truth: true, at: func(o *Outlet) any { return at(o) }}
}

func argv(key, hint string, at func(*Outlet) *[]string) DriverField {
	return DriverField{Key: key, Hint: hint, at: func(o *Outlet) any { return at(o) }}
}

func secret(key, hint string) DriverField { return DriverField{Key: key, Hint: hint, Secret: true} }

const (
	hintAddress  = "host, host:port or URL, such as 192.168.1.30"
	hintInsecure = "take any certificate: self-signed ones, but also a stranger's"
	hintPassword = "of the device; empty leaves the one that is set"
)

var driverFields = map[string][]DriverField{
	DriverHTTP:          httpFields,
	DriverTasmota:       tasmotaFields,
	DriverShelly:        shellyFields,
	DriverESPHome:       espHomeFields,
	DriverHomeAssistant: homeAssistantFields,
	DriverRedfish:       redfishFields,
	DriverIPMI:          ipmiFields,
	DriverWOL:           wolFields,
	DriverCommand:       commandFields,
	DriverSimulated:     simulatedFields,
}

var httpFields = []DriverField{
	{Key: "method", Hint: "of switching on and off; empty is GET", Options: []string{"", "POST", "PUT", "PATCH"}, at: func(o *Outlet) any { return &o.HTTP.Method }},
	text("on_url", "asked to switch on, such as http://192.168.1.30/relay/0?turn=on", func(o *Outlet) *string { return &o.HTTP.OnURL }),
	text("off_url", "asked to switch off, such as http://192.168.1.30/relay/0?turn=off", func(o *Outlet) *string { return &o.HTTP.OffURL }),
	text("on_body", "sent with POST, PUT or PATCH", func(o *Outlet) *string { return &o.HTTP.OnBody }),
	text("off_body", "sent with POST, PUT or PATCH", func(o *Outlet) *string { return &o.HTTP.OffBody }),
	text("status_url", "asked with GET; empty: the state is what was last ordered", func(o *Outlet) *string { return &o.HTTP.StatusURL }),
	text("on_match", "regular expression that the answer matches when it is on", func(o *Outlet) *string { return &o.HTTP.OnMatch }),
	text("off_match", "and when it is off; neither is unknown", func(o *Outlet) *string { return &o.HTTP.OffMatch }),
	{Key: "headers", Hint: "such as Accept: text/plain; {token} stands for the token", Lines: true, at: func(o *Outlet) any { return &o.HTTP.Headers }},
	text("user", "who logs in with the password", func(o *Outlet) *string { return &o.HTTP.User }),
	secret(SecretPassword, hintPassword),
	secret(SecretToken, "sent as a bearer's, or where {token} stands; empty leaves the one that is set"),
	truth("insecure", hintInsecure, func(o *Outlet) *bool { return &o.HTTP.Insecure }),
}

var tasmotaFields = []DriverField{
	text("address", hintAddress, func(o *Outlet) *string { return &o.Tasmota.Address }),
	count("relay", "1 is the first; empty: it has one only", func(o *Outlet) *int { return &o.Tasmota.Relay }),
	text("user", "empty is admin", func(o *Outlet) *string { return &o.Tasmota.User }),
	secret(SecretPassword, hintPassword),
}

var shellyFields = []DriverField{
	text("address", hintAddress, func(o *Outlet) *string { return &o.Shelly.Address }),
	count("channel", "of several switches; empty is 0, the first", func(o *Outlet) *int { return &o.Shelly.Channel }),
	secret(SecretPassword, hintPassword),
}

var espHomeFields = []DriverField{
	text("address", hintAddress, func(o *Outlet) *string { return &o.ESPHome.Address }),
	text("switch", "object ID of the switch, or its name from firmware 2026.7 on", func(o *Outlet) *string { return &o.ESPHome.Switch }),
	text("power_sensor", "object ID of the sensor that measures W; empty: none", func(o *Outlet) *string { return &o.ESPHome.PowerSensor }),
	text("energy_sensor", "object ID of the sensor that counts kWh; empty: none", func(o *Outlet) *string { return &o.ESPHome.EnergySensor }),
	text("user", "who logs in with the password", func(o *Outlet) *string { return &o.ESPHome.User }),
	secret(SecretPassword, hintPassword),
}

var homeAssistantFields = []DriverField{
	text("address", hintAddress+"; port 8123 unless it says another", func(o *Outlet) *string { return &o.HomeAssistant.Address }),
	text("entity", "such as switch.rack", func(o *Outlet) *string { return &o.HomeAssistant.Entity }),
	text("power_sensor", "such as sensor.rack_power; empty: none", func(o *Outlet) *string { return &o.HomeAssistant.PowerSensor }),
	text("energy_sensor", "such as sensor.rack_energy; empty: none", func(o *Outlet) *string { return &o.HomeAssistant.EnergySensor }),
	secret(SecretToken, "a long-lived access token; empty leaves the one that is set"),
	truth("insecure", hintInsecure, func(o *Outlet) *bool { return &o.HomeAssistant.Insecure }),
}

var redfishFields = []DriverField{
	text("address", hintAddress+" of the management controller", func(o *Outlet) *string { return &o.Redfish.Address }),
	text("user", "of the management controller", func(o *Outlet) *string { return &o.Redfish.User }),
	secret(SecretPassword, hintPassword),
	text("system", "ID of the machine, where the controller has several", func(o *Outlet) *string { return &o.Redfish.System }),
	truth("insecure", hintInsecure, func(o *Outlet) *bool { return &o.Redfish.Insecure }),
}

var ipmiFields = []DriverField{
	text("address", "host or host:port of the management controller", func(o *Outlet) *string { return &o.IPMI.Address }),
	text("user", "of the management controller", func(o *Outlet) *string { return &o.IPMI.User }),
	secret(SecretPassword, hintPassword),
}

var wolFields = []DriverField{
	text("mac", "of the network card, such as 52:54:00:12:34:56", func(o *Outlet) *string { return &o.WOL.MAC }),
	text("broadcast", "of its network, such as 192.168.1.255; empty is 255.255.255.255", func(o *Outlet) *string { return &o.WOL.Broadcast }),
	secret(SecretPassword, "SecureOn's: 4 or 6 bytes such as 192.168.1.2 or 01:02:03:04:05:06; empty leaves the one that is set"),
}

var commandFields = []DriverField{
	argv("on_command", "program on the server, with its full path and arguments", func(o *Outlet) *[]string { return &o.Command.On }),
	argv("off_command", "the same, to switch off", func(o *Outlet) *[]string { return &o.Command.Off }),
	argv("state_command", "prints on or off; empty: the state is what was last ordered", func(o *Outlet) *[]string { return &o.Command.State }),
	argv("cycle_command", "takes the power away for a moment; empty: off, then on", func(o *Outlet) *[]string { return &o.Command.Cycle }),
	argv("watts_command", "prints a number of W; empty: no meter", func(o *Outlet) *[]string { return &o.Command.Watts }),
	count("timeout_seconds", "after which a program is ended; empty is 10", func(o *Outlet) *int { return &o.Command.TimeoutSeconds }),
}

var simulatedFields = []DriverField{
	{Key: "watts", Hint: "that it plays to measure while it is on; empty: it has no meter", at: func(o *Outlet) any { return &o.Simulated.Watts }},
}
