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

// tasmota is a relay of a device that runs Tasmota.
type tasmota struct {
	base           *url.URL
	relay          string // as in POWER2; empty where there is one only
	user, password string
	web            *web
}

func newTasmota(o model.TasmotaOutlet, password string) (*tasmota, error) {
	base, err := model.DeviceURL(o.Address, "http", "")
	if err != nil {
		return nil, fmt.Errorf("address %w", err)
	}
	t := &tasmota{base: base, user: o.User, password: password, web: newWeb(false, "", "", password)}
	if t.user == "" {
		t.user = "admin"
	}
	if o.Relay > 0 {
		t.relay = strconv.Itoa(o.Relay)
	}
	return t, nil
}

// command has the device carry out a command of its console. It logs in within
// the URL: that is how Tasmota has it.
func (t *tasmota) command(ctx context.Context, command string, harmless bool, into any) error {
	query := "cmnd=" + escape(command)
	if t.password != "" {
		query = "user=" + escape(t.user) + "&password=" + escape(t.password) + "&" + query
	}
	answer, err := t.web.ask(ctx, question{method: http.MethodGet, url: t.base.String() + "/cm?" + query, harmless: harmless})
	switch {
	case answered(err, http.StatusUnauthorized):
		return t.refused()
	case err != nil:
		return err
	}
	// A warning in place of an answer: the password is missing or wrong.
	var warning struct{ WARNING, Command string }
	if json.Unmarshal(answer, &warning) == nil && warning.WARNING != "" {
		return t.refused()
	}
	if warning.Command == "Unknown" {
		return fmt.Errorf("the device at %s does not know the command %s", t.base.Host, strings.Fields(command)[0])
	}
	return t.web.plain(decode(answer, into))
}

func (t *tasmota) refused() error {
	if t.password == "" {
		return fmt.Errorf("the device at %s wants a password, and none is set", t.base.Host)
	}
	return fmt.Errorf("the device at %s refuses the password", t.base.Host)
}

// escape is what Tasmota takes: a blank is %20, and ; is no separator.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (t *tasmota) Set(ctx context.Context, on bool) error {
	got, err := t.power(ctx, "Power"+t.relay+" "+map[bool]string{true: "On", false: "Off"}[on])
	if err == nil && got != state(on) {
		return &StillError{Want: state(on), State: got}
	}
	return err
}

func (t *tasmota) State(ctx context.Context) (model.Power, error) {
	return t.power(ctx, "Power"+t.relay)
}

// power reads what the device answers to Power. The relay of a device with one
// only is POWER, or POWER1 after SetOption26.
func (t *tasmota) power(ctx context.Context, command string) (model.Power, error) {
	answer := map[string]any{}
	if err := t.command(ctx, command, true, &answer); err != nil {
		return model.PowerUnknown, err
	}
	keys := []string{"POWER" + t.relay}
	switch t.relay {
	case "":
		keys = append(keys, "POWER1")
	case "1":
		keys = append(keys, "POWER")
	}
	for _, key := range keys {
		text, ok := answer[key].(string)
		if !ok {
			continue
		}
		switch strings.ToUpper(text) { // StateText renames them
		case "ON", "1":
			return model.PowerOn, nil
		case "OFF", "0":
			return model.PowerOff, nil
		}
		return model.PowerUnknown, fmt.Errorf("the device calls its state %q: StateText1 and StateText2 must be OFF and ON", text)
	}
	return model.PowerUnknown, fmt.Errorf("the device's answer says nothing of %s: has it that relay?", keys[0])
}

// Read reads the device's energy sensor.
func (t *tasmota) Read(ctx context.Context) (Reading, error) {
	var answer struct {
		StatusSNS *struct {
			ENERGY *struct {
				Total, Power json.RawMessage
			}
		}
	}
	if err := t.command(ctx, "Status 10", true, &answer); err != nil {
		return Reading{}, err
	}
	if answer.StatusSNS == nil {
		return Reading{}, fmt.Errorf("the device's answer says nothing of its sensors")
	}
	if answer.StatusSNS.ENERGY == nil {
		return Reading{}, nil
	}
	watts, err := t.channel(answer.StatusSNS.ENERGY.Power)
	if err != nil {
		return Reading{}, err
	}
	total, err := t.channel(answer.StatusSNS.ENERGY.Total)
	if err != nil {
		return Reading{}, err
	}
	if total != nil {
		*total *= 1000 // it counts kWh
	}
	return Reading{Watts: watts, EnergyWh: total}, nil
}

// channel reads a number, or that of the relay where there is one for each.
func (t *tasmota) channel(data json.RawMessage) (*float64, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	var one float64
	if json.Unmarshal(data, &one) == nil {
		return &one, nil
	}
	var all []float64
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("the device measures %s, which is no number", excerpt(data))
	}
	n, _ := strconv.Atoi(t.relay)
	if n = max(n, 1); n > len(all) {
		return nil, nil
	}
	return &all[n-1], nil
}

// Cycle has the device do it all: it does not need us to come back.
func (t *tasmota) Cycle(ctx context.Context) error {
	tenths := int(CyclePause.Milliseconds() / 100)
	var answer any
	return t.command(ctx, fmt.Sprintf("Backlog Power%s Off; Delay %d; Power%s On", t.relay, tenths, t.relay), false, &answer)
}
