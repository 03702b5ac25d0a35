package power

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"homelab/model"
)

const probeTime = 4 * time.Second

// Probe finds out what is at an address: a host, host:port or URL. It only
// asks, without any secret, what devices tell everybody. Several are found
// where one answers in several ways.
func Probe(ctx context.Context, address string) ([]model.FoundDevice, error) {
	if _, err := model.DeviceURL(address, "http", ""); err != nil {
		return nil, fmt.Errorf("the address %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	looks := []func(context.Context, string) *model.FoundDevice{
		probeShelly, probeTasmota, probeESPHome, probeHomeAssistant, probeRedfish, probeIPMI,
	}
	found := make([]*model.FoundDevice, len(looks))
	var all sync.WaitGroup
	for i, look := range looks {
		all.Go(func() { found[i] = look(ctx, address) })
	}
	all.Wait()
	var devices []model.FoundDevice
	for _, f := range found {
		if f != nil {
			f.Address = address
			devices = append(devices, *f)
		}
	}
	return devices, nil
}

// peek asks for something once, whatever the certificate.
func peek(ctx context.Context, address, scheme, port, path string) ([]byte, bool) {
	base, err := model.DeviceURL(address, scheme, port)
	if err != nil {
		return nil, false
	}
	answer, err := newWeb(true, "", "").once(ctx, question{method: http.MethodGet, url: base.String() + path})
	return answer, err == nil || answered(err, http.StatusUnauthorized)
}

func probeShelly(ctx context.Context, address string) *model.FoundDevice {
	var said struct {
		Name, Model, App, Ver, Type, FW string
		Gen                             int
		AuthEn                          bool `json:"auth_en"`
		Auth                            bool
	}
	answer, _ := peek(ctx, address, "http", "", "/shelly")
	if json.Unmarshal(answer, &said) != nil {
		return nil
	}
	switch {
	case said.Gen >= 2:
		f := &model.FoundDevice{
			Outlet: model.Outlet{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: address}},
			About:  fmt.Sprintf("a Shelly %s (%s, generation %d, firmware %s)", said.App, said.Model, said.Gen, said.Ver),
		}
		if said.AuthEn {
			f.Needs = []string{model.SecretPassword}
		}
		return f
	case said.Type != "":
		return shellyOne(address, said.Type, said.Auth)
	}
	return nil
}

// shellyOne is a Shelly of the first generation: plain URLs switch it.
func shellyOne(address, kind string, auth bool) *model.FoundDevice {
	base, err := model.DeviceURL(address, "http", "")
	if err != nil {
		return nil
	}
	relay := base.String() + "/relay/0"
	f := &model.FoundDevice{
		Outlet: model.Outlet{Driver: model.DriverHTTP, HTTP: model.HTTPOutlet{
			OnURL: relay + "?turn=on", OffURL: relay + "?turn=off", StatusURL: relay,
			OnMatch: `"ison": *true`, OffMatch: `"ison": *false`,
		}},
		About: fmt.Sprintf("a Shelly %s of the first generation", kind),
	}
	if auth {
		f.Needs = []string{"user", model.SecretPassword}
	}
	return f
}

func probeTasmota(ctx context.Context, address string) *model.FoundDevice {
	var said struct {
		WARNING string
		Status  *struct {
			DeviceName   string
			FriendlyName []string
		}
		StatusFWR struct{ Version string }
	}
	answer, _ := peek(ctx, address, "http", "", "/cm?cmnd=Status%200")
	if json.Unmarshal(answer, &said) != nil || said.Status == nil && !strings.Contains(said.WARNING, "user=<username>") {
		return nil
	}
	f := &model.FoundDevice{Outlet: model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: address}}}
	if said.Status == nil {
		f.About, f.Needs = "a device with Tasmota", []string{model.SecretPassword}
		return f
	}
	f.About = fmt.Sprintf("a device with Tasmota %s, called %s", said.StatusFWR.Version, said.Status.DeviceName)
	if relays := len(said.Status.FriendlyName); relays > 1 {
		f.About += fmt.Sprintf(", with %d relays", relays)
		f.Needs = []string{"relay"}
	}
	return f
}

func probeESPHome(ctx context.Context, address string) *model.FoundDevice {
	answer, _ := peek(ctx, address, "http", "", "/")
	text := strings.ToLower(string(answer))
	if !strings.Contains(text, "esphome") && !strings.Contains(text, "<esp-app") {
		return nil
	}
	return &model.FoundDevice{
		Outlet: model.Outlet{Driver: model.DriverESPHome, ESPHome: model.ESPHomeOutlet{Address: address}},
		About:  "a device with ESPHome's web server", Needs: []string{"switch"},
	}
}

func probeHomeAssistant(ctx context.Context, address string) *model.FoundDevice {
	var said struct{ Name string }
	answer, _ := peek(ctx, address, "http", "8123", "/manifest.json")
	if json.Unmarshal(answer, &said) != nil || said.Name != "Home Assistant" {
		return nil
	}
	return &model.FoundDevice{
		Outlet: model.Outlet{Driver: model.DriverHomeAssistant, HomeAssistant: model.HomeAssistantOutlet{Address: address}},
		About:  "Home Assistant", Needs: []string{"entity", model.SecretToken},
	}
}

func probeRedfish(ctx context.Context, address string) *model.FoundDevice {
	var said struct{ RedfishVersion, Vendor, Product string }
	answer, _ := peek(ctx, address, "https", "", "/redfish/v1/")
	if json.Unmarshal(answer, &said) != nil || said.RedfishVersion == "" {
		return nil
	}
	name := strings.TrimSpace(said.Vendor + " " + said.Product)
	if name != "" {
		name = ", of " + name
	}
	return &model.FoundDevice{
		Outlet: model.Outlet{Driver: model.DriverRedfish, Redfish: model.RedfishOutlet{Address: address}},
		About:  fmt.Sprintf("a controller with Redfish %s%s", said.RedfishVersion, name),
		Needs:  []string{"user", model.SecretPassword},
	}
}

// presence is an RMCP presence ping; a controller with IPMI answers it with a
// pong.
var presence = []byte{0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x80, 0x00, 0x00, 0x00}

func probeIPMI(ctx context.Context, address string) *model.FoundDevice {
	base, err := model.DeviceURL(address, "http", "623")
	if err != nil || strings.Contains(address, "://") {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", base.Host)
	if err != nil {
		return nil
	}
	defer conn.Close()
	buf := make([]byte, 64)
	for range packets {
		if _, err := conn.Write(presence); err != nil {
			return nil
		}
		_ = conn.SetReadDeadline(time.Now().Add(probeTime / (2 * packets)))
		n, err := conn.Read(buf)
		if err == nil && n >= 24 && slices.Equal(buf[4:8], presence[4:8]) && buf[8] == 0x40 && buf[20]&0x80 != 0 {
			return &model.FoundDevice{
				Outlet: model.Outlet{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: address}},
				About:  "a controller with IPMI", Needs: []string{"user", model.SecretPassword},
			}
		}
	}
	return nil
}
