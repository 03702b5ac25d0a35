package salt

import (
	"time"

	"homelab/model"
)

// keyState is where keys that came with an ID are; they can be in two places.
type keyState int

const (
	accepted keyState = 1 << iota
	pending
	rejected
	denied
)

// minion is what is known of one.
type minion struct {
	status model.SaltStatus // as of the last settle
	key    keyState
	keyAt  time.Time // when key was last learned
	seen   time.Time // when there was last a sign of it
	up     bool
	jobs   map[string]*job // of states, that have not ended
	result *model.SaltResult
}

// job is a run of states under way on one minion.
type job struct {
	scope
	sign  time.Time // the last of it
	ended map[int]bool
	total int
}

// restored is a minion as it was known before we began.
func restored(id string, s model.SaltStatus) *minion {
	s.Minion = id
	m := &minion{status: s, jobs: map[string]*job{}, result: s.Result}
	switch s.State {
	case model.SaltPending:
		m.key = pending
	case model.SaltDenied:
		m.key, m.seen = accepted|denied, s.Since
	case model.SaltRejected:
		m.key = rejected
	case model.SaltUp, model.SaltConfiguring, model.SaltConfigured, model.SaltFailed:
		m.key, m.seen, m.up = accepted, s.Since, true
	case model.SaltDown:
		m.key, m.seen = accepted, s.Since
	}
	return m
}

// alive takes a sign of the minion, which only one with an accepted key gives.
func (m *minion) alive(now time.Time) {
	m.seen, m.up = now, true
	if m.key&accepted == 0 {
		m.key = accepted | m.key&denied
	}
}

// since tells whether anything was learned of its keys since then, as any sign
// of it does.
func (m *minion) since(asked time.Time) bool { return m.keyAt.After(asked) || m.seen.After(asked) }

// gone takes that it does not answer: what it was doing is not known.
func (m *minion) gone() {
	m.up = false
	clear(m.jobs)
}

// working tells whether it may be too busy with states to answer.
func (m *minion) working(now time.Time) bool {
	for _, j := range m.jobs {
		if m.up && now.Sub(j.sign) < busy {
			return true
		}
	}
	return false
}

// setKey takes where its keys are. Without an accepted one nothing that was
// known holds.
func (m *minion) setKey(key keyState, at time.Time) {
	if m.key&accepted != 0 && key&accepted == 0 {
		m.gone()
		m.seen, m.result = time.Time{}, nil
	}
	m.key, m.keyAt = key, at
}

// judge takes how a run of states ended.
func (m *minion) judge(r model.SaltResult, s scope) {
	if !s.dry && (s.full || !r.OK) {
		m.result = &r
	}
}

// settle finds the status anew and tells whether it changed.
func (m *minion) settle(master string, now time.Time) bool {
	s := model.SaltStatus{Master: master, Minion: m.status.Minion, State: m.state(), Since: m.status.Since, Result: m.result}
	if s.State == model.SaltConfiguring {
		s.Done, s.Total = m.progress()
	}
	if s.State != m.status.State || s.Since.IsZero() {
		s.Since = now
	}
	changed := s != m.status
	m.status = s
	return changed
}

func (m *minion) state() model.SaltState {
	switch {
	case m.key&rejected != 0:
		return model.SaltRejected
	case m.key&accepted == 0 && m.key&pending != 0:
		return model.SaltPending
	case m.key&denied != 0 && !m.up:
		return model.SaltDenied
	case m.key&accepted == 0:
		return model.SaltNever
	case m.up:
		return m.upState()
	case m.seen.IsZero():
		return model.SaltNever
	}
	return model.SaltDown
}

func (m *minion) upState() model.SaltState {
	for _, j := range m.jobs {
		if !j.dry {
			return model.SaltConfiguring
		}
	}
	switch {
	case m.result == nil:
		return model.SaltUp
	case m.result.OK:
		return model.SaltConfigured
	}
	return model.SaltFailed
}

// progress is that of the job that gave the last sign.
func (m *minion) progress() (done, total int) {
	var last *job
	for _, j := range m.jobs {
		if !j.dry && (last == nil || j.sign.After(last.sign) || j.sign.Equal(last.sign) && len(j.ended) > len(last.ended)) {
			last = j
		}
	}
	return len(last.ended), last.total
}
