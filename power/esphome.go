package power

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"homelab/model"
)

// esphome is a switch of a device with ESPHome's web server.
type esphome struct {
	base          *url.URL
	name          string
	power, energy string
	web           *web
}

func newESPHome(o model.ESPHomeOutlet, password string) (*esphome, error) {
	base, err := model.DeviceURL(o.Address, "http", "")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	return &esphome{base: base, name: o.Switch, power: o.PowerSensor, energy: o.EnergySensor, web: newWeb(false, o.User, password)}, nil
}

func (e *esphome) url(kind, name, verb string) string {
	return e.base.String() + "/" + kind + "/" + url.PathEscape(name) + verb
}

func (e *esphome) Set(ctx context.Context, on bool) error {
	_, err := e.web.ask(ctx, question{method: http.MethodPost, url: e.url("switch", e.name, "/turn_"+word(on)), harmless: true})
	return e.absent(err, "switch", e.name)
}

func (e *esphome) absent(err error, kind, name string) error {
	if answered(err, http.StatusNotFound) {
		return fmt.Errorf("the device at %s has no %s %q: old firmware wants the object's ID, that of 2026.7 and later its name", e.base.Host, kind, name)
	}
	return err
}

func (e *esphome) State(ctx context.Context) (model.Power, error) {
	var answer struct {
		Value *bool  `json:"value"`
		State string `json:"state"`
	}
	if err := e.web.get(ctx, e.url("switch", e.name, ""), &answer); err != nil {
		return model.PowerUnknown, e.absent(err, "switch", e.name)
	}
	switch said := strings.ToUpper(answer.State); {
	case answer.Value != nil && said != "" && said != strings.ToUpper(word(*answer.Value)):
		return model.PowerUnknown, fmt.Errorf("the device says %s and %t at once", answer.State, *answer.Value)
	case answer.Value != nil:
		return state(*answer.Value), nil
	case said == "ON", said == "OFF":
		return state(said == "ON"), nil
	}
	return model.PowerUnknown, fmt.Errorf("the device does not say whether it is on")
}

// Read reads the sensors that are named.
func (e *esphome) Read(ctx context.Context) (r Reading, err error) {
	if e.power != "" {
		if r.Watts, err = e.sensor(ctx, e.power, "W"); err != nil {
			return Reading{}, err
		}
	}
	if e.energy != "" {
		if r.EnergyWh, err = e.sensor(ctx, e.energy, "Wh"); err != nil {
			return Reading{}, err
		}
	}
	return r, nil
}

// sensor reads a sensor whose state is "12.3 W"; one that has measured nothing
// yet says NA.
func (e *esphome) sensor(ctx context.Context, name, unit string) (*float64, error) {
	var answer struct {
		Value *float64 `json:"value"`
		State string   `json:"state"`
	}
	if err := e.web.get(ctx, e.url("sensor", name, ""), &answer); err != nil {
		return nil, e.absent(err, "sensor", name)
	}
	if answer.Value == nil {
		return nil, nil
	}
	_, in, _ := strings.Cut(answer.State, " ")
	return convert(*answer.Value, in, unit)
}

// convert turns a measured value into W or Wh.
func convert(value float64, from, to string) (*float64, error) {
	factor, ok := map[string]float64{
		"W W": 1, "mW W": 0.001, "kW W": 1000, " W": 1,
		"Wh Wh": 1, "kWh Wh": 1000, "MWh Wh": 1e6, " Wh": 1000, // counters without a unit are kWh
	}[strings.TrimSpace(from)+" "+to]
	if !ok {
		return nil, fmt.Errorf("the sensor measures %q and not %s", from, to)
	}
	return number(value * factor), nil
}
