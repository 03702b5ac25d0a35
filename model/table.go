package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// table tells how objects of one kind lie in a State.
type table[T any] struct {
	k    Kind
	at   func(*State) map[string]T
	name func(T) string
	meta func(*T) *Meta
}

// objects is what the generic code (diff, decode, stamp) needs of a table.
type objects interface {
	kind() Kind
	diff(before, after *State) ([]ObjectChange, error)
	put(s *State, name string, data []byte) error
	remove(s *State, name string)
	stamp(before, after *State, name string, m Meta)
	names(s *State) []string
	get(s *State, name string) (any, bool)
	merge(s, from *State, prune bool)
	fresh(name string) any
	read(into, now *State, raw json.RawMessage) error
}

var tables = []objects{
	settingsTable{},
	table[Profile]{KindProfile, func(s *State) map[string]Profile { return s.Profiles }, func(o Profile) string { return o.Name }, func(o *Profile) *Meta { return &o.Meta }},
	table[Image]{KindImage, func(s *State) map[string]Image { return s.Images }, func(o Image) string { return o.Name }, func(o *Image) *Meta { return &o.Meta }},
	table[Outlet]{KindOutlet, func(s *State) map[string]Outlet { return s.Outlets }, func(o Outlet) string { return o.Name }, func(o *Outlet) *Meta { return &o.Meta }},
	table[SaltMaster]{KindSaltMaster, func(s *State) map[string]SaltMaster { return s.SaltMasters }, func(o SaltMaster) string { return o.Name }, func(o *SaltMaster) *Meta { return &o.Meta }},
	table[Hypervisor]{KindHypervisor, func(s *State) map[string]Hypervisor { return s.Hypervisors }, func(o Hypervisor) string { return o.Name }, func(o *Hypervisor) *Meta { return &o.Meta }},
	table[VM]{KindVM, func(s *State) map[string]VM { return s.VMs }, func(o VM) string { return o.Name }, func(o *VM) *Meta { return &o.Meta }},
	table[Share]{KindShare, func(s *State) map[string]Share { return s.Shares }, func(o Share) string { return o.Name }, func(o *Share) *Meta { return &o.Meta }},
	table[GuestRole]{KindRole, func(s *State) map[string]GuestRole { return s.Roles }, func(o GuestRole) string { return o.Name }, func(o *GuestRole) *Meta { return &o.Meta }},
	table[User]{KindUser, func(s *State) map[string]User { return s.Users }, func(o User) string { return o.Name }, func(o *User) *Meta { return &o.Meta }},
	table[Agent]{KindAgent, func(s *State) map[string]Agent { return s.Agents }, func(o Agent) string { return o.Hypervisor }, func(o *Agent) *Meta { return &o.Meta }},
	table[Invite]{KindInvite, func(s *State) map[string]Invite { return s.Invites }, func(o Invite) string { return o.Hypervisor }, func(o *Invite) *Meta { return &o.Meta }},
}

// Word is how a kind is called in a sentence.
func (k Kind) Word() string {
	if k == KindVM {
		return "VM"
	}
	return strings.ReplaceAll(string(k), "_", " ")
}

// a is Word with its article.
func (k Kind) a() string {
	word := k.Word()
	if k != KindUser && strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

func tableOf[T any]() table[T] {
	for _, t := range tables {
		if tt, ok := t.(table[T]); ok {
			return tt
		}
	}
	panic(fmt.Sprintf("model: no table for %T", *new(T)))
}

func objectsOf(k Kind) (objects, error) {
	for _, t := range tables {
		if t.kind() == k {
			return t, nil
		}
	}
	return nil, fmt.Errorf("unknown kind %q", k)
}

func (t table[T]) kind() Kind { return t.k }

func (t table[T]) equal(a, b T) bool {
	*t.meta(&a), *t.meta(&b) = Meta{}, Meta{}
	return same(a, b)
}

// same compares two objects; an empty list is the same as none.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		f, g := x.Field(i), y.Field(i)
		if f.Kind() == reflect.Slice && f.Len() == 0 && g.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(f.Interface(), g.Interface()) {
			return false
		}
	}
	return true
}

