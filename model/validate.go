package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxProblems bounds how many problems one error tells.
const maxProblems = 50

// Validate finds everything that is wrong with a state, each problem as a
// [FieldError]; they are joined.
func Validate(s *State) error { return bounded(problems(s)) }

// FieldErrors returns the field errors inside any error, in their order.
func FieldErrors(err error) []*FieldError {
	switch e := err.(type) {
	case nil:
		return nil
	case *FieldError:
		return []*FieldError{e}
	case interface{ Unwrap() []error }:
		var all []*FieldError
		for _, inner := range e.Unwrap() {
			all = append(all, FieldErrors(inner)...)
		}
		return all
	}
	return FieldErrors(errors.Unwrap(err))
}

func bounded(errs []error) error {
	if len(errs) > maxProblems {
		more := fmt.Errorf("and %d more problems", len(errs)-maxProblems)
		errs = append(slices.Clip(errs[:maxProblems]), more)
	}
	return errors.Join(errs...)
}

// checker collects the problems of a state.
type checker struct {
	before  *State // nil where there is none
	s       *State
	ref     Ref // of the object that is checked
	errs    []error
	dangles []dangle
	keys    map[string]Ref // owners of public keys, by fingerprint
}

// dangle is a reference to what does not exist; its error is errs[at].
type dangle struct {
	from, to Ref
	at       int
}

func problems(s *State) []error { return check(nil, s).errs }

// check finds the problems of a state. What two objects cannot both have is the
// problem of the one that differs from before, if that is not nil.
func check(before, s *State) *checker {
	c := &checker{s: s, before: before, keys: map[string]Ref{}}
	c.settings(s.Settings)
	c.profiles()
	each(c, KindImage, s.Images, c.image)
	each(c, KindOutlet, s.Outlets, c.outlet)
	c.cycles()
	each(c, KindSaltMaster, s.SaltMasters, c.saltMaster)
	each(c, KindHypervisor, s.Hypervisors, c.hypervisor)
	each(c, KindShare, s.Shares, c.share)
	each(c, KindRole, s.Roles, c.role)
	c.vms()
	each(c, KindUser, s.Users, c.user)
	each(c, KindAgent, s.Agents, c.agent)
	each(c, KindInvite, s.Invites, c.invite)
	return c
}

// each checks the objects of a kind in the order of their names, those that
// are as they were before first: what they have is taken.
func each[T any](c *checker, k Kind, objects map[string]T, check func(T)) {
	t := tableOf[T]()
	names := Names(objects)
	if c.before != nil {
		old := t.at(c.before)
		var changed []string
		names = slices.DeleteFunc(names, func(name string) bool {
			if was, ok := old[name]; ok && t.equal(was, objects[name]) {
				return false
			}
			changed = append(changed, name)
			return true
		})
		names = append(names, changed...)
	}
	for _, name := range names {
		c.ref = Ref{k, name}
		obj := objects[name]
		c.rule(t.name(obj) == name, "name", t.name(obj), "is kept under another name; this is a mistake of the program")
		check(obj)
	}
}

// removals turns dangling references to what was there before into errors
// that say so, one for each thing that is missed.
func removals(before *State, c *checker) []error {
	var missed []*ReferencedError
	gone := map[int]bool{}
	for _, d := range c.dangles {
		if _, ok := before.Get(d.to); !ok {
			continue
		}
		gone[d.at] = true
		i := slices.IndexFunc(missed, func(e *ReferencedError) bool { return e.Ref == d.to })
		if i < 0 {
			missed = append(missed, &ReferencedError{Ref: d.to})
			i = len(missed) - 1
		}
		if !slices.Contains(missed[i].By, d.from) {
			missed[i].By = append(missed[i].By, d.from)
		}
	}
	var errs []error
	for _, e := range missed {
		errs = append(errs, e)
	}
	for i, err := range c.errs {
		if !gone[i] {
			errs = append(errs, err)
		}
	}
	return errs
}

// rule adds a problem unless ok.
func (c *checker) rule(ok bool, field, value, rule string) bool {
	if !ok {
		c.errs = append(c.errs, &FieldError{Ref: c.ref, Field: field, Value: clip(value), Rule: rule})
	}
	return ok
}

// clip shortens what an error repeats.
func clip(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "…"
}

func (c *checker) between(field string, n, low, high int, unit string) {
	if n < low || n > high {
		c.rule(false, field, strconv.Itoa(n), fmt.Sprintf("must be between %d and %d%s", low, high, unit))
	}
}

func (c *checker) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.rule(false, field, value, "must be one of "+strings.Join(allowed, ", "))
	}
}

// refers checks that a field names something that exists.
func (c *checker) refers(ok bool, field string, to Ref) {
	if ok {
		return
	}
	if to.Name == "" {
		c.rule(false, field, "", "must name "+to.Kind.a()+"; "+c.known(to.Kind))
		return
	}
	c.dangles = append(c.dangles, dangle{c.ref, to, len(c.errs)})
	c.rule(false, field, to.Name, "is no "+to.Kind.Word()+" of this lab; "+c.known(to.Kind))
}

// known tells what a reference could name instead.
func (c *checker) known(k Kind) string {
	t, err := objectsOf(k)
	if err != nil {
		return ""
	}
	names := t.names(c.s)
	switch len(names) {
	case 0:
		return "it has none yet"
	case 1:
		return "it has " + names[0]
	}
	return "it has " + enumerate(names, 5)
}

// distinct checks that a list names nothing twice.
func (c *checker) distinct(field string, list []string) {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			c.rule(false, field, v, "is there twice")
		}
	}
}

func (c *checker) text(field, value string, most int) {
	if !isText(value, most) {
		c.rule(false, field, value, fmt.Sprintf("%s, at most %d bytes", ruleText, most))
	}
}
