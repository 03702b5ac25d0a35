package tui

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// settings are the lab's, to be read and edited.
type settings struct {
	reel
	told []string // the names of their secrets that are set
}

func (s *settings) title() string { return "Settings" }

func (s *settings) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	if _, changed := dirty[model.SettingsRef]; dirty != nil && !changed {
		return nil
	}
	return a.async(func(context.Context) done {
		told := a.lab.NotifySet()
		return func(*app) tea.Cmd {
			s.told = told
			return nil
		}
	})
}

func (s *settings) actions(*app) []action {
	edit := keyEdit
	edit.keys, edit.show = []string{"enter", "e"}, "e"
	return []action{
		{binding: edit, do: func(a *app) tea.Cmd { return a.open(newSettingsForm(a, s.told)) }},
		{binding: keyScroll},
	}
}

func (s *settings) draw(a *app, w, h int) []line {
	return indented(s.show(settingLines(a, s.told, w-1), h))
}

// settingLines are the settings by what they are about.
func settingLines(a *app, told []string, w int) []line {
	set := a.cache.state.Settings
	p := &page{w: w, label: 15}
	p.head("GUESTS")
	p.or("user", set.GuestUser, "none")
	p.or("time zone", set.Timezone, "the image's")
	p.or("locale", set.Locale, "the image's")
	p.or("packages", strings.Join(set.Packages, ", "), "none")
	p.or("hosts", either(set.Hosts, "guests know those with a static address by name", "guests know only themselves by name"), "")
	p.or("gateway", set.Gateway, "the first address of a VM's network")
	p.or("DNS", strings.Join(set.DNS, ", "), "none")
	p.or("search", strings.Join(set.Search, ", "), "none")
	p.or("Salt master", set.SaltMaster, "none")
	if len(set.SSHKeys) == 0 {
		p.say("keys", signWarn+" none: nobody can log in to a guest", inkWarn)
	}
	p.keys("keys", set.SSHKeys)
	price := ""
	if set.PriceKWh > 0 {
		price = strings.TrimSpace(strconv.FormatFloat(set.PriceKWh, 'f', -1, 64) + " " + set.Currency)
	}
	p.head("POWER")
	p.or("price per kWh", price, "unknown: what the lab costs is not shown")
	p.or("guest grace", strconv.Itoa(cmp.Or(set.GuestGraceSeconds, 30))+" s for a guest to shut down", "")
	p.or("machine grace", strconv.Itoa(cmp.Or(set.PowerGraceSeconds, 30))+" s for a machine to be off, where nothing tells", "")
	p.or("after a start", either(set.RestorePower, "what is wanted on is switched on", "power is left as it is"), "")
	p.head("TELLING PEOPLE")
	p.or("by", strings.Join(toldBy(set, told), ", "), "nothing: e sets where messages go")
	p.or("at most", strconv.Itoa(cmp.Or(set.NotifyPerHour, model.NotifyPerHour))+" messages an hour", "")
	p.or("after", strconv.Itoa(cmp.Or(set.NotifyPatience, model.NotifyPatience))+" s of something being wrong", "")
	p.head("CERTIFICATES")
	if len(set.UserCA) == 0 {
		p.or("let in by", "", "none: people connect with keys of their own")
	}
	p.keys("let in by", set.UserCA)
	p.or("revoked", strings.Join(set.Revoked, ", "), "none")
	if set.Version > 0 {
		p.lines = append(p.lines, nil, text(inkDim, "changed "+age(a.now, set.Changed)+", revision "+strconv.FormatUint(set.Version, 10)))
	}
	return p.lines
}

// toldBy are the ways by which people are told; where they lead is secret.
func toldBy(set model.Settings, told []string) []string {
	var by []string
	if slices.Contains(told, model.SecretNtfy) {
		by = append(by, "ntfy")
	}
	if slices.Contains(told, model.SecretWebhook) {
		by = append(by, "webhook")
	}
	if len(set.NotifyCommand) > 0 {
		by = append(by, "command "+model.JoinCommand(set.NotifyCommand))
	}
	return by
}

func indented(lines []line) []line {
	out := make([]line, len(lines))
	for i, l := range lines {
		out[i] = append(line{{" ", inkText}}, l...)
	}
	return out
}

// page is text of labels and their values under headings.
type page struct {
	w, label int // columns of the whole, and of a label
	lines    []line
}

func (p *page) head(s string) {
	if len(p.lines) > 0 {
		p.lines = append(p.lines, nil)
	}
	p.lines = append(p.lines, text(inkHead, s))
}

// say says a value whole, in as many lines as it needs.
func (p *page) say(label, value string, i ink) {
	for _, l := range wrap(value, p.w-p.label) {
		p.lines = append(p.lines, append(text(inkDim, label).fit(p.label), span{l, i}))
		label = ""
	}
}

// or says a value, or quietly what none means.
func (p *page) or(label, value, none string) {
	p.say(label, either(value == "", none, value), either(value == "", inkDim, inkText))
}

// keys says public keys by their comments and fingerprints.
func (p *page) keys(label string, lines []string) {
	for i, key := range lines {
		if _, print, comment, err := model.ParseKey(key); err == nil {
			key = strings.TrimSpace(comment + " " + print)
		}
		p.or(either(i == 0, label, ""), key, "")
	}
}
