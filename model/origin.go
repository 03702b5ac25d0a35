package model

// origins remembers, while an edit is made, which objects it renamed and which
// it made anew, so that what hangs on a name (secrets) follows the object and
// never a stranger that takes its name.
type origins map[Ref]origin

type origin struct {
	from  Ref
	fresh bool // made by this edit
}

// renamed notes that the object old is now called as now.
func (s *State) renamed(old, now Ref) {
	o, ok := s.origins[old]
	if !ok {
		o = origin{from: old}
	}
	s.note(old, origin{fresh: true})
	s.note(now, o)
}

// made notes that an object of that name is none that was there before.
func (s *State) made(ref Ref) { s.note(ref, origin{fresh: true}) }

func (s *State) note(ref Ref, o origin) {
	if s.origins == nil {
		s.origins = origins{}
	}
	s.origins[ref] = o
}

// Origin tells what an object was called before the edit that made this state
// of another, if it was renamed by that.
func (s *State) Origin(ref Ref) (Ref, bool) {
	o, ok := s.origins[ref]
	if !ok || o.fresh || o.from == ref {
		return Ref{}, false
	}
	return o.from, true
}

// Remade are the names that an edit renamed, gave away or made anew.
func (s *State) Remade() []Ref {
	refs := make([]Ref, 0, len(s.origins))
	for ref := range s.origins {
		refs = append(refs, ref)
	}
	return refs
}

// IsOther tells whether the object of a name is another one after an edit than
// before it: what is secret of the one is not the other's. An outlet of
// another driver is another device.
func IsOther(before, after *State, ref Ref) bool {
	if o, ok := after.origins[ref]; ok && o.fresh {
		return true
	}
	old, ok := before.Outlets[ref.Name]
	return ref.Kind == KindOutlet && ok && old.Driver != after.Outlets[ref.Name].Driver
}
