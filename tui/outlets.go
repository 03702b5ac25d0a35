package tui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// outlets lists what switches power.
type outlets struct {
	list list
	name int
}

func (s *outlets) title() string { return "Outlets" }
func (s *outlets) rows() *list   { return &s.list }

func (s *outlets) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	keys := model.Names(a.cache.state.Outlets)
	search := make([]string, len(keys))
	for i, k := range keys {
		o := a.cache.state.Outlets[k]
		search[i] = fmt.Sprintf("name:%s state:%s group:%s feeds:%s", k, a.cache.status.Outlets[k].State,
			strings.Join(o.Groups, " group:"), strings.Join(a.cache.fedBy(k), " feeds:"))
	}
	s.list.set(keys, search)
	s.name = widest(keys, 8, 24)
	return nil
}

func (s *outlets) actions(a *app) []action {
	on := func(b binding, f func(a *app, o model.Outlet) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if name, ok := s.list.key(); ok {
				return f(a, a.cache.state.Outlets[name])
			}
			return nil
		}}
	}
	return []action{
		on(keyOutlet, switchOutlet),
		on(keyEdit, func(a *app, o model.Outlet) tea.Cmd { return a.open(newOutletForm(a, o.Name)) }),
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newOutletForm(a, "")) }},
		on(keyRemove, func(a *app, o model.Outlet) tea.Cmd {
			return a.propose(change{title: "Remove outlet " + o.Name, verb: "remove it", least: stops, edit: model.Remove[model.Outlet](o.Name)})
		}),
	}
}

func (s *outlets) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return []line{nil, text(inkText, "  No outlet yet."), nil, {{"  n", inkKey}, {" adds a smart plug, a BMC, or anything that HTTP can switch", inkDim}}}
	}
	cols := []column{
		{head: "OUTLET", w: s.name},
		{head: "STATE", w: 10},
		{head: "SINCE", w: 11, drop: 3},
		{head: "GROUPS", w: 12, drop: 4},
		{head: "REQUIRES", w: 10, drop: 5},
		{head: "FEEDS", w: 12, grow: true, drop: 1},
	}
	return s.list.draw(w, h, cols, func(i int) []line {
		o := a.cache.state.Outlets[s.list.keys[i]]
		st := a.cache.status.Outlets[o.Name]
		sign, word, colour := powerSign(st.State)
		if st.Assumed {
			word += "?"
		}
		feeds := text(inkText, orNone(strings.Join(a.cache.fedBy(o.Name), ", ")))
		if o.Essential {
			feeds = append(line{{"essential ", inkWarn}}, feeds...)
		}
		if st.Error != "" {
			feeds = append(line{{signWarn + " " + firstLine(st.Error) + " ", inkBad}}, feeds...)
		}
		return []line{
			text(inkName, o.Name),
			{{sign + " " + word, colour}},
			text(inkDim, age(a.now, st.Since)),
			text(inkDim, orNone(strings.Join(o.Groups, ","))),
			text(inkDim, orNone(strings.Join(o.Requires, ","))),
			feeds,
		}
	})
}

// switchOutlet switches an outlet; off is asked about, with all that it feeds.
func switchOutlet(a *app, o model.Outlet) tea.Cmd {
	on := a.cache.status.Outlets[o.Name].State != model.PowerOn
	if on {
		lines := []line{text(inkText, "It feeds "+orNothing(a.cache.fedBy(o.Name))+".")}
		if len(o.Requires) > 0 {
			lines = append(lines, text(inkDim, "It requires "+sentence(o.Requires)+"."))
		}
		a.overlay = &confirm{
			title: "Switch " + o.Name + " on?", level: stops, verb: "switch it on", lines: lines,
			do: func(a *app) tea.Cmd { return setOutlet(a, o.Name, true, false) },
		}
		return nil
	}
	lines, level := cutsOff(a.cache, o)
	a.overlay = &confirm{
		title: "Switch " + o.Name + " off?", level: level, verb: "cut the power", name: o.Name, lines: lines,
		do: func(a *app) tea.Cmd { return setOutlet(a, o.Name, false, level == loses) },
	}
	return nil
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no machine that is defined here"
	}
	return sentence(names)
}

// cutsOff says what loses power with an outlet, and how much that asks for.
func cutsOff(c *cache, o model.Outlet) ([]line, damage) {
	level := stops
	var lines []line
	for _, name := range c.fedBy(o.Name) {
		r, _ := c.hypervisor(name)
		up := c.runningOn(r)
		switch {
		case len(up) > 0:
			level = loses
			lines = append(lines, text(inkBad, fmt.Sprintf("%s is up with %s, which lose power without a shutdown: %s.", name, count(len(up), "running guest"), sentence(up))))
		case isUp(r.st):
			level = loses
			lines = append(lines, text(inkBad, name+" is up and loses power without a shutdown."))
		case r.st.Power == model.PowerOff:
			lines = append(lines, text(inkText, name+" is off already."))
		default:
			lines = append(lines, text(inkWarn, "Nobody knows whether "+name+" is up."))
		}
	}
	if level == loses {
		lines = append(lines, text(inkDim, "o on the hypervisor's screen shuts it down first, then cuts the power."))
	}
	if o.Essential {
		level = loses
		lines = append(lines, text(inkBad, "It is marked essential: it may carry this server, or the way to it."))
	}
	if len(lines) == 0 {
		lines = append(lines, text(inkText, "It feeds "+orNothing(nil)+"."))
	}
	return lines, level
}

func setOutlet(a *app, name string, on, force bool) tea.Cmd {
	what := name + " is " + map[bool]string{true: "on", false: "off"}[on]
	wait := a.say(inkBusy, signRun, "switching "+name+" …")
	return tea.Batch(wait, a.order(what, func(ctx context.Context) error {
		return a.lab.SwitchOutlet(ctx, name, on, force)
	}))
}
