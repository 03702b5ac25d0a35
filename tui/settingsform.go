package tui

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"homelab/model"
)

// newSettingsForm edits the lab's settings; told are the names of their secrets
// that are set.
func newSettingsForm(a *app, told []string) *form {
	ref := model.SettingsRef
	return newForm(a, &form{
		ref: ref, verb: "edit settings",
		load: func(s *model.State) ([]*field, uint64, bool) {
			return append(settingFields(s), tellFields(s.Settings, told)...), s.Settings.Version, true
		},
		also: func(_ context.Context, lab Lab, _ string, v values) (kept bool, err error) {
			for _, secret := range model.NotifySecrets() {
				if v[secret] == "" {
					continue // what is set stays
				}
				if err := lab.SetNotify(secret, secretOf(v[secret])); err != nil {
					return kept, err
				}
				kept = true
			}
			return kept, nil
		},
		edit: func(v values, base uint64) model.Edit {
			return func(s *model.State) error {
				if base != 0 && s.Settings.Version != base { // a preview has none
					return &model.ConflictError{Ref: ref, Base: base, Version: s.Settings.Version}
				}
				return fillSettings(&s.Settings, v)
			}
		},
	})
}

func settingFields(s *model.State) []*field {
	set := s.Settings
	masters := append([]string{""}, model.Names(s.SaltMasters)...)
	price := ""
	if set.PriceKWh > 0 {
		price = strconv.FormatFloat(set.PriceKWh, 'f', -1, 64)
	}
	return []*field{
		(&field{key: "guest_user", label: "guest user", hint: "made in each guest, with the keys below", blank: "–"}).with(set.GuestUser),
		(&field{key: "ssh_keys", label: "ssh keys", hint: "lines as in id_ed25519.pub, separated by semicolons", blank: "none"}).with(strings.Join(set.SSHKeys, "; ")),
		(&field{key: "timezone", label: "time zone", hint: "such as Europe/Amsterdam; empty is the image's", blank: "the image's"}).with(set.Timezone),
		(&field{key: "locale", label: "locale", hint: "such as en_US.UTF-8; empty is the image's", blank: "the image's"}).with(set.Locale),
		(&field{key: "packages", label: "packages", hint: "installed in each guest, separated by commas", blank: "none"}).with(strings.Join(set.Packages, ", ")),
		(&field{key: "hosts", label: "hosts", kind: choice, hint: "yes: guests know those with a static address by name", options: []string{"no", "yes"}}).with(either(set.Hosts, "yes", "no")),
		(&field{key: "gateway", label: "gateway", hint: "of guests with a static address; empty is the first of their network", blank: "the first address"}).with(set.Gateway),
		(&field{key: "dns", label: "dns", hint: "name servers of guests with a static address, separated by commas", blank: "none"}).with(strings.Join(set.DNS, ", ")),
		(&field{key: "search", label: "search", hint: "DNS search domains of the same", blank: "none"}).with(strings.Join(set.Search, ", ")),
		(&field{key: "salt_master", label: "salt master", kind: choice, hint: "the default of VMs that name none", blank: "none", options: masters}).with(set.SaltMaster),
		(&field{key: "price_kwh", label: "price / kWh", hint: "then costs are shown; empty is unknown", blank: "unknown"}).with(price),
		(&field{key: "currency", label: "currency", hint: "of that price, such as EUR", blank: "–"}).with(set.Currency),
		(&field{key: "guest_grace_seconds", label: "guest grace", hint: "seconds a guest has to shut down before it is switched off; empty is 30", blank: "30"}).with(number(set.GuestGraceSeconds)),
		(&field{key: "power_grace_seconds", label: "power grace", hint: "seconds a machine has to be off after its agent went, where nothing tells; empty is 30", blank: "30"}).with(number(set.PowerGraceSeconds)),
		(&field{key: "restore_power", label: "restore power", kind: choice, hint: "yes: when the server starts, what is wanted on is switched on", options: []string{"no", "yes"}}).with(either(set.RestorePower, "yes", "no")),
		(&field{key: "user_ca", label: "user CAs", hint: "keys whose certificates let users in, separated by semicolons", blank: "none"}).with(strings.Join(set.UserCA, "; ")),
		(&field{key: "revoked", label: "revoked", hint: "certificates: serial:N, id:KEY-ID or a fingerprint, separated by commas", blank: "none"}).with(strings.Join(set.Revoked, ", ")),
	}
}

