package model

import "io"

// Terminal is a person's terminal, raw: what is typed and what is drawn pass as
// they are.
type Terminal struct {
	In  io.Reader // what the person types; nil is that nobody can
	Out io.Writer
	// Size is that of its window in characters; nil is unknown.
	Size func() (columns, rows int)
}
