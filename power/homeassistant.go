package power

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"homelab/model"
)

// homeAssistant is an entity of Home Assistant that can be turned on and off.
type homeAssistant struct {
	base          *url.URL
	entity        string
	power, energy string
	web           *web
}

func newHomeAssistant(o model.HomeAssistantOutlet, token string) (*homeAssistant, error) {
	base, err := model.DeviceURL(o.Address, "http", "8123")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	if token == "" {
		return nil, fmt.Errorf("it needs a token: make a long-lived access token in Home Assistant, and give it with --token -")
	}
	h := &homeAssistant{base: base, entity: o.Entity, power: o.PowerSensor, energy: o.EnergySensor, web: newWeb(o.Insecure, "", "", token)}
	h.web.header.Set("Authorization", "Bearer "+token)
	return h, nil
}

// Set calls the service of the entity's domain, which switches the device. The
// answer lists whatever changed meanwhile and says nothing of it.
func (h *homeAssistant) Set(ctx context.Context, on bool) error {
	body, err := json.Marshal(map[string]string{"entity_id": h.entity})
	if err != nil {
		return err
	}
	domain, _, _ := strings.Cut(h.entity, ".")
	_, err = h.web.ask(ctx, question{
		method: http.MethodPost, url: h.base.String() + "/api/services/" + domain + "/turn_" + word(on), body: string(body), harmless: true,
	})
	return h.explain(err, h.entity)
}

func (h *homeAssistant) explain(err error, entity string) error {
	switch {
	case answered(err, http.StatusUnauthorized), answered(err, http.StatusForbidden):
		return fmt.Errorf("home assistant at %s refuses the token", h.base.Host)
	case answered(err, http.StatusNotFound):
		return fmt.Errorf("home assistant at %s has no entity %s", h.base.Host, entity)
	}
	return err
}

type entityState struct {
	State      string `json:"state"`
	Attributes struct {
		Unit string `json:"unit_of_measurement"`
	} `json:"attributes"`
}

func (h *homeAssistant) ask(ctx context.Context, entity string) (st entityState, err error) {
	err = h.web.get(ctx, h.base.String()+"/api/states/"+url.PathEscape(entity), &st)
	return st, h.explain(err, entity)
}

func (h *homeAssistant) State(ctx context.Context) (model.Power, error) {
	st, err := h.ask(ctx, h.entity)
	switch {
	case err != nil:
		return model.PowerUnknown, err
	case st.State == "on", st.State == "off":
		return state(st.State == "on"), nil
	case st.State == "unavailable":
		return model.PowerUnknown, fmt.Errorf("home assistant cannot reach %s either", h.entity)
	case st.State == "unknown":
		return model.PowerUnknown, fmt.Errorf("home assistant does not know the state of %s", h.entity)
	}
	return model.PowerUnknown, fmt.Errorf("the state of %s is %s, neither on nor off", h.entity, excerpt([]byte(st.State)))
}

// Read reads the sensors that are named.
func (h *homeAssistant) Read(ctx context.Context) (r Reading, err error) {
	if h.power != "" {
		if r.Watts, err = h.sensor(ctx, h.power, "W"); err != nil {
			return Reading{}, err
		}
	}
	if h.energy != "" {
		if r.EnergyWh, err = h.sensor(ctx, h.energy, "Wh"); err != nil {
			return Reading{}, err
		}
	}
	return r, nil
}

func (h *homeAssistant) sensor(ctx context.Context, entity, unit string) (*float64, error) {
	st, err := h.ask(ctx, entity)
	if err != nil || st.State == "unavailable" || st.State == "unknown" {
		return nil, err
	}
	value, err := strconv.ParseFloat(st.State, 64)
	if err != nil || value != value {
		return nil, fmt.Errorf("the state of %s is %s, which is no number", entity, excerpt([]byte(st.State)))
	}
	return convert(value, st.Attributes.Unit, unit)
}
