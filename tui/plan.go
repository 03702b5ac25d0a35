package tui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// planScreen is the plan of a run as a diff: what each step changes, before and
// after.
type planScreen struct {
	reel
	of *runScreen
}

func (s *planScreen) title() string { return "Plan" }

func (s *planScreen) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	return s.of.refresh(a, dirty)
}

func (s *planScreen) actions(*app) []action {
	r := &s.of.run
	return []action{
		action{binding: keyApprove, do: func(a *app) tea.Cmd { return approve(a, r) }}.only(r.State == model.RunWaiting),
		action{binding: keyCancel, do: func(a *app) tea.Cmd { return cancelRun(a, r) }}.only(s.of.known && !r.State.Ended()),
		{binding: keyScroll},
	}
}

func (s *planScreen) draw(a *app, w, h int) []line {
	if !s.of.known {
		return s.of.draw(a, w, h)
	}
	out := s.of.summary(a, w)
	out = append(out[:min(len(out), 2)], nil)
	return append(out, s.show(planLines(s.of.run, w), h-len(out))...)
}

// actionWord is how a step's action is shown: terraform's sign, and a word.
func actionWord(action string) (sign, word string, colour ink) {
	switch action {
	case "create":
		return "+", "is made", inkGood
	case "update":
		return "~", "is changed", inkWarn
	case "replace":
		return "±", "is made anew", inkBad
	case "delete":
		return "−", "is removed", inkBad
	}
	return signNone, action, inkDim
}

// planLines are the steps of a run, each with the attributes that it changes.
func planLines(r model.Run, w int) []line {
	steps := slices.DeleteFunc(slices.Clone(r.Resources), func(res model.Resource) bool { return res.Action == model.ActionFetch })
	if len(steps) == 0 {
		return []line{text(inkDim, " no plan yet")}
	}
	path := 12
	for _, res := range steps {
		for _, c := range res.Changes {
			path = max(path, width(clean(c.Path)))
		}
	}
	path = min(path, max(w*2/5, 12)) + 1
	var out []line
	for _, res := range steps {
		sign, word, colour := actionWord(res.Action)
		label := res.Label
		if label == "" {
			label = res.Address
		}
		out = append(out, spread(line{{" " + sign + " ", colour}, {label, inkName}, {" " + word, colour}}, text(inkDim, res.Address+" "), w))
		for _, c := range res.Changes {
			out = append(out, changeLines(c, res.Action, path, w)...)
		}
		if n := len(res.Changes); n == model.MaxChanges {
			out = append(out, text(inkDim, fmt.Sprintf("     the first %d attributes", n)))
		}
		if len(res.Changes) > 0 {
			out = append(out, nil)
		}
	}
	return out
}

// changeLines are one attribute, before and after: in a line where that has room,
// else whole under its name.
func changeLines(c model.AttributeChange, action string, path, w int) []line {
	name := append(text(inkDim, "     "), text(inkText, c.Path).fit(max(path, width(clean(c.Path))+1))...)
	var forces line
	if c.Forces {
		forces = text(inkBad, "  "+signWarn+" forces it to be made anew")
	}
	made := action == "create" && c.Before == ""
	values := line{{orNone(c.Before), inkBad}, {" → ", inkDim}, {orNone(c.After), inkGood}}
	switch {
	case made:
		values = text(inkGood, c.After)
	case c.Before == c.After:
		values = text(inkWarn, "changes, "+c.After) // what is secret is not shown
	}
	if name.size()+values.size()+forces.size() <= w {
		return []line{append(append(name, values...), forces...)}
	}
	out := []line{append(name, forces...)}
	below := func(sign string, i ink, s string) {
		for n, l := range wrap(s, w-10) {
			out = append(out, line{{"       " + either(n == 0, sign, " ") + " ", i}, {l, i}})
		}
	}
	switch {
	case made:
		below("+", inkGood, c.After)
	case c.Before == c.After:
		below("~", inkWarn, "changes, "+c.After)
	default:
		below("−", inkBad, orNone(c.Before))
		below("+", inkGood, orNone(c.After))
	}
	return out
}
