package model

import (
	"fmt"
	"slices"
)

// Edit is one change of the desired state: it works on a clone that nobody
// else sees, and its error leaves everything as it was. The store validates
// the result.
type Edit func(*State) error

// Edits does several edits as one.
func Edits(edits ...Edit) Edit {
	return func(s *State) error {
		for _, e := range edits {
			if err := e(s); err != nil {
				return err
			}
		}
		return nil
	}
}

// Add adds an object of any kind; its name must be free.
func Add[T any](obj T) Edit {
	return func(s *State) error {
		t := tableOf[T]()
		m, name := t.at(s), t.name(obj)
		if _, ok := m[name]; ok {
			return &ExistsError{Ref{t.k, name}}
		}
		m[name] = obj
		s.made(Ref{t.k, name})
		return nil
	}
}

// Change changes the object of that name. If it is renamed by that, those who
// name it follow, except for hypervisors: moving their VMs recreates them. A base
// other than 0 is the version that the change is based on: if the object has
// been changed since, the edit is refused with a [ConflictError].
func Change[T any](name string, base uint64, change func(*T) error) Edit {
	return func(s *State) error {
		t := tableOf[T]()
		m := t.at(s)
		obj, ok := m[name]
		if !ok {
			return &NotFoundError{Ref{t.k, name}}
		}
		if v := t.meta(&obj).Version; base != 0 && base != v {
			return &ConflictError{Ref: Ref{t.k, name}, Base: base, Version: v}
		}
		if err := change(&obj); err != nil {
			return err
		}
		if renamed := t.name(obj); renamed != name {
			if _, ok := m[renamed]; ok {
				return &ExistsError{Ref{t.k, renamed}}
			}
			delete(m, name)
			m[renamed] = obj
			s.follow(t.k, name, renamed)
			s.renamed(Ref{t.k, name}, Ref{t.k, renamed})
			return nil
		}
		m[name] = obj
		return nil
	}
}

// Remove removes the object of that name, and with a hypervisor its invite.
// References to it are found by validation.
func Remove[T any](name string) Edit {
	return func(s *State) error {
		t := tableOf[T]()
		m := t.at(s)
		if _, ok := m[name]; !ok {
			return &NotFoundError{Ref{t.k, name}}
		}
		delete(m, name)
		if t.k == KindHypervisor {
			delete(s.Invites, name)
		}
		return nil
	}
}

// Activate makes a profile the active one, and the others inactive.
func Activate(profile string) Edit {
	return func(s *State) error {
		if _, ok := s.Profiles[profile]; !ok {
			return &NotFoundError{Ref{KindProfile, profile}}
		}
		for name, p := range s.Profiles {
			p.Active = name == profile
			s.Profiles[name] = p
		}
		return nil
	}
}

// words is how a sentence names a thing; there is one of the settings.
func (r Ref) words() string {
	if r.Kind == KindSettings {
		return r.Kind.Word()
	}
	return fmt.Sprintf("%s %q", r.Kind.Word(), clip(r.Name))
}

// NotFoundError says that something does not exist.
type NotFoundError struct{ Ref Ref }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("there is no %s named %q", e.Ref.Kind.Word(), clip(e.Ref.Name))
}

// ExistsError says that a name is taken.
type ExistsError struct{ Ref Ref }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("there is already %s named %q", e.Ref.Kind.a(), clip(e.Ref.Name))
}

// ConflictError says that an object was changed since the version that an edit
// was based on. The store fills in who did it.
type ConflictError struct {
	Ref     Ref
	Base    uint64 // the version that the edit was based on
	Version uint64 // the object's version now, a revision number
	Who     string // who made that revision; may be empty
}

func (e *ConflictError) Error() string {
	by := ""
	if e.Who != "" {
		by = " by " + e.Who
	}
	was := "was"
	if e.Ref.Kind == KindSettings {
		was = "were"
	}
	return fmt.Sprintf("%s %s changed%s in revision %d, after the version %d that you edited; look at it again and repeat your change",
		e.Ref.words(), was, by, e.Version, e.Base)
}

// ReferencedError says that something cannot be removed because others name it.
type ReferencedError struct {
	Ref Ref
	By  []Ref
}

func (e *ReferencedError) Error() string {
	by := make([]string, 0, len(e.By))
	for _, r := range e.By {
		by = append(by, r.words())
	}
	slices.Sort(by)
	return fmt.Sprintf("%s is still used by %s", e.Ref.words(), enumerate(by, 5))
}

// FieldError says which field of an object breaks which rule. Field is the
// JSON key, flag and form field at once.
type FieldError struct {
	Ref   Ref
	Field string
	Value string
	Rule  string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s %q %s", e.Ref.words(), e.Field, e.Value, e.Rule)
}
