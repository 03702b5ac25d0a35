package model

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// driver checks the settings of an outlet's driver.
func (c *checker) driver(o Outlet) {
	switch o.Driver {
	case DriverHTTP:
		c.httpOutlet(o.HTTP)
	case DriverTasmota:
		c.device("address", o.Tasmota.Address)
		c.within("relay", o.Tasmota.Relay, 0, 32)
		c.text("user", o.Tasmota.User, 64)
	case DriverShelly:
		c.device("address", o.Shelly.Address)
		c.within("channel", o.Shelly.Channel, 0, 255)
	case DriverESPHome:
		c.device("address", o.ESPHome.Address)
		c.rule(isSegment(o.ESPHome.Switch), "switch", o.ESPHome.Switch, "must be the object ID or the name of a switch")
		c.sensor("power_sensor", o.ESPHome.PowerSensor, isSegment)
		c.sensor("energy_sensor", o.ESPHome.EnergySensor, isSegment)
		c.text("user", o.ESPHome.User, 64)
	case DriverHomeAssistant:
		c.device("address", o.HomeAssistant.Address)
		c.rule(isEntity(o.HomeAssistant.Entity), "entity", o.HomeAssistant.Entity, "must be an entity such as switch.rack")
		c.sensor("power_sensor", o.HomeAssistant.PowerSensor, isEntity)
		c.sensor("energy_sensor", o.HomeAssistant.EnergySensor, isEntity)
	case DriverRedfish:
		c.device("address", o.Redfish.Address)
		c.login(o.Redfish.User)
		c.rule(o.Redfish.System == "" || isSegment(o.Redfish.System), "system", o.Redfish.System, "must be the ID of a system")
	case DriverIPMI:
		_, _, err := SplitAddress(o.IPMI.Address, "623")
		c.rule(err == nil, "address", o.IPMI.Address, "must be host or host:port")
		c.login(o.IPMI.User)
		c.rule(len(o.IPMI.User) <= 16, "user", o.IPMI.User, "must be at most 16 bytes: IPMI takes no more")
	case DriverWOL:
		c.wol(o.WOL)
	case DriverCommand:
		c.command(o.Command)
	case DriverSimulated:
		c.watts("watts", o.Simulated.Watts)
	}
	for _, name := range o.Secrets {
		c.rule(o.TakesSecret(name), "secrets", name, "is none that the driver "+o.Driver+" knows")
	}
}

func (c *checker) httpOutlet(h HTTPOutlet) {
	c.rule(h.OnURL != "", "on_url", "", "is missing: the HTTP driver asks it to switch on")
	c.rule(h.OffURL != "", "off_url", "", "is missing: the HTTP driver asks it to switch off")
	c.rule(h.StatusURL == "" || h.OnMatch != "" || h.OffMatch != "", "on_match", "",
		"is missing: without it and off_match an answer of status_url means nothing")
	c.oneOf("method", h.Method, "", http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch)
	c.url("on_url", h.OnURL)
	c.url("off_url", h.OffURL)
	c.url("status_url", h.StatusURL)
	c.rule(isBody(h.OnBody, 4096), "on_body", h.OnBody, "must be text of at most 4096 bytes")
	c.rule(isBody(h.OffBody, 4096), "off_body", h.OffBody, "must be text of at most 4096 bytes")
	c.pattern("on_match", h.OnMatch)
	c.pattern("off_match", h.OffMatch)
	c.text("user", h.User, 64)
	for _, line := range h.Headers {
		name, value, ok := strings.Cut(line, ":")
		c.rule(ok && isHeader(name) && isText(value, 2048), "headers", line, "must be a header such as Accept: text/plain")
	}
	c.toggles(h)
}

// toggle is how devices call the order to be what one is not.
var toggle = regexp.MustCompile(`(?i)\btoggle\b`)

