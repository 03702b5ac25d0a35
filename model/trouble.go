package model

import "time"

// Trouble is something that is wrong with one thing.
type Trouble struct {
	What  Ref       `json:"what"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"` // UTC; when it began, as far as is known
}
