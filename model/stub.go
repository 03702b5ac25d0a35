package model

// Being written: these compile so that others can.

func Validate(s *State) error                                         { return nil }
func FieldErrors(err error) []*FieldError                             { return nil }
func CheckTransition(before, after *State, kept map[string][]Disk) error { return nil }
func Placements(s *State, hypervisor string, kept []Disk) []Placement { return nil }
func Compare(before, after []Placement) []Impact                      { return nil }
func Preview(before, after *State, kept map[string][]Disk) []Impact   { return nil }
func Announce(impacts []Impact) Announced                             { return Announced{} }
func CheckPlan(deletions []Deletion, a Announced, label func(address string) string) []Violation {
	return nil
}

// String says what happens.
func (i Impact) String() string { return "" }

// Import is what a dump of the predecessor becomes.
type Import struct {
	Edit  Edit
	Lines []ImportLine
}

// ImportLine says what an import does with one object.
type ImportLine struct {
	Object string `json:"object"`
	Action string `json:"action"`
	Note   string `json:"note,omitempty"`
}

func ImportHomelabmanager(s *State, dump []byte) (Import, error) { return Import{}, nil }
