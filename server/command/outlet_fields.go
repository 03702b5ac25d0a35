package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"homelab/model"
)

// deviceFlags are the flags for the settings of all drivers. Drivers share
// those for what is alike; each is for the driver that the outlet has.
func deviceFlags(f *fields[model.Outlet]) {
	for _, driver := range model.Drivers() {
		for _, setting := range model.DriverFields(driver) {
			flag := flagOf(setting.Key)
			if f.cmd.Flags().Lookup(flag) != nil {
				continue
			}
			switch {
			case setting.Secret:
				f.secret(setting.Key)
				continue
			case setting.Truth:
				f.cmd.Flags().Bool(flag, false, setting.Hint)
			case setting.Lines:
				f.cmd.Flags().StringArray(flag, nil, setting.Hint+"; repeat it for more")
			default:
				f.cmd.Flags().String(flag, "", settingUsage(driver, setting))
			}
			if setting.Options != nil {
				f.choices(flag, slices.DeleteFunc(slices.Clone(setting.Options), func(o string) bool { return o == "" })...)
			}
			f.try(flag, func(o *model.Outlet) error { return setDevice(f, o, setting.Key, flag) })
		}
	}
}

func flagOf(key string) string {
	if key == "headers" {
		return "header"
	}
	return strings.ReplaceAll(key, "_", "-")
}

// settingUsage is a setting's hint; what only one driver has says whose it is.
func settingUsage(driver string, setting model.DriverField) string {
	switch setting.Key {
	case "address", "user", "power_sensor", "energy_sensor":
		return setting.Hint
	}
	return driver + ": " + setting.Hint
}

// setDevice sets a setting of the outlet's driver, if that has it.
func setDevice(f *fields[model.Outlet], o *model.Outlet, key, flag string) error {
	setting, ok := o.DriverField(key)
	if !ok {
		if f.found && key == "address" {
			return nil
		}
		return noSetting(o, flag)
	}
	value := f.cmd.Flags().Lookup(flag).Value
	if list, ok := value.(pflag.SliceValue); ok {
		return setting.Set(o, strings.Join(list.GetSlice(), "\n"))
	}
	return setting.Set(o, value.String())
}

func noSetting(o *model.Outlet, flag string) error {
	var has []string
	for _, setting := range model.DriverFields(o.Driver) {
		has = append(has, "--"+flagOf(setting.Key))
	}
	return &usageError{
		err:  fmt.Errorf("the driver %s has no --%s", o.Driver, flag),
		hint: "it has " + andList(has) + "; another one is chosen with --driver",
	}
}

// secret is a flag for what must stand in no command line: its value is - and
// the secret comes on standard input, or is typed on a terminal.
func (f *fields[T]) secret(field string) {
	value := f.cmd.Flags().String(field, "", "of the device: - reads it from standard input, or asks on a terminal; empty forgets it")
	f.flags = append(f.flags, field)
	f.secrets = append(f.secrets, secretFlag{field, value})
}

type secretFlag struct {
	field string
	value *string
}

// readSecrets reads the secrets whose flags are given, before anything is done.
func (f *fields[T]) readSecrets(ctx context.Context) (map[string]string, error) {
	read := map[string]string{}
	for _, flag := range f.secrets {
		switch {
		case !f.given(flag.field):
		case *flag.value == "":
			read[flag.field] = ""
		case *flag.value != "-":
			return nil, &usageError{
				err:  fmt.Errorf("a %s in a command line is seen by others: give --%s - and type it when asked, or send it on standard input", flag.field, flag.field),
				hint: "such as: printf %s \"$SECRET\" | ssh … outlet edit NAME --" + flag.field + " -",
			}
		case !f.s.io.PTY && len(read) > 0:
			return nil, usagef("only one secret at a time comes on standard input: repeat the command for the other one")
		default:
			text, err := f.s.askSecret(ctx, flag.field)
			if err != nil {
				return nil, err
			}
			read[flag.field] = text
		}
	}
	return read, nil
}

// maxSecret is more than any device's.
const maxSecret = 8 << 10

