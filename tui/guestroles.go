package tui

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// guestRoles lists the roles of VMs: what their guests have beside what all
// have.
type guestRoles struct {
	list list
	seen *model.State
	name int
}

func (s *guestRoles) title() string { return "Roles" }
func (s *guestRoles) rows() *list   { return &s.list }

func (s *guestRoles) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen != a.cache.state {
		s.seen = a.cache.state
		names := roleNames(s.seen)
		s.list.set(names, nil)
		s.name = widest(names, 10, 32)
	}
	return nil
}

// roleNames are those that have something of their own and those that VMs bear.
func roleNames(s *model.State) []string {
	names := model.Names(s.Roles)
	for _, vm := range s.VMs {
		if vm.Role != "" && !slices.Contains(names, vm.Role) {
			names = append(names, vm.Role)
		}
	}
	slices.Sort(names)
	return names
}

func (s *guestRoles) actions(a *app) []action {
	name, ok := s.list.key()
	_, own := a.cache.state.Roles[name]
	remove := keyRemove
	remove.long = "take away what its guests have; VMs keep the label; asks"
	return []action{
		{binding: keyOpenForm(), do: func(a *app) tea.Cmd {
			if name, ok := s.list.key(); ok {
				return a.open(newRoleForm(a, name))
			}
			return nil
		}},
		{binding: keyNew, do: func(a *app) tea.Cmd { return a.open(newRoleForm(a, "")) }},
		action{binding: remove, do: func(a *app) tea.Cmd {
			if !ok || !own {
				return a.say(inkDim, signNone, "it has nothing of its own: it is the label of VMs")
			}
			return a.propose(change{title: "Take away what role " + name + " has", verb: "take it away", least: stops, edit: model.Remove[model.GuestRole](name)})
		}}.only(own),
	}
}

func (s *guestRoles) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No role yet.", "gives one packages or user-data, which all guests of the role have then", w)
	}
	cols := []column{
		{head: "ROLE", w: s.name},
		{head: "VMS", w: 4, right: true},
		{head: "USER-DATA", w: 11, drop: 2},
		{head: "PACKAGES", w: 20, grow: true, drop: 1},
	}
	if w >= wide {
		lw := w / 2
		return beside(s.table(a, cols, lw, h), s.pane(a, w-lw, h), lw, w-lw, h)
	}
	return s.table(a, cols, w, h)
}

func (s *guestRoles) table(a *app, cols []column, w, h int) []line {
	return s.list.draw(w, h, cols, func(i int) []line {
		name := s.list.keys[i]
		role, colour := a.cache.state.Roles[name], inkDim
		if role.UserData != "" {
			colour = inkText
		}
		return []line{
			text(inkName, name), text(inkText, strconv.Itoa(len(ofRole(a.cache.state, name)))),
			text(colour, userDataWords(role)), text(inkText, orNone(strings.Join(role.Packages, ", "))),
		}
	})
}

func ofRole(s *model.State, role string) []string {
	return slices.DeleteFunc(model.Names(s.VMs), func(vm string) bool { return s.VMs[vm].Role != role })
}

func userDataWords(r model.GuestRole) string {
	switch r.UserData {
	case "":
		return "none"
	case model.Withheld:
		return "for admins"
	}
	return count(len(bodyLines(r.UserData)), "line")
}

func bodyLines(body string) []string { return strings.Split(strings.TrimRight(body, "\n"), "\n") }

// pane is the chosen role's VMs and its user-data.
func (s *guestRoles) pane(a *app, w, h int) []line {
	name, ok := s.list.key()
	if !ok {
		return nil
	}
	out := []line{text(inkHead, " GUESTS")}
	for _, l := range wrapped(inkText, orNone(strings.Join(ofRole(a.cache.state, name), ", ")), w-3, 0) {
		out = append(out, append(text(inkText, " "), l...))
	}
	out = append(out, nil, text(inkHead, " USER-DATA"))
	role := a.cache.state.Roles[name]
	if role.UserData == "" || role.UserData == model.Withheld {
		return append(out, text(inkDim, " "+userDataWords(role)))
	}
	for n, l := range bodyLines(role.UserData) {
		if len(out) == h-1 {
			return append(out, text(inkDim, " and "+count(len(bodyLines(role.UserData))-n, "line")+" more: role show "+name+" --user-data"))
		}
		out = append(out, text(inkText, " "+l))
	}
	return out
}

// newRoleForm edits what a role has; an empty name asks for it.
func newRoleForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindRole, Name: name}
	return newForm(a, &form{
		ref: ref, verb: verb("role", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			role := s.Roles[name]
			var fields []*field
			if name == "" {
				fields = append(fields, (&field{key: "name", label: "name", hint: "the label that VMs bear, such as web", blank: "–"}).with(""))
			}
			return append(fields,
				(&field{key: "packages", label: "packages", hint: "installed in its guests, separated by commas", blank: "none"}).with(strings.Join(role.Packages, ", ")),
				(&field{key: "user_data", label: "user-data", kind: body, hint: "of cloud-init, in YAML, merged into that of its guests: paste it; backspace takes it away. Admins alone see it", blank: "none: paste it here"}).with(role.UserData),
			), role.Version, true
		},
		edit: func(v values, base uint64) model.Edit {
			role := cmp.Or(name, v["name"])
			edit := model.EditRole(role, base, func(r *model.GuestRole) error {
				if packages := split(v["packages"]); !slices.Equal(packages, r.Packages) {
					r.Packages = packages
				}
				r.UserData = v["user_data"]
				return nil
			})
			if name != "" {
				return edit
			}
			return func(s *model.State) error { return errors.Join(edit(s), hasSomething(s, role)) }
		},
	})
}

// hasSomething refuses to add a role with nothing of its own: that would be
// none, and seem to have been added.
func hasSomething(s *model.State, role string) error {
	ref := model.Ref{Kind: model.KindRole, Name: role}
	var errs []error
	if role == "" {
		errs = append(errs, &model.FieldError{Ref: ref, Field: "name", Rule: "is missing"})
	}
	if _, ok := s.Roles[role]; !ok {
		errs = append(errs, &model.FieldError{Ref: ref, Field: "packages", Rule: "or user-data must be given: else it is only a label"})
	}
	return joined(errs)
}
