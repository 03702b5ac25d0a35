package tui

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"homelab/model"
)

// newOutletForm edits an outlet, or adds one if name is empty. Below what all
// outlets have are the settings of the driver that is chosen.
func newOutletForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindOutlet, Name: name}
	var drivers chosenDrivers
	return newForm(a, &form{
		ref: ref, verb: verb("outlet", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			o, ok := s.Outlets[name]
			if name == "" {
				o, ok = model.Outlet{Driver: model.DriverHTTP}, true
			}
			return append(outletFields(s, o), deviceFields(o)...), o.Version, ok
		},
		depend: func(f *form, s *model.State) { drivers.show(f, s) },
		edit:   edits(ref, func(string) model.Outlet { return model.Outlet{} }, fillOutlet),
		also: func(ctx context.Context, lab Lab, via string, v values) (kept bool, err error) {
			for _, setting := range model.DriverFields(v["driver"]) {
				if value := v[setting.Key]; setting.Secret && value != "" {
					if err := lab.SetSecret(ctx, via, v["name"], setting.Key, value); err != nil {
						return kept, err
					}
					kept = true
				}
			}
			return kept, nil
		},
	})
}

// outletFields are those that all outlets have.
func outletFields(s *model.State, o model.Outlet) []*field {
	others := slices.DeleteFunc(model.Names(s.Outlets), func(n string) bool { return n == o.Name })
	essential := ""
	if o.Essential {
		essential = "essential"
	}
	return []*field{
		(&field{key: "name", label: "name", hint: "a DNS label, such as plug-shelf", blank: "–"}).with(o.Name),
		(&field{key: "driver", label: "driver", kind: choice, hint: driverHint(o.Driver), options: model.Drivers()}).with(o.Driver),
		(&field{key: "groups", label: "groups", hint: "separated by commas", blank: "–"}).with(strings.Join(o.Groups, ", ")),
		(&field{key: "requires", label: "requires", kind: ticks, hint: "outlets that must be on before this one", blank: "there is no other outlet", options: others}).with(strings.Join(o.Requires, ",")),
		(&field{key: "essential", label: "essential", kind: ticks, hint: "carries this server or the way to it: asked about twice", options: []string{"essential"}}).with(essential),
		(&field{key: "delay_seconds", label: "delay", hint: "seconds after it is switched, before the next one is", blank: "none"}).with(number(o.DelaySeconds)),
		(&field{key: "idle_watts", label: "idle watts", hint: "what it feeds counts as off when its meter says less", blank: "–"}).with(wattText(o.IdleWatts)),
	}
}

func wattText(w float64) string {
	if w == 0 {
		return ""
	}
	return strconv.FormatFloat(w, 'f', -1, 64)
}

// deviceFields are the settings of an outlet's driver.
func deviceFields(o model.Outlet) []*field {
	var fields []*field
	for _, setting := range model.DriverFields(o.Driver) {
		label := strings.TrimSuffix(strings.ReplaceAll(setting.Key, "_", " "), " seconds")
		f := &field{key: setting.Key, label: label, hint: setting.Hint, blank: "–", options: setting.Options}
		value := setting.Get(o)
		switch {
		case setting.Secret:
			f.secret = true
			if slices.Contains(o.Secrets, setting.Key) {
				f.blank = "set, and not shown"
			}
		case setting.Truth:
			f.kind, f.options = ticks, []string{setting.Key}
			if value != "" {
				value = setting.Key
			}
		case setting.Options != nil:
			f.kind, f.blank = choice, "GET"
		case setting.Lines:
			f.hint += "; several with | between them"
			value = strings.ReplaceAll(value, "\n", " | ")
		}
		fields = append(fields, f.with(value))
	}
	return fields
}

func driverHint(driver string) string {
	return map[string]string{
		model.DriverHTTP: "whatever is switched by URLs", model.DriverTasmota: "plugs and relays with Tasmota",
		model.DriverShelly: "Shelly plugs, generation 2 and later", model.DriverESPHome: "devices with ESPHome's web server",
		model.DriverHomeAssistant: "what Home Assistant can switch", model.DriverRedfish: "servers with a controller: iLO, iDRAC, XCC and others",
		model.DriverIPMI: "servers with a controller, older ones too", model.DriverWOL: "Wake-on-LAN: switches on, never off",
		model.DriverCommand: "programs on this server", model.DriverSimulated: "plays a device",
	}[driver]
}

// chosenDrivers are the settings of the drivers that were chosen while a form
// is filled in, as typed, so that trying another one loses nothing.
type chosenDrivers struct {
	fields map[string][]*field
	shown  *field // the first of those that are shown
}

// show shows the fields of the driver that is chosen.
func (c *chosenDrivers) show(f *form, s *model.State) {
	chosen := f.field("driver")
	chosen.hint = driverHint(chosen.value())
	common := len(outletFields(s, model.Outlet{}))
	if f.fields[common] != c.shown { // read anew, with the driver that it was read with
		c.fields = map[string][]*field{chosen.value(): f.fields[common:]}
	}
	fields, ok := c.fields[chosen.value()]
	if !ok {
		fields = deviceFields(model.Outlet{Driver: chosen.value()})
		c.fields[chosen.value()] = fields
	}
	f.fields = append(f.fields[:common:common], fields...)
	c.shown = fields[0]
}

func fillOutlet(o *model.Outlet, v values) error {
	n := numbers{ref: model.Ref{Kind: model.KindOutlet, Name: v["name"]}, v: v}
	o.Name = v["name"]
	o.SetDriver(v["driver"])
	o.Groups, o.Requires, o.Essential = split(v["groups"]), split(v["requires"]), v["essential"] != ""
	o.DelaySeconds = n.read("delay_seconds", strconv.Atoi, "is no number")
	var err error
	if o.IdleWatts, err = strconv.ParseFloat(orZero(v["idle_watts"]), 64); err != nil {
		n.errs = append(n.errs, &model.FieldError{Ref: n.ref, Field: "idle_watts", Value: v["idle_watts"], Rule: "is no number"})
	}
	for _, setting := range model.DriverFields(o.Driver) {
		value := v[setting.Key]
		switch {
		case setting.Secret && value == "":
			continue // the one that is set stays
		case setting.Truth && value != "":
			value = "true"
		case setting.Lines:
			value = strings.ReplaceAll(value, " | ", "\n")
		}
		n.errs = append(n.errs, setting.Set(o, value))
	}
	return joined(n.errs)
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}