// toggles refuses what turns the device over: sent again it would undo itself,
// and who does not know the state would cut what it means to switch on.
func (c *checker) toggles(h HTTPOutlet) {
	const rule = "only turns the device over; it needs one request for on and another for off"
	if h.OnURL != "" && h.OnURL == h.OffURL && h.OnBody == h.OffBody {
		c.rule(false, "off_url", h.OffURL, "is the same as on_url, with the same body: "+rule)
	}
	for _, f := range []struct{ field, text string }{{"on_url", h.OnURL}, {"off_url", h.OffURL}, {"on_body", h.OnBody}, {"off_body", h.OffBody}} {
		c.rule(!toggle.MatchString(f.text), f.field, f.text, rule)
	}
}

func (c *checker) wol(w WOLOutlet) {
	mac, err := net.ParseMAC(w.MAC)
	c.rule(err == nil && len(mac) == 6, "mac", w.MAC, "must be a MAC address such as 52:54:00:12:34:56")
	if w.Broadcast != "" {
		host, _, err := SplitAddress(w.Broadcast, "9")
		_, ip := netip.ParseAddr(host)
		c.rule(err == nil && ip == nil, "broadcast", w.Broadcast, "must be an IP address such as 192.168.1.255, with or without a port")
	}
}

func (c *checker) command(v CommandOutlet) {
	for _, p := range []struct {
		field string
		argv  []string
		must  bool
	}{
		{"on_command", v.On, true},
		{"off_command", v.Off, true},
		{"state_command", v.State, false},
		{"cycle_command", v.Cycle, false},
		{"watts_command", v.Watts, false},
	} {
		if len(p.argv) == 0 {
			c.rule(!p.must, p.field, "", "is missing: it is the program that is run")
			continue
		}
		c.rule(path.IsAbs(p.argv[0]) && path.Clean(p.argv[0]) == p.argv[0], p.field, JoinCommand(p.argv), "must begin with the full path of a program on the server")
		c.rule(!slices.ContainsFunc(p.argv, func(a string) bool { return !isText(a, 1024) }), p.field, "", ruleText)
	}
	c.rule(len(v.On) == 0 || !slices.Equal(v.On, v.Off), "off_command", JoinCommand(v.Off), "is the same as on_command; it needs one for on and another for off")
	c.within("timeout_seconds", v.TimeoutSeconds, 0, 15)
}

// device checks the address of a device that speaks HTTP.
func (c *checker) device(field, value string) {
	_, err := DeviceURL(value, "http", "")
	if err != nil {
		shown := value
		if strings.Contains(value, "@") {
			shown = "…" // a password, perhaps
		}
		c.rule(false, field, shown, err.Error())
	}
}

func (c *checker) sensor(field, value string, is func(string) bool) {
	c.rule(value == "" || is(value), field, value, "must name a sensor")
}

func (c *checker) login(user string) {
	c.rule(user != "", "user", "", "is missing: the controller lets nobody in without one")
	c.text("user", user, 64)
}

func (c *checker) within(field string, value, least, most int) {
	if value < least || value > most {
		c.rule(false, field, nonzero(strconv.Itoa(value)), "must be "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
}

// watts checks a power; NaN fails every comparison.
func (c *checker) watts(field string, value float64) {
	c.rule(value >= 0 && value <= 100_000, field, strconv.FormatFloat(value, 'f', -1, 64), "must be 0 to 100000 W")
}

// isSegment tells whether s can be one part of a URL's path.
func isSegment(s string) bool {
	return s != "" && isText(s, 255) && !strings.ContainsAny(s, "/?#\\") && s != "." && s != ".."
}

var entity = regexp.MustCompile(`^[a-z0-9_]+\.[a-z0-9_]+$`)

func isEntity(s string) bool { return len(s) <= 255 && entity.MatchString(s) }

func isHeader(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Host", "Content-Length", "Transfer-Encoding", "Connection":
		return false // the driver's own
	}
	return made(strings.ToLower(name), 100, "-_")
}
