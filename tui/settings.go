package tui

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// settings are the lab's, to be read and edited.
type settings struct{ top, page, end int }

func (s *settings) title() string                                { return "Settings" }
func (s *settings) refresh(*app, map[model.Ref]struct{}) tea.Cmd { return nil }
func (s *settings) scroll(k tea.KeyPressMsg) bool                { return scrolled(&s.top, s.page, s.end, k) }

func (s *settings) actions(*app) []action {
	edit := keyEdit
	edit.keys, edit.show = []string{"enter", "e"}, "e"
	return []action{
		{binding: edit, do: func(a *app) tea.Cmd { return a.open(newSettingsForm(a)) }},
		{binding: keyScroll},
	}
}

func (s *settings) draw(a *app, w, h int) []line {
	body := settingLines(a, w)
	s.page, s.end = max(h-1, 1), max(len(body)-h, 0)
	s.top = min(s.top, s.end)
	return body[s.top:min(s.top+h, len(body))]
}

func settingLines(a *app, w int) []line {
	set := a.cache.state.Settings
	head := func(s string) line { return text(inkHead, " "+s) }
	one := func(label, value, none string) line {
		colour := inkText
		if value == "" {
			value, colour = none, inkDim
		}
		return append(text(inkDim, " "+label).fit(16), span{value, colour})
	}
	out := []line{
		head("GUESTS"),
		one("user", set.GuestUser, ""), one("time zone", set.Timezone, "the image's"),
		one("locale", set.Locale, "the image's"), one("packages", strings.Join(set.Packages, ", "), "none"),
		one("hosts", either(set.Hosts, "guests know those with a static address by name", "guests know only themselves by name"), ""),
		one("gateway", set.Gateway, "the first address of a VM's network"),
		one("DNS", strings.Join(set.DNS, ", "), "none"), one("search", strings.Join(set.Search, ", "), "none"),
		one("Salt master", set.SaltMaster, "none"),
	}
	keys := func(label string, lines []string) {
		for i, key := range lines {
			if _, print, comment, err := model.ParseKey(key); err == nil {
				key = strings.TrimSpace(comment + " " + print)
			}
			out = append(out, one(either(i == 0, label, ""), key, ""))
		}
	}
	keys("keys", set.SSHKeys)
	if len(set.SSHKeys) == 0 {
		out = append(out, append(text(inkDim, " keys").fit(16), span{signWarn + " none: nobody can log in to a guest", inkWarn}))
	}
	price := ""
	if set.PriceKWh > 0 {
		price = strings.TrimSpace(strconv.FormatFloat(set.PriceKWh, 'f', -1, 64) + " " + set.Currency)
	}
	out = append(out, nil, head("POWER"),
		one("price per kWh", price, "unknown: what the lab costs is not shown"),
		one("guest grace", strconv.Itoa(cmp.Or(set.GuestGraceSeconds, 30))+" s for a guest to shut down", ""),
		one("machine grace", strconv.Itoa(cmp.Or(set.PowerGraceSeconds, 30))+" s for a machine to be off, where nothing tells", ""),
		one("after a start", either(set.RestorePower, "what is wanted on is switched on", "power is left as it is"), ""),
		nil, head("TELLING PEOPLE"),
		one("command", strings.Join(set.NotifyCommand, " "), "none"),
		one("at most", strconv.Itoa(cmp.Or(set.NotifyPerHour, 10))+" messages an hour", ""),
		one("after", strconv.Itoa(cmp.Or(set.NotifyPatience, model.NotifyPatience))+" s of something being wrong", ""),
		text(inkDim, "                settings notify says where messages go"),
		nil, head("CERTIFICATES"))
	keys("let in by", set.UserCA)
	if len(set.UserCA) == 0 {
		out = append(out, one("let in by", "", "none: people connect with keys of their own"))
	}
	out = append(out, one("revoked", strings.Join(set.Revoked, ", "), "none"))
	if set.Version > 0 {
		out = append(out, nil, text(inkDim, " changed "+age(a.now, set.Changed)+", revision "+strconv.FormatUint(set.Version, 10)))
	}
	return out
}

// newSettingsForm edits the lab's settings.
func newSettingsForm(a *app) *form {
	ref := model.Ref{Kind: model.KindSettings, Name: string(model.KindSettings)}
	return newForm(a, &form{
		ref: ref, verb: "edit settings",
		load: func(s *model.State) ([]*field, uint64, bool) { return settingFields(s), s.Settings.Version, true },
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
		(&field{key: "notify_per_hour", label: "told an hour", hint: "messages at most; empty is 10", blank: "10"}).with(number(set.NotifyPerHour)),
		(&field{key: "notify_patience_seconds", label: "told after", hint: "seconds of something being wrong; empty is 120", blank: "120"}).with(number(set.NotifyPatience)),
		(&field{key: "user_ca", label: "user CAs", hint: "keys whose certificates let users in, separated by semicolons", blank: "none"}).with(strings.Join(set.UserCA, "; ")),
		(&field{key: "revoked", label: "revoked", hint: "certificates: serial:N, id:KEY-ID or a fingerprint, separated by commas", blank: "none"}).with(strings.Join(set.Revoked, ", ")),
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
	n := numbers{ref: model.Ref{Kind: model.KindSettings, Name: string(model.KindSettings)}, v: v}
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
