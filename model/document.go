package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Section is the objects of one kind in a document: the desired state as a file
// that people read and keep.
type Section struct {
	Key     string // such as "vms"; the settings' has one object
	Kind    Kind
	Objects []json.RawMessage // in the order of their names, each with its name first
}

// unwritten are the fields that are no part of a document: what the store
// keeps, who may connect, and orders of the moment, which [Merge] leaves alone.
var unwritten = []string{
	"version", "created", "changed", "user_ca", "revoked", "hold",
	"power_wanted", "power_by", "power_at", "power_why", "power_by_hand", "power_cycle",
}

func sectionKey(k Kind) string {
	if k == KindSettings {
		return string(k)
	}
	return string(k) + "s"
}

// Document is the desired state, without who may connect, as sections. A field
// is left out where a new object has the same and it is empty.
func Document(s *State) ([]Section, error) {
	var sections []Section
	for _, t := range tables {
		if t.kind().IsAccess() {
			continue
		}
		sec := Section{Key: sectionKey(t.kind()), Kind: t.kind()}
		for _, name := range t.names(s) {
			obj, _ := t.get(s, name)
			data, err := json.Marshal(obj)
			if err == nil {
				data, err = written(data, t.fresh(name))
			}
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", t.kind().Word(), name, err)
			}
			sec.Objects = append(sec.Objects, data)
		}
		sections = append(sections, sec)
	}
	return sections, nil
}

// written leaves out of an object what a document does not hold.
func written(data []byte, fresh any) ([]byte, error) {
	text, err := json.Marshal(fresh)
	if err != nil {
		return nil, err
	}
	var usual map[string]json.RawMessage
	if err := json.Unmarshal(text, &usual); err != nil {
		return nil, err
	}
	var name, rest []byte
	err = fields(data, func(key string, value json.RawMessage) error {
		if value[0] == '{' {
			if value, err = written(value, struct{}{}); err != nil {
				return err
			}
		}
		if slices.Contains(unwritten, key) || blank(value) && blank(usual[key]) {
			return nil
		}
		k, _ := json.Marshal(key)
		field := append(append(append(k, ':'), value...), ',')
		if key == "name" {
			name = field
		} else {
			rest = append(rest, field...)
		}
		return nil
	})
	all := bytes.TrimSuffix(append(name, rest...), []byte(","))
	return append(append([]byte{'{'}, all...), '}'), err
}

// fields hands over the fields of a JSON object in their order.
func fields(data []byte, each func(key string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := each(fmt.Sprint(key), value); err != nil {
			return err
		}
	}
	return nil
}

func blank(v json.RawMessage) bool {
	switch string(v) {
	case "", `""`, "0", "false", "null", "[]", "{}":
		return true
	}
	return false
}

// ReadDocument makes a state of a document's sections, by key. Fields that an
// object lacks are as a new one has them; a VM without an ID is the one of its
// name in the state now. Of kinds without a section all is as now.
func ReadDocument(sections map[string]json.RawMessage, now *State) (*State, error) {
	from := now.Clone()
	known := map[string]bool{}
	var errs []error
	for _, t := range tables {
		key := sectionKey(t.kind())
		raw, ok := sections[key]
		known[key] = !t.kind().IsAccess()
		if !ok || t.kind().IsAccess() {
			continue
		}
		for _, name := range t.names(now) {
			t.remove(from, name)
		}
		var objects []json.RawMessage
		if t.kind() == KindSettings {
			objects = append(objects, raw)
		} else if err := json.Unmarshal(raw, &objects); err != nil {
			errs = append(errs, fmt.Errorf("%s is no list", key))
			continue
		}
		for i, raw := range objects {
			if err := t.read(from, now, raw); err != nil {
				errs = append(errs, fmt.Errorf("%s, number %d: %w", key, i+1, err))
			}
		}
	}
	for _, key := range Names(sections) {
		if !known[key] {
			errs = append(errs, fmt.Errorf("%q is nothing that a lab has", clip(key)))
		}
	}
	return from, bounded(errs)
}

// strict decodes JSON into v and refuses fields that v does not have.
func strict(raw json.RawMessage, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return fmt.Errorf("%s must be %s", kind.Field, jsonKind(kind.Type.Kind()))
		}
		return errors.New(string(bytes.TrimPrefix([]byte(err.Error()), []byte("json: "))))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one thing")
	}
	return nil
}

// fresh is a new object as one begins with it.
func (t table[T]) fresh(name string) any {
	var obj T
	switch p := any(&obj).(type) {
	case *VM:
		*p = NewVM(name)
	case *Hypervisor:
		*p = NewHypervisor(name)
	case *SaltMaster:
		*p = NewSaltMaster(name)
	}
	return obj
}

// read takes one object of a document into a state.
func (t table[T]) read(into, now *State, raw json.RawMessage) error {
	obj := t.fresh("").(T)
	if err := strict(raw, &obj); err != nil {
		return err
	}
	name := t.name(obj)
	if name == "" {
		return errors.New("it has no name")
	}
	if _, ok := t.at(into)[name]; ok {
		return fmt.Errorf("%s %q is there twice", t.k.Word(), clip(name))
	}
	var id struct{ ID string }
	if vm, ok := any(&obj).(*VM); ok && json.Unmarshal(raw, &id) == nil && id.ID == "" && now.VMs[name].ID != "" {
		vm.ID = now.VMs[name].ID
	}
	*t.meta(&obj) = Meta{}
	t.at(into)[name] = obj
	return nil
}

func (settingsTable) fresh(string) any { return NewState().Settings }

func (settingsTable) read(into, _ *State, raw json.RawMessage) error {
	v := NewState().Settings
	if err := strict(raw, &v); err != nil {
		return err
	}
	v.Meta = Meta{}
	into.Settings = v
	return nil
}