func (t table[T]) diff(before, after *State) ([]ObjectChange, error) {
	var changes []ObjectChange
	old, now := t.at(before), t.at(after)
	add := func(name string, b, a *T) error {
		c := ObjectChange{Ref: Ref{t.k, name}}
		var err error
		if b != nil {
			if c.Before, err = json.Marshal(*b); err != nil {
				return err
			}
		}
		if a != nil {
			if c.After, err = json.Marshal(*a); err != nil {
				return err
			}
		}
		changes = append(changes, c)
		return nil
	}
	for _, name := range Names(old) {
		b := old[name]
		a, ok := now[name]
		var err error
		switch {
		case !ok:
			err = add(name, &b, nil)
		case !t.equal(b, a):
			err = add(name, &b, &a)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range Names(now) {
		if _, ok := old[name]; ok {
			continue
		}
		a := now[name]
		if err := add(name, nil, &a); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func (t table[T]) put(s *State, name string, data []byte) error {
	var obj T
	if err := json.Unmarshal(data, &obj); err != nil {
		return fmt.Errorf("%s %q: %w", t.k.Word(), name, err)
	}
	t.at(s)[name] = obj
	return nil
}

func (t table[T]) remove(s *State, name string) { delete(t.at(s), name) }

func (t table[T]) stamp(before, after *State, name string, m Meta) {
	obj, ok := t.at(after)[name]
	if !ok {
		return
	}
	if old, ok := t.at(before)[name]; ok {
		m.Created = t.meta(&old).Created
	}
	*t.meta(&obj) = m
	t.at(after)[name] = obj
}

func (t table[T]) names(s *State) []string { return Names(t.at(s)) }

func (t table[T]) get(s *State, name string) (any, bool) { o, ok := t.at(s)[name]; return o, ok }

// settingsTable is the table of the one settings object, named "settings".
type settingsTable struct{}

func (settingsTable) kind() Kind { return KindSettings }

func (settingsTable) diff(before, after *State) ([]ObjectChange, error) {
	b, a := before.Settings, after.Settings
	b.Meta, a.Meta = Meta{}, Meta{}
	if same(b, a) {
		return nil, nil
	}
	bj, err := json.Marshal(before.Settings)
	if err != nil {
		return nil, err
	}
	aj, err := json.Marshal(after.Settings)
	if err != nil {
		return nil, err
	}
	return []ObjectChange{{Ref: Ref{KindSettings, string(KindSettings)}, Before: bj, After: aj}}, nil
}

func (settingsTable) put(s *State, _ string, data []byte) error {
	var v Settings
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	s.Settings = v
	return nil
}

func (settingsTable) remove(s *State, _ string) { s.Settings = Settings{} }

func (settingsTable) stamp(before, after *State, _ string, m Meta) {
	if c := before.Settings.Created; !c.IsZero() {
		m.Created = c
	}
	after.Settings.Meta = m
}

func (settingsTable) names(*State) []string { return []string{string(KindSettings)} }

func (settingsTable) get(s *State, _ string) (any, bool) { return s.Settings, true }

// Put decodes data (an object's JSON form) into the state under ref.
func (s *State) Put(ref Ref, data []byte) error {
	t, err := objectsOf(ref.Kind)
	if err != nil {
		return err
	}
	return t.put(s, ref.Name, data)
}

// Drop removes what ref names; it does nothing if it is not there.
func (s *State) Drop(ref Ref) error {
	t, err := objectsOf(ref.Kind)
	if err != nil {
		return err
	}
	t.remove(s, ref.Name)
	return nil
}

// Get returns the object that ref names, as a value of its type.
func (s *State) Get(ref Ref) (any, bool) {
	t, err := objectsOf(ref.Kind)
	if err != nil {
		return nil, false
	}
	return t.get(s, ref.Name)
}

// Refs names every object of the state, in a fixed order.
func (s *State) Refs() []Ref {
	var refs []Ref
	for _, t := range tables {
		for _, name := range t.names(s) {
			refs = append(refs, Ref{t.kind(), name})
		}
	}
	return refs
}

// Diff tells what an edit changed, object by object in a fixed order; Meta
// does not count. Each side is the object's JSON form.
func Diff(before, after *State) ([]ObjectChange, error) {
	var all []ObjectChange
	for _, t := range tables {
		changes, err := t.diff(before, after)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// Stamp gives the changed objects of after their new version and times.
func Stamp(before, after *State, changes []ObjectChange, revision uint64, now time.Time) {
	m := Meta{Version: revision, Created: now.UTC(), Changed: now.UTC()}
	for _, c := range changes {
		if t, err := objectsOf(c.Kind); err == nil {
			t.stamp(before, after, c.Name, m)
		}
	}
	after.Revision = revision
}

// enumerate joins words as a sentence does, naming at most n of them.
func enumerate(words []string, n int) string {
	if len(words) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:n], ", "), len(words)-n)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
