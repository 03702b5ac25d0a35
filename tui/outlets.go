package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// outlets lists what switches power, by group.
type outlets struct {
	list   list
	groups []string // of each row
	name   int      // columns of the widest, as of the others
	group  int
	needs  int
}

func (s *outlets) title() string { return "Outlets" }
func (s *outlets) rows() *list   { return &s.list }

func (s *outlets) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	keys := model.Names(a.cache.state.Outlets)
	slices.SortStableFunc(keys, func(x, y string) int { return strings.Compare(groupOf(a, x), groupOf(a, y)) })
	search, needs := make([]string, len(keys)), make([]string, len(keys))
	s.groups = make([]string, len(keys))
	for i, k := range keys {
		o := a.cache.state.Outlets[k]
		needs[i] = strings.Join(o.Requires, ",")
		s.groups[i] = strings.TrimPrefix(groupOf(a, k), lastGroup)
		search[i] = fmt.Sprintf("name:%s state:%s group:%s feeds:%s", k, a.cache.status.Outlets[k].State,
			strings.Join(o.Groups, " group:"), strings.Join(a.cache.fedBy(k), " feeds:"))
	}
	s.list.set(keys, search)
	s.name, s.group, s.needs = widest(keys, 8, 24), widest(s.groups, 5, 14), widest(needs, 8, 40)
	return nil
}

// lastGroup sorts outlets of no group behind the others.
const lastGroup = "\U0010ffff"

// groupOf is the group that an outlet is listed in: its first.
func groupOf(a *app, name string) string {
	if g := a.cache.state.Outlets[name].Groups; len(g) > 0 {
		return g[0]
	}
	return lastGroup
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
		on(keyOn, switchOn), on(keyOff, switchOff), on(keyCycle, cycleOutlet),
		on(keyWattsRow, func(a *app, o model.Outlet) tea.Cmd { return openPlot(a, model.KindOutlet, o.Name) }),
		on(keyEdit, func(a *app, o model.Outlet) tea.Cmd { return a.open(newOutletForm(a, o.Name)) }),
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newOutletForm(a, "")) }},
		on(keyRemove, func(a *app, o model.Outlet) tea.Cmd {
			return a.propose(change{title: "Remove outlet " + o.Name, verb: "remove it", least: stops, edit: model.Remove[model.Outlet](o.Name)})
		}),
		{binding: keyWattsAll, do: func(a *app) tea.Cmd { return openPlot(a, "", "") }},
		{binding: keyAllOff, do: allOff},
	}
}

func (s *outlets) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No outlet yet.", "adds a smart plug, a BMC, or anything that HTTP can switch", w)
	}
	foot := s.foot(a, w, h)
	body := h - len(foot)
	cols := []column{
		{head: "GROUP", w: s.group, drop: 4},
		{head: "OUTLET", w: s.name},
		{head: "STATE", w: 10},
		{head: "SINCE", w: 11, drop: 5},
		{head: "WATTS", w: 7, drop: 2, right: true},
		{head: "LAST HOUR", w: 12, drop: 3, unsortable: true},
		{head: "REQUIRES", w: 10, most: s.needs, drop: 6},
		{head: "FEEDS", w: 12, grow: true, drop: 1},
	}
	if w >= wide {
		cols[5].w = 20
	}
	ws := layout(cols, w-3)
	table := s.list.draw(w, body, cols, func(i int) []line { return s.cells(a, i, ws) })
	for len(table) < body && len(foot) > 0 {
		table = append(table, nil)
	}
	return append(table, foot...)
}

func (s *outlets) cells(a *app, i int, ws []int) []line {
	o := a.cache.state.Outlets[s.list.keys[i]]
	st := a.cache.status.Outlets[o.Name]
	sign, word, colour := powerSign(st.State)
	if st.Assumed {
		word += "?"
	}
	group := line(nil)
	if n := slices.Index(s.list.shown, i); n <= s.list.top || s.groups[s.list.shown[n-1]] != s.groups[i] {
		group = text(inkHead, orNone(s.groups[i]))
	}
	return []line{
		group,
		text(inkName, o.Name),
		{{sign + " " + word, colour}},
		text(inkDim, age(a.now, st.Since)),
		text(inkText, wattsOf(st.Watts)),
		spark(a.cache.status.Meters[o.Name].Recent, ws[5]),
		text(inkDim, orNone(strings.Join(o.Requires, ","))),
		feeding(a, o, st),
	}
}

