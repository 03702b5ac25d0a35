package salt

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Status is which minions answered, of those whose keys are accepted.
type Status struct {
	Asked time.Time // what was seen of a minion since is newer
	Up    []string
	Down  []string
}

// Status asks all minions. Where one is down it takes a few seconds.
func (m Master) Status(ctx context.Context) (Status, error) {
	asked := time.Now()
	words := []string{"salt-run", "manage.status", "timeout=2", "gather_job_timeout=2", "--out=json"}
	a, err := m.run(ctx, "", words...)
	if err != nil {
		return Status{}, err
	}
	var found statusDoc
	if err := m.one(a, &found, words...); err != nil {
		return Status{}, err
	}
	s, err := found.status(asked)
	if err != nil {
		return Status{}, m.failed(words, err.Error())
	}
	return s, nil
}

type statusDoc struct {
	Up   *[]string `json:"up"`
	Down *[]string `json:"down"`
}

func (d statusDoc) status(asked time.Time) (Status, error) {
	if d.Up == nil || d.Down == nil {
		return Status{}, fmt.Errorf("its answer does not say who is up and who is down")
	}
	slices.Sort(*d.Up)
	slices.Sort(*d.Down)
	return Status{Asked: asked, Up: *d.Up, Down: *d.Down}, nil
}
