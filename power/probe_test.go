package power

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/bougou/go-ipmi/pkg/hal/mock"
)

func TestProbe(t *testing.T) {
	one := newFake(t, func(_ *fake, r *http.Request, _ string) string {
		if r.URL.Path == "/shelly" {
			return `{"type":"SHPLG-S","mac":"A8032AB1","auth":true,"fw":"20230913-113421/v1.14.0","num_outputs":1,"num_meters":1}`
		}
		return ""
	})
	twin := newFake(t, func(_ *fake, r *http.Request, _ string) string {
		if r.URL.Path == "/cm" {
			return `{"Status":{"DeviceName":"Strip","FriendlyName":["a","b"]},"StatusFWR":{"Version":"14.2.0"}}`
		}
		return ""
	})
	for at, want := range map[string]string{
		shellyFake(t, "").URL:        "shelly a Shelly PlusPlugS (SNPL-00112EU, generation 2, firmware 1.4.2) []",
		shellyFake(t, "hunter2").URL: "shelly a Shelly PlusPlugS (SNPL-00112EU, generation 2, firmware 1.4.2) [password]",
		one.URL:                      "http a Shelly SHPLG-S of the first generation [user password]",
		tasmotaFake(t, "").URL:       "tasmota a device with Tasmota 14.2.0(tasmota), called Shelf []",
		tasmotaFake(t, "x").URL:      "tasmota a device with Tasmota [password]",
		twin.URL:                     "tasmota a device with Tasmota 14.2.0, called Strip, with 2 relays [relay]",
		esphomeFake(t, "").URL:       "esphome a device with ESPHome's web server [switch]",
		homeAssistantFake(t).URL:     "home-assistant Home Assistant [entity token]",
		newRedfishFake(t).URL:        "redfish a controller with Redfish 1.15.0, of Contoso UR99 1U Server [user password]",
		mockBMC(t, mock.New()):       "ipmi a controller with IPMI [user password]",
	} {
		found, err := Probe(t.Context(), at)
		if err != nil || len(found) != 1 {
			t.Errorf("%s: found %+v, %v", want, found, err)
			continue
		}
		f := found[0]
		if got := f.Outlet.Driver + " " + f.About + " [" + strings.Join(f.Needs, " ") + "]"; got != want {
			t.Errorf("found %s, want %s", got, want)
		}
		if len(f.Needs) == 0 {
			if _, err := New(f.Outlet, Options{}); err != nil {
				t.Errorf("%s: %v", want, err)
			}
		}
		if slices.Contains(f.Needs, "") {
			t.Error(f.Needs)
		}
	}
}

func TestProbeFindsNothing(t *testing.T) {
	for _, wrong := range []string{"<html>router</html>", `{"gen":"2"}`, `[]`, `{}`, "\x00"} {
		d := newFake(t, nil)
		d.wrong = wrong
		if found, err := Probe(t.Context(), d.URL); err != nil || len(found) > 0 {
			t.Errorf("%q: %+v, %v", wrong, found, err)
		}
	}
	d := newFake(t, nil)
	d.Close()
	if found, err := Probe(t.Context(), d.URL); err != nil || len(found) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	for _, bad := range []string{"", "a b", "http://me:hunter2@10.0.0.1", "ftp://x", "10.0.0.1:0"} {
		_, err := Probe(t.Context(), bad)
		wantError(t, err, "the address must")
	}
}