// stale is how old an answer may be before its age is said.
const stale = time.Minute

// feeding is what an outlet feeds, and before it what is to be known first.
func feeding(a *app, o model.Outlet, st model.OutletStatus) line {
	var l line
	if st.Error != "" {
		l = append(l, span{signWarn + " " + firstLine(st.Error) + " ", inkBad})
	}
	if !st.Observed.IsZero() && a.now.Sub(st.Observed) >= stale && !st.Assumed {
		l = append(l, span{signUnknown + " as of " + age(a.now, st.Observed) + " ", inkWarn})
	}
	if o.Essential {
		l = append(l, span{"essential ", inkWarn})
	}
	return append(l, span{orNone(strings.Join(a.cache.fedBy(o.Name), ", ")), inkText})
}

// foot is what is under the outlets: the sequences that run, else what all of
// them draw.
func (s *outlets) foot(a *app, w, h int) []line {
	room := min(h/2, 12)
	if h < 12 {
		room = 1
	}
	if running := a.cache.sequences(a.now, room); len(running) > 0 {
		if h < 12 {
			return running
		}
		return append([]line{rule("", w+1, "", inkRule)}, running...)
	}
	u := a.cache.state.Usage(a.cache.status)
	if u.Watts == nil && !u.Metered {
		return nil
	}
	parts := []line{{{"  all together ", inkDim}, {wattsOf(u.Watts) + either(u.Part, "+", ""), inkName}}}
	if u.Metered {
		parts = append(parts, text(inkDim, "  today "+energy(u.TodayWh)))
		if cost := money(a.cache.state.Settings, u.TodayWh); cost != "" {
			parts = append(parts, text(inkDim, ", "+cost))
		}
	}
	if u.Part {
		parts = append(parts, text(inkDim, "  + some outlets do not measure"))
	}
	return []line{fill(w, parts...)}
}

// switchOn switches an outlet on, after what it requires: nothing is lost by it.
func switchOn(a *app, o model.Outlet) tea.Cmd {
	lines := []line{text(inkText, "It feeds "+orNothing(a.cache.fedBy(o.Name))+".")}
	if len(o.Requires) > 0 {
		lines = append(lines, text(inkDim, "It requires "+sentence(o.Requires)+", which is switched on first."))
	}
	a.overlay = &confirm{
		title: "Switch " + o.Name + " on?", level: stops, verb: "switch it on", lines: lines,
		do: func(a *app) tea.Cmd { return setOutlet(a, o.Name, true, false) },
	}
	return nil
}

// switchOff asks, with all that loses power.
func switchOff(a *app, o model.Outlet) tea.Cmd {
	lines, level := cutsOff(a.cache, o)
	a.overlay = &confirm{
		title: "Switch " + o.Name + " off?", level: level, verb: "cut the power", name: o.Name, lines: lines,
		do: func(a *app) tea.Cmd { return setOutlet(a, o.Name, false, level == loses) },
	}
	return nil
}

// cycleOutlet asks, with all that loses power for a moment.
func cycleOutlet(a *app, o model.Outlet) tea.Cmd {
	lines, level := cutsOff(a.cache, o)
	lines = append(lines, text(inkDim, "It gets its power back after a moment."))
	a.overlay = &confirm{
		title: "Power-cycle " + o.Name + "?", level: level, verb: "cut the power for a moment", name: o.Name, lines: lines,
		do: func(a *app) tea.Cmd {
			wait := a.say(inkBusy, signRun, "cycling "+o.Name+" …")
			return tea.Batch(wait, a.order(o.Name+" was off and is on again", func(ctx context.Context) error {
				return a.lab.CycleOutlet(ctx, o.Name, level == loses)
			}))
		},
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
			lines = append(lines, text(inkBad, fmt.Sprintf("%s is up with %s, which %s power without a shutdown: %s.", name, count(len(up), "running guest"), plural(len(up), "loses", "lose"), sentence(up))))
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
	lines = append(lines, sharesLost(c, []string{o.Name}, nil)...)
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
