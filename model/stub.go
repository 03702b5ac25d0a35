package model

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