// forget is what is typed to take a secret away.
const forget = "none"

func secretOf(typed string) string { return either(typed == forget, "", typed) }

// tellFields are how people are told of what nobody watches. Where that goes is
// secret.
func tellFields(set model.Settings, told []string) []*field {
	secret := func(key, label, hint string) *field {
		blank := "none"
		if slices.Contains(told, key) {
			blank, hint = "set, and not shown", hint+"; "+forget+" takes it away"
		}
		return (&field{key: key, label: label, hint: hint, blank: blank, secret: true}).with("")
	}
	return []*field{
		secret(model.SecretNtfy, "ntfy", "URL of a topic, such as https://ntfy.sh/my-homelab: a message on your phone"),
		secret(model.SecretNtfyToken, "ntfy token", "that the topic asks for, if it does"),
		secret(model.SecretWebhook, "webhook", "URL that gets each message as JSON"),
		(&field{key: "notify_command", label: "command", hint: "program with arguments on the server: gets each message as JSON on its standard input", blank: "no program"}).with(model.JoinCommand(set.NotifyCommand)),
		(&field{key: "notify_per_hour", label: "told an hour", hint: "messages at most; empty is 10", blank: "10"}).with(number(set.NotifyPerHour)),
		(&field{key: "notify_patience_seconds", label: "told after", hint: "seconds of something being wrong; empty is 120", blank: "120"}).with(number(set.NotifyPatience)),
	}
}

// lines are those that semicolons separate.
func lines(text string) []string {
	var all []string
	for line := range strings.SplitSeq(text, ";") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func fillSettings(set *model.Settings, v values) error {
	n := numbers{ref: model.SettingsRef, v: v}
	// Lists that are the same stay what they are, so that nothing has changed.
	keep := func(old *[]string, now []string) {
		if !slices.Equal(*old, now) {
			*old = now
		}
	}
	keep(&set.SSHKeys, lines(v["ssh_keys"]))
	keep(&set.UserCA, lines(v["user_ca"]))
	keep(&set.Revoked, split(v["revoked"]))
	keep(&set.DNS, split(v["dns"]))
	keep(&set.Search, split(v["search"]))
	keep(&set.Packages, split(v["packages"]))
	command, err := model.SplitCommand(v["notify_command"])
	n.blame("notify_command", err)
	keep(&set.NotifyCommand, command)
	for _, secret := range model.NotifySecrets() {
		n.blame(secret, model.CheckNotify(secret, secretOf(v[secret])))
	}
	set.Locale, set.Hosts = v["locale"], v["hosts"] == "yes"
	set.GuestUser, set.Timezone, set.Gateway, set.SaltMaster, set.Currency = v["guest_user"], v["timezone"], v["gateway"], v["salt_master"], v["currency"]
	set.GuestGraceSeconds = n.read("guest_grace_seconds", strconv.Atoi, "must be a number of seconds")
	set.PowerGraceSeconds = n.read("power_grace_seconds", strconv.Atoi, "must be a number of seconds")
	set.RestorePower = v["restore_power"] == "yes"
	set.NotifyPerHour = n.read("notify_per_hour", strconv.Atoi, "must be a number of messages")
	set.NotifyPatience = n.read("notify_patience_seconds", strconv.Atoi, "must be a number of seconds")
	price, err := strconv.ParseFloat(strings.Replace(cmp.Or(v["price_kwh"], "0"), ",", ".", 1), 64)
	if err != nil {
		n.errs = append(n.errs, &model.FieldError{Ref: n.ref, Field: "price_kwh", Value: v["price_kwh"], Rule: "must be a number such as 0.31"})
	}
	set.PriceKWh = price
	return joined(n.errs)
}
