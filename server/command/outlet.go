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
		fields: outletFields, prepare: chooseDriver, secret: noteSecrets,
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
	driver := f.cmd.Flags().String("driver", "", "what it is: "+orList(model.Drivers())+"; found out from --address where it is left away")
	f.on("driver", func(o *model.Outlet) { o.SetDriver(*driver) })
	f.list("group", "groups that it belongs to, such as computers", func(o *model.Outlet) *[]string { return &o.Groups })
	f.list("requires", "outlets that must be on before it", func(o *model.Outlet) *[]string { return &o.Requires })
	f.truth("essential", "it carries the server or the way to it: left out of --all", func(o *model.Outlet) *bool { return &o.Essential })
	f.number("delay-seconds", "pause after it is switched, before the next one is: many at once trip a fuse", func(o *model.Outlet) *int { return &o.DelaySeconds })
	f.amount("idle-watts", "what it feeds counts as off when its meter says less", func(o *model.Outlet) *float64 { return &o.IdleWatts })
	f.choices("driver", model.Drivers()...)
	deviceFlags(f)
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
	pairs = append(pairs, s.devicePairs(o)...)
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
	o.HTTP.Headers = slices.Clone(o.HTTP.Headers)
	for i, line := range o.HTTP.Headers {
		if name, value, _ := strings.Cut(line, ":"); isSecret(name) && !strings.Contains(value, "{") {
			o.HTTP.Headers[i] = name + ": " + hidden
		}
	}
	return o
}

func isSecret(name string) bool {
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(strings.ToLower(name), w) })
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
		name, value, has := strings.Cut(part, "=")
		if has && isSecret(name) && !strings.HasPrefix(value, "{") {
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
		n.add("outlet add lamp --driver simulated\noutlet add plug --address 192.168.1.30 --password -\noutlet add rack --group computers --on-url http://192.168.1.7/on --off-url http://192.168.1.7/off --status-url http://192.168.1.7/ --on-match '\"on\"' --off-match '\"off\"'",
			`Add an outlet: anything that switches power. With --address and without --driver
it is found out what answers there. A device's password never stands in the command:
--password - asks for it, or reads it from standard input. Hypervisors name the
outlets that feed them: hypervisor edit NAME --outlet …`),
		n.edit("outlet edit rack --requires switch"),
		n.remove("Remove outlets that no hypervisor and no other outlet names."),
		switchOutlet(s, true), switchOutlet(s, false), cycleOutlet(s), testOutlet(s), discoverOutlets(s),
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
		q.damage = append(q.damage, st.SharesLost(s.lab.Status(), []string{name}, nil)...)
		if !force {
			continue
		}
		for _, h := range feeds(st, name) {
			if status := s.hypervisorStatus(h); up(status) {
				q.damage = append(q.damage, fmt.Sprintf("%s would cut the power of %s while it is up, with %s running: what they have not written would be lost",
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