// askSecret reads a secret; on a terminal it is not echoed.
func (s *session) askSecret(ctx context.Context, field string) (string, error) {
	var text string
	if s.io.PTY {
		write(s.io.Err, "The device's "+field+": ")
		line, err := s.key.line(ctx, io.Discard)
		write(s.io.Err, "\n")
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		text = line
	} else {
		data, err := io.ReadAll(io.LimitReader(s.io.In, maxSecret+1))
		if err != nil {
			return "", fmt.Errorf("read the %s: %w", field, err)
		}
		text = strings.TrimRight(string(data), "\r\n")
	}
	switch {
	case text == "":
		return "", usagef("no %s came; --%s '' forgets the one that is set", field, field)
	case len(text) > maxSecret || strings.ContainsAny(text, "\r\n\x00"):
		return "", usagef("the %s must be one line of at most %d bytes", field, maxSecret)
	}
	return text, nil
}

// keepSecrets keeps what was read, once the outlet is what it is to be.
func (s *session) keepSecrets(ctx context.Context, outlet string, secrets map[string]string) error {
	for _, field := range []string{model.SecretPassword, model.SecretToken} {
		value, ok := secrets[field]
		if !ok {
			continue
		}
		if err := s.lab.SetSecret(ctx, s.via, outlet, field, value); err != nil {
			return err
		}
		if value == "" {
			s.notef("the %s of outlet %s is forgotten", field, clean(outlet))
			continue
		}
		s.notef("the %s of outlet %s is set", field, clean(outlet))
	}
	return nil
}

// noteSecrets has the outlet say which secrets its device needs.
func noteSecrets(o *model.Outlet, secrets map[string]string) error {
	for field, value := range secrets {
		if value != "" && !o.TakesSecret(field) {
			return noSetting(o, field)
		}
		o.NoteSecret(field, value != "")
	}
	return nil
}

// chooseDriver finds out what a new outlet's driver is: what was said, what the
// flags belong to, or what answers at the address.
func chooseDriver(f *fields[model.Outlet], o *model.Outlet) error {
	if f.given("driver") {
		return nil
	}
	for driver, flag := range map[string]string{model.DriverWOL: "mac", model.DriverCommand: "on-command", model.DriverHomeAssistant: "entity"} {
		if f.given(flag) {
			o.SetDriver(driver)
			return nil
		}
	}
	if f.given("on-url") || !f.given("address") {
		return nil // http
	}
	address, err := f.cmd.Flags().GetString("address")
	if err != nil {
		return err
	}
	found, err := f.s.lab.Probe(f.cmd.Context(), address)
	if err != nil {
		return err
	}
	var words []string
	for _, d := range found {
		words = append(words, d.About+" (--driver "+d.Outlet.Driver+")")
	}
	switch len(found) {
	case 0:
		return hint(fmt.Errorf("nothing that is known answers at %s", address), "say what it is with --driver: %s", orList(model.Drivers()))
	case 1:
		f.s.notef("found %s", clean(found[0].About))
		name := o.Name
		*o = found[0].Outlet
		o.Name = name
		if o.Driver == model.DriverHTTP {
			f.found = true // its URLs say the address
		}
		return nil
	}
	return hint(fmt.Errorf("at %s answer %s", address, andList(words)), "choose one with --driver")
}

// devicePairs are the settings of an outlet's driver, and which secrets are
// set.
func (s *session) devicePairs(o model.Outlet) []pair {
	var pairs []pair
	if o.DelaySeconds > 0 {
		pairs = append(pairs, pair{"delay", plainCell("%d s", o.DelaySeconds)})
	}
	if o.IdleWatts > 0 {
		pairs = append(pairs, pair{"idle below", plainCell("%g W", o.IdleWatts)})
	}
	missing := s.lab.MissingSecrets(o.Name)
	for _, setting := range model.DriverFields(o.Driver) {
		label := strings.ReplaceAll(setting.Key, "_", " ")
		switch value := setting.Get(o); {
		case setting.Secret && slices.Contains(missing, setting.Key):
			pairs = append(pairs, pair{label, cell{"not known any more: outlet edit " + o.Name + " --" + setting.Key + " -", red}})
		case setting.Secret && slices.Contains(o.Secrets, setting.Key):
			pairs = append(pairs, pair{label, cell{text: "set"}})
		case setting.Key == "status_url" && value == "":
			pairs = append(pairs, pair{label, cell{text: "none: it cannot be asked"}})
		case value != "":
			pairs = append(pairs, pair{label, cell{text: strings.ReplaceAll(value, "\n", ", ")}})
		}
	}
	return pairs
}
