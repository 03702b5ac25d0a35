package command

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func outlets(s *session) noun[model.Outlet] {
	return noun[model.Outlet]{
		s: s, kind: model.KindOutlet, word: "outlet", plural: "outlets",
		all:    func(st *model.State) map[string]model.Outlet { return st.Outlets },
		name:   func(o *model.Outlet) *string { return &o.Name },
		fresh:  func(name string) model.Outlet { return model.Outlet{Name: name, Driver: model.DriverHTTP} },
		fields: outletFields,
		json: func(st *model.State, o model.Outlet) any {
			return outletJSON{withoutSecrets(o), feeds(st, o.Name), s.outletStatus(o.Name)}
		},
		header: []string{"name", "state", "since", "feeds", "groups", "requires", "driver", "essential"},
		row: func(st *model.State, o model.Outlet) []cell {
			status := s.outletStatus(o.Name)
			return []cell{
				{text: o.Name},
				outletCell(status),
				{text: s.age(status.Since)},
				{text: strings.Join(feeds(st, o.Name), ",")},
				{text: strings.Join(o.Groups, ",")},
				{text: strings.Join(o.Requires, ",")},
				{text: o.Driver},
				{text: yesNo(o.Essential)},
			}
		},
		detail: func(st *model.State, o model.Outlet) []pair { return outletDetail(s, st, o) },
	}
}

func outletFields(f *fields[model.Outlet]) {
	f.text("driver", "http or simulated", func(o *model.Outlet) *string { return &o.Driver })
	f.list("group", "groups that it belongs to, such as computers", func(o *model.Outlet) *[]string { return &o.Groups })
	f.list("requires", "outlets that must be on before it", func(o *model.Outlet) *[]string { return &o.Requires })
	f.truth("essential", "it carries the server or the way to it: left out of --all", func(o *model.Outlet) *bool { return &o.Essential })
	f.text("method", "HTTP method of on and off; empty is GET", func(o *model.Outlet) *string { return &o.HTTP.Method })
	f.text("on-url", "asked to switch on", func(o *model.Outlet) *string { return &o.HTTP.OnURL })
	f.text("off-url", "asked to switch off", func(o *model.Outlet) *string { return &o.HTTP.OffURL })
	f.text("on-body", "sent to switch on", func(o *model.Outlet) *string { return &o.HTTP.OnBody })
	f.text("off-body", "sent to switch off", func(o *model.Outlet) *string { return &o.HTTP.OffBody })
	f.text("status-url", "asked for its state; empty: it cannot be asked", func(o *model.Outlet) *string { return &o.HTTP.StatusURL })
	f.text("on-match", "regular expression of a status that is on", func(o *model.Outlet) *string { return &o.HTTP.OnMatch })
	f.text("off-match", "regular expression of a status that is off", func(o *model.Outlet) *string { return &o.HTTP.OffMatch })
	f.choices("driver", model.DriverHTTP, model.DriverSimulated)
	f.choices("method", "GET", "POST", "PUT")
	f.suggest("requires", model.KindOutlet)
}

func outletCell(st model.OutletStatus) cell {
	c := powerCell(st.State)
	if st.Assumed {
		c.text += " (assumed)"
	}
	if st.Error != "" {
		c = cell{c.text + ", fails", red}
	}
	return c
}

func outletDetail(s *session, st *model.State, o model.Outlet) []pair {
	status := s.outletStatus(o.Name)
	o = withoutSecrets(o)
	pairs := []pair{
		{"name", cell{text: o.Name}},
		{"state", outletCell(status)},
		{"since", cell{text: s.age(status.Since)}},
		{"observed", cell{text: s.age(status.Observed)}},
	}
	if status.Error != "" {
		pairs = append(pairs, pair{"error", cell{status.Error, red}})
	}
	pairs = append(pairs,
		pair{"feeds", cell{text: or(andList(feeds(st, o.Name)), "no hypervisor")}},
		pair{"groups", cell{text: or(strings.Join(o.Groups, ", "), "none")}},
		pair{"requires", cell{text: or(strings.Join(o.Requires, ", "), "none")}},
		pair{"essential", cell{text: yesNo(o.Essential)}},
		pair{"driver", cell{text: o.Driver}},
	)
	if o.Driver == model.DriverHTTP {
		pairs = append(pairs,
			pair{"on", cell{text: or(o.HTTP.Method, "GET") + " " + o.HTTP.OnURL}},
			pair{"off", cell{text: or(o.HTTP.Method, "GET") + " " + o.HTTP.OffURL}},
			pair{"status", cell{text: or(o.HTTP.StatusURL, "cannot be asked")}},
		)
	}
	return append(pairs, pair{"changed", plainCell("%s, in revision %d", s.age(o.Changed), o.Version)})
}

