package power

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"homelab/model"
)

// shelly is a switch of a Shelly of the second generation or later.
type shelly struct {
	base    *url.URL
	channel int
	web     *web
}

func newShelly(o model.ShellyOutlet, password string) (*shelly, error) {
	base, err := model.DeviceURL(o.Address, "http", "")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	return &shelly{base: base, channel: o.Channel, web: newWeb(false, "admin", password)}, nil
}

// call calls a method of the device.
func (s *shelly) call(ctx context.Context, method string, args string, harmless bool, into any) error {
	target := s.base.String() + "/rpc/" + method + "?id=" + strconv.Itoa(s.channel) + args
	answer, err := s.web.ask(ctx, question{method: http.MethodGet, url: target, harmless: harmless})
	if answered(err, http.StatusNotFound) {
		return fmt.Errorf("the device at %s has no switch %d, or is of the first generation", s.base.Host, s.channel)
	}
	if err != nil {
		return err
	}
	return decode(answer, into)
}

func (s *shelly) Set(ctx context.Context, on bool) error {
	return s.set(ctx, "&on="+strconv.FormatBool(on))
}

func (s *shelly) set(ctx context.Context, args string) error {
	var answer struct {
		WasOn *bool `json:"was_on"`
	}
	if err := s.call(ctx, "Switch.Set", args, true, &answer); err != nil {
		return err
	}
	if answer.WasOn == nil {
		return errors.New("the device did not confirm that it took the order")
	}
	return nil
}

func (s *shelly) status(ctx context.Context) (st struct {
	Output  *bool    `json:"output"`
	Apower  *float64 `json:"apower"`
	AEnergy *struct {
		Total *float64 `json:"total"`
	} `json:"aenergy"`
	Errors []string `json:"errors"`
}, err error,
) {
	err = s.call(ctx, "Switch.GetStatus", "", true, &st)
	return st, err
}

func (s *shelly) State(ctx context.Context) (model.Power, error) {
	st, err := s.status(ctx)
	switch {
	case err != nil:
		return model.PowerUnknown, err
	case st.Output == nil:
		return model.PowerUnknown, errors.New("the device does not say whether it is on")
	}
	return state(*st.Output), nil
}

// Read reads what the switch measures; some models have no meter.
func (s *shelly) Read(ctx context.Context) (Reading, error) {
	st, err := s.status(ctx)
	if err != nil {
		return Reading{}, err
	}
	r := Reading{Watts: st.Apower}
	if st.AEnergy != nil {
		r.EnergyWh = st.AEnergy.Total
	}
	return r, nil
}

// Cycle switches off with the device's own timer, which switches on again.
func (s *shelly) Cycle(ctx context.Context) error {
	return s.set(ctx, "&on=false&toggle_after="+strconv.Itoa(int(CyclePause.Seconds())))
}
