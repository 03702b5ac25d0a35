package tui

import (
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// masters lists the Salt masters, whether they answer, and whom they configure.
type masters struct {
	list list
	seen *model.State
	name int
}

func (s *masters) title() string { return "Salt masters" }
func (s *masters) rows() *list   { return &s.list }

func (s *masters) refresh(a *app, _ map[model.Ref]struct{}) tea.Cmd {
	if s.seen != a.cache.state {
		s.seen = a.cache.state
		keys := model.Names(s.seen.SaltMasters)
		s.list.set(keys, nil)
		s.name = widest(keys, 10, 32)
	}
	return nil
}

func (s *masters) actions(*app) []action {
	return formEdits(&s.list, newMasterForm, func(name string) change {
		return change{title: "Remove Salt master " + name, verb: "remove it", least: stops, edit: model.Remove[model.SaltMaster](name)}
	})
}

func (s *masters) draw(a *app, w, h int) []line {
	if len(s.list.keys) == 0 {
		return emptyList(a, "No Salt master yet.", "adds one, which configures guests or the machines themselves", w)
	}
	cols := []column{
		{head: "SALT MASTER", w: s.name},
		{head: "STATE", w: 11},
		{head: "SERVES", w: 11, drop: 2},
		{head: "VMS", w: 4, right: true, drop: 3},
		{head: "ADDRESS", w: 15, drop: 1},
		{head: "REACHED BY", w: 10, grow: true, drop: 4},
	}
	why := s.why(a, w)
	return append(s.list.draw(w, max(h-len(why), 1), cols, func(i int) []line {
		m := a.cache.state.SaltMasters[s.list.keys[i]]
		name := line{{m.Name, inkName}}
		if m.Name == a.cache.state.Settings.SaltMaster {
			name = append(name, span{" ▪", inkBusy})
		}
		return []line{
			name, masterState(a, m), text(inkText, either(m.ServesVMs(), model.ServesVMs, model.ServesHypervisors)),
			text(inkText, strconv.Itoa(s.serves(a, m))), text(inkText, m.Address), text(inkDim, orNone(strings.Join(m.Reach, " "))),
		}
	}), why...)
}

// serves counts the VMs that a master configures.
func (s *masters) serves(a *app, m model.SaltMaster) int {
	n := 0
	for i := range a.cache.vms {
		if a.cache.state.Master(a.cache.vms[i].VM) == m.Name {
			n++
		}
	}
	return n
}

// masterState says whether a master answers.
func masterState(a *app, m model.SaltMaster) line {
	st, known := a.cache.status.SaltMasters[m.Name]
	switch {
	case !m.Asked():
		return text(inkDim, signNone+" not asked")
	case st.Error != "":
		return text(inkBad, signFailed+" fails")
	case known && st.Reached:
		return text(inkGood, signOn+" reached")
	}
	return text(inkDim, signUnknown+" not yet")
}

// why says what is wrong with the chosen master, whose keys wait for a person
// there, and whether it is the one that VMs have without being told.
func (s *masters) why(a *app, w int) []line {
	name, ok := s.list.key()
	if !ok {
		return nil
	}
	out := []line{nil}
	add := func(i ink, words string) { out = append(out, wrapped(i, " "+words, w-2, 1)...) }
	if name == a.cache.state.Settings.SaltMaster {
		add(inkDim, "▪ "+name+" is the default of VMs that name none: the settings say so")
	}
	st := a.cache.status.SaltMasters[name]
	if st.Error != "" {
		add(inkBad, st.Error)
	}
	if len(st.Pending) > 0 {
		add(inkWarn, count(len(st.Pending), "key")+" to be accepted there: "+sentence(st.Pending))
	}
	if len(st.Strangers) > 0 {
		add(inkWarn, "nobody knows "+sentence(st.Strangers))
	}
	return out
}

// newMasterForm edits a Salt master, or adds one if name is empty.
func newMasterForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindSaltMaster, Name: name}
	return newForm(a, &form{
		ref: ref, verb: verb("Salt master", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			m, ok := s.SaltMasters[name]
			if name == "" {
				m, ok = model.NewSaltMaster(""), true
			}
			serves := either(m.ServesVMs(), model.ServesVMs, model.ServesHypervisors)
			return []*field{
				(&field{key: "name", label: "name", hint: "such as pi-vms; the settings say which is the default of VMs", blank: "–"}).with(name),
				(&field{key: "address", label: "address", hint: "host name or IP address that minions use", blank: "–"}).with(m.Address),
				(&field{key: "serves", label: "serves", kind: choice, hint: "what it configures: guests, or the machines themselves", options: []string{model.ServesVMs, model.ServesHypervisors}}).with(serves),
				(&field{key: "reach", label: "reached by", hint: "what precedes salt on the command line that reaches it, such as sudo -n or ssh pi2 sudo -n; local: nothing; empty: it is not asked", blank: "not asked"}).with(model.JoinCommand(m.Reach)),
				(&field{key: "repository", label: "repository", hint: "line of the package repository that guests install their minion from; empty: it is in their image", blank: "in the image"}).with(m.Repository),
				(&field{key: "repository_key", label: "its key", kind: body, hint: "the PGP key that signs it: paste it; backspace takes it away", blank: "none: paste it here"}).with(m.RepositoryKey),
			}, m.Version, ok
		},
		edit: edits(ref, model.NewSaltMaster, func(m *model.SaltMaster, v values) error {
			m.Name, m.Address, m.Serves = v["name"], v["address"], v["serves"]
			m.Repository, m.RepositoryKey = v["repository"], v["repository_key"]
			reach, err := model.SplitCommand(v["reach"])
			if err != nil {
				return &model.FieldError{Ref: model.Ref{Kind: ref.Kind, Name: m.Name}, Field: "reach", Value: v["reach"], Rule: err.Error()}
			}
			if !slices.Equal(m.Reach, reach) {
				m.Reach = reach
			}
			return nil
		}),
	})
}