const hidden = "***"

// withoutSecrets hides what lets one switch the device behind our back: tokens
// in its URLs (which hold no password) and what is sent to it.
func withoutSecrets(o model.Outlet) model.Outlet {
	for _, at := range []*string{&o.HTTP.OnURL, &o.HTTP.OffURL, &o.HTTP.StatusURL} {
		*at = hideURL(*at)
	}
	for _, at := range []*string{&o.HTTP.OnBody, &o.HTTP.OffBody} {
		if *at != "" {
			*at = hidden
		}
	}
	return o
}

// secretWords in the name of a URL's parameter say that its value is one.
var secretWords = []string{"pass", "pw", "token", "key", "secret", "auth"}

func hideURL(text string) string {
	if !strings.Contains(text, "?") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return hidden
	}
	parts := strings.Split(u.RawQuery, "&")
	for i, part := range parts {
		name, _, has := strings.Cut(part, "=")
		if has && slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(strings.ToLower(name), w) }) {
			parts[i] = name + "=" + hidden
		}
	}
	u.RawQuery = strings.Join(parts, "&")
	return u.String()
}

func outletCommand(s *session) *cobra.Command {
	n := outlets(s)
	return parent(
		&cobra.Command{Use: "outlet", Aliases: []string{"outlets"}, Short: "What switches power: smart plugs and the like"},
		n.list(), n.show(),
		n.add("outlet add lamp --driver simulated\noutlet add rack --group computers --on-url http://192.168.1.7/on --off-url http://192.168.1.7/off --status-url http://192.168.1.7/ --on-match '\"on\"' --off-match '\"off\"'",
			"Add an outlet: anything that switches power over HTTP, or a simulated one. Hypervisors name the outlets that feed them: hypervisor edit NAME --outlet …"),
		n.edit("outlet edit rack --requires switch"),
		n.remove("Remove outlets that no hypervisor and no other outlet names."),
		switchOutlet(s, true), switchOutlet(s, false),
	)
}

func switchOutlet(s *session, on bool) *cobra.Command {
	word := onOff(on)
	cmd := &cobra.Command{
		Use:               word + " NAME…",
		Short:             "Switch outlets " + word,
		Example:           "outlet " + word + " rack",
		Args:              some("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindOutlet, true),
	}
	var yes, force bool
	if on {
		cmd.Long = "Switch outlets on, after those that they require. It ends when the devices have answered."
	} else {
		cmd.Long = `Switch outlets off. It ends when the devices have answered. One that feeds a
machine that is up is not switched off unless --force is given; power off NAME
shuts the machine down first.`
		cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, go on")
		cmd.Flags().BoolVar(&force, "force", false, "cut the power even of a machine that is up")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		if err := s.mustExist(model.KindOutlet, names...); err != nil {
			return err
		}
		if !on {
			if err := s.confirm(cmd.Context(), s.cutting(names, force), yes); err != nil {
				return err
			}
		}
		return s.switchAll(cmd.Context(), names, on, force, s.sayf)
	}
	return cmd
}

// cutting says what switching these outlets off cuts at once.
func (s *session) cutting(names []string, force bool) question {
	var q question
	st := s.state()
	for _, name := range names {
		if st.Outlets[name].Essential {
			q.damage = append(q.damage, fmt.Sprintf("%s is essential: it carries this server or the way to it, and off may mean for good", name))
			q.word = name
		}
		if !force {
			continue
		}
		for _, h := range feeds(st, name) {
			if status := s.hypervisorStatus(h); up(status) {
				q.damage = append(q.damage, fmt.Sprintf("%s cuts the power of %s while it is up, with %s running: what they have not written is lost",
					name, h, count(status.RunningGuests(), "guest", "guests")))
				q.word = name
			}
		}
	}
	return q
}

// switchAll switches outlets in the order of what they require.
func (s *session) switchAll(ctx context.Context, names []string, on, force bool, say func(string, ...any)) error {
	names = s.byRequirement(names)
	if !on {
		slices.Reverse(names)
	}
	return s.eachOf(names, func(name string) error {
		if err := s.lab.SwitchOutlet(ctx, name, on, force); err != nil {
			return err
		}
		say("outlet %s is %s", clean(name), s.paint(powerCell(power(on)).colour, onOff(on)))
		return nil
	})
}

// byRequirement puts outlets after those that they require.
func (s *session) byRequirement(names []string) []string {
	st := s.state()
	var ordered []string
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, r := range st.Outlets[name].Requires {
			visit(r)
		}
		if slices.Contains(names, name) {
			ordered = append(ordered, name)
		}
	}
	for _, name := range names {
		visit(name)
	}
	return ordered
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func power(on bool) model.Power {
	if on {
		return model.PowerOn
	}
	return model.PowerOff
}
