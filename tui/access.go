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

// access lists who may connect: people with their keys, agents, and those who
// are invited to join as one.
type access struct {
	list list
	all  []accessRow
	seen *model.State
	name int
}

// accessRow is one that may connect, or one key of a person.
type accessRow struct {
	kind  string // user, key, agent or invite
	name  string // of the user or the hypervisor
	key   model.Key
	role  model.Role
	print string // fingerprint
	note  string
	at    time.Time
}

func (s *access) title() string { return "Access" }
func (s *access) rows() *list   { return &s.list }

func (s *access) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen == a.cache.state {
		return nil
	}
	s.seen = a.cache.state
	s.all = accessRows(s.seen)
	keys, search := make([]string, len(s.all)), make([]string, len(s.all))
	var names []string
	for i, r := range s.all {
		keys[i] = r.kind + " " + r.name + " " + r.key.Fingerprint
		search[i] = strings.ToLower(fmt.Sprintf("kind:%s name:%s role:%s key:%s %s", r.kind, r.name, r.role, r.key.Name, r.print))
		names = append(names, r.label())
	}
	s.list.set(keys, search)
	s.name = widest(names, 10, 26)
	return nil
}

func accessRows(s *model.State) []accessRow {
	var all []accessRow
	for _, name := range model.Names(s.Users) {
		u := s.Users[name]
		all = append(all, accessRow{kind: "user", name: name, role: u.Role, note: count(len(u.Keys), "key"), at: u.Created})
		for _, k := range u.Keys {
			all = append(all, accessRow{kind: "key", name: name, key: k, print: k.Fingerprint, at: k.Added})
		}
	}
	for _, name := range model.Names(s.Agents) {
		all = append(all, accessRow{kind: "agent", name: name, print: s.Agents[name].Fingerprint, at: s.Agents[name].Joined})
	}
	for _, name := range model.Names(s.Invites) {
		all = append(all, accessRow{kind: "invite", name: name, print: s.Invites[name].Fingerprint, at: s.Invites[name].Expires})
	}
	return all
}

// label is what a row is called: a key is indented under its person.
func (r accessRow) label() string {
	if r.kind == "key" {
		return "  " + r.key.Name
	}
	return r.name
}

func (s *access) chosen() (accessRow, bool) {
	if i, ok := s.list.index(); ok && i < len(s.all) {
		return s.all[i], true
	}
	return accessRow{}, false
}

func (s *access) actions(a *app) []action {
	r, _ := s.chosen()
	person := r.kind == "user" || r.kind == "key"
	on := func(b binding, f func(a *app, r accessRow) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if r, ok := s.chosen(); ok {
				return f(a, r)
			}
			return nil
		}}
	}
	unless := func(other bool, act action) action { // another key does it there
		if other {
			act.at = -1
		}
		return act
	}
	remove := keyRemove
	remove.long = "take this away: the user, the key, the agent's binding or the invite; asks"
	return append(s.sectionActions(accessKeys),
		on(keyEditUser, func(a *app, r accessRow) tea.Cmd { return a.open(newUserForm(a, r.name)) }).only(person),
		r.another(),
		unless(r.kind != "user", on(keyAddKey, func(a *app, r accessRow) tea.Cmd { return a.open(newKeyForm(a, r.name)) })),
		unless(!person, action{binding: keyInvite, do: inviteAgent}),
		on(remove, revoke),
	)
}

// another adds one more of the kind that is chosen.
func (r accessRow) another() action {
	add := keyNew
	add.long = "add one of what is chosen: a user, a key of the user, or an agent by an invite"
	switch r.kind {
	case "key":
		add.short = "new key"
		return action{binding: add, do: func(a *app) tea.Cmd { return a.open(newKeyForm(a, r.name)) }}
	case "agent", "invite":
		add.short = "invite"
		return action{binding: add, do: inviteAgent}
	}
	add.short = "new user"
	return action{binding: add, do: func(a *app) tea.Cmd { return a.open(newUserForm(a, "")) }}
}

func (s *access) draw(a *app, w, h int) []line {
	cols := []column{
		{head: "NAME", w: s.name},
		{head: "KIND", w: 6, drop: 3},
		{head: "ROLE", w: 8, drop: 2},
		{head: "SINCE", w: 12, drop: 4},
		{head: "FINGERPRINT", w: 12, grow: true, drop: 1},
	}
	s.list.y = 1
	return append([]line{accessHeads(a, accessKeys)}, s.list.draw(w, h-1, cols, func(i int) []line { return s.cells(a, s.all[i]) })...)
}

func (s *access) cells(a *app, r accessRow) []line {
	name := text(inkName, r.label())
	if r.kind == "key" {
		name = text(inkText, r.label())
	}
	role := text(inkText, string(r.role))
	switch r.kind {
	case "key":
		if !r.key.Expires.IsZero() && !r.key.Expires.After(a.now) {
			role = text(inkWarn, "expired")
		}
	case "agent":
		words, colour := agentWords(a.cache.status.Hypervisors[r.name].Agent)
		role = text(colour, words)
	case "invite":
		role = text(inkWarn, "invited")
		if r.at.Before(a.now) {
			role = text(inkDim, "expired")
		}
	}
	since := moment(a.now, r.at)
	if r.kind == "invite" {
		since = "until " + since
	}
	print := text(inkDim, orNone(strings.TrimSpace(r.print+" "+r.note)))
	if options := r.key.Options(); options != "" {
		print = append(text(inkText, options+" "), print...)
	}
	return []line{name, text(inkDim, r.kind), role, text(inkDim, since), print}
}

// revoke takes away what is chosen.
func revoke(a *app, r accessRow) tea.Cmd {
	switch r.kind {
	case "user":
		return a.propose(change{
			title: "Remove user " + r.name, verb: "remove the user", least: stops, edit: model.Remove[model.User](r.name),
			lines: []line{text(inkWarn, r.name+" cannot connect any more, and what is open is closed.")},
		})
	case "key":
		lines := []line{text(inkWarn, r.name+" cannot connect with "+r.key.Name+" any more.")}
		if len(a.cache.state.Users[r.name].Keys) == 1 {
			lines = append(lines, text(inkBad, "It is the only key of "+r.name+"."))
		}
		return a.propose(change{
			title: "Remove key " + r.key.Name + " of " + r.name, verb: "remove the key", least: stops, lines: lines,
			edit: model.Change(r.name, 0, func(u *model.User) error {
				u.Keys = slices.DeleteFunc(slices.Clone(u.Keys), func(k model.Key) bool { return k.Fingerprint == r.key.Fingerprint })
				return nil
			}),
		})
	}
	verb, words := "unbind the agent", "The agent of "+r.name+" is disconnected and may not connect any more. Its guests run on."
	if r.kind == "invite" {
		verb, words = "take it back", "Nobody can join with that token any more."
	}
	a.overlay = &confirm{
		title: "Revoke " + r.kind + " " + r.name + "?", verb: verb, level: stops, lines: []line{text(inkText, words)},
		do: func(a *app) tea.Cmd {
			return a.order(r.kind+" of "+r.name+" revoked", func(ctx context.Context) error {
				return a.lab.Revoke(ctx, "dashboard: Revoke "+r.kind+" "+r.name, r.name)
			})
		},
	}
	return nil
}
