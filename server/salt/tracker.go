package salt

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"homelab/model"
)

const (
	maxMinions = 10_000          // with keys or not; what comes beyond is ignored
	busy       = 2 * time.Minute // a minion that applies states may not answer a ping
)

// Tracker folds events, lists of keys and answers to the question who is up
// into what is known of each minion. It has no clock and does nothing else.
//
// A minion is configured once its whole state was applied, and failed when any
// run of states failed, until the whole is applied again. Dry runs count for
// nothing, and a run that was refused because another is under way is not one.
type Tracker struct {
	master  string
	minions map[string]*minion
	asked   map[string]time.Time // by whom the master was asked who is up, by job
	version int                  // grows with each change of a status
}

// NewTracker begins with what was known before, by minion ID.
func NewTracker(master string, known map[string]model.SaltStatus) *Tracker {
	t := &Tracker{master: master, minions: map[string]*minion{}, asked: map[string]time.Time{}}
	for id, status := range known {
		if CheckID(id) == nil {
			t.minions[id] = restored(id, status)
		}
	}
	return t
}

// Statuses are those of all minions by ID, the results shared and never
// changed.
func (t *Tracker) Statuses() map[string]model.SaltStatus {
	all := make(map[string]model.SaltStatus, len(t.minions))
	for id, m := range t.minions {
		all[id] = m.status
	}
	return all
}

// Open are the jobs of states that have not ended, to be looked up after a gap.
func (t *Tracker) Open() []string {
	jobs := map[string]bool{}
	for _, m := range t.minions {
		for job := range m.jobs {
			jobs[job] = true
		}
	}
	return slices.Sorted(maps.Keys(jobs))
}

// of finds a minion, or begins to track it; nil if it may not be.
func (t *Tracker) of(id string) *minion {
	m, ok := t.minions[id]
	if !ok && CheckID(id) == nil && len(t.minions) < maxMinions {
		m = &minion{status: model.SaltStatus{Minion: id, Master: t.master, State: model.SaltNever}, jobs: map[string]*job{}}
		t.minions[id] = m
		t.version++
	}
	return m
}

// on changes a minion.
func (t *Tracker) on(now time.Time, id string, change func(*minion)) {
	m := t.of(id)
	if m == nil {
		return
	}
	change(m)
	if m.settle(t.master, now) {
		t.version++
	}
}

// Keys takes a list of keys that was asked for then. Minions whose keys are
// gone are forgotten.
func (t *Tracker) Keys(asked, now time.Time, keys Keys) {
	has := map[string]keyState{}
	add := func(ids []string, key keyState) {
		for _, id := range ids {
			has[id] |= key
		}
	}
	add(keys.Accepted, accepted)
	add(keys.Pending, pending)
	add(keys.Rejected, rejected)
	add(keys.Denied, denied)
	for id, key := range has {
		t.on(now, id, func(m *minion) {
			if !m.since(asked) {
				m.setKey(key, asked)
			}
		})
	}
	for id, m := range t.minions {
		if has[id] == 0 && !m.since(asked) {
			delete(t.minions, id)
			t.version++
		}
	}
}

// Status takes who was up.
func (t *Tracker) Status(now time.Time, s Status) {
	for _, id := range s.Up {
		t.on(now, id, func(m *minion) { m.alive(now) })
	}
	for _, id := range s.Down {
		t.on(now, id, func(m *minion) {
			if m.key == 0 {
				m.key = accepted // the master asks no others
			}
			if !m.seen.After(s.Asked) && !m.working(now) {
				m.gone()
			}
		})
	}
}

// Job takes what has come of a job that was looked up.
func (t *Tracker) Job(now time.Time, id string, results map[string]model.SaltResult) {
	for minionID, result := range results {
		t.on(now, minionID, func(m *minion) {
			if open, ok := m.jobs[id]; ok {
				delete(m.jobs, id)
				m.judge(result, open.scope)
			}
		})
	}
}

// Event takes an event and says whether the master should be asked again: for
// what events only hint at.
func (t *Tracker) Event(now time.Time, e Event) (ask bool) {
	part := strings.Split(e.Tag, "/")
	if part[0] != "salt" || len(part) < 2 {
		return false
	}
	switch at := func(i int) string { return slices.Concat(part, []string{"", "", "", ""})[i] }; {
	case part[1] == "auth":
		return t.auth(now, e)
	case part[1] == "key":
		return t.keyEvent(now, e)
	case part[1] == "minion" && at(3) == "start" && e.ID == at(2):
		t.on(now, e.ID, func(m *minion) {
			clear(m.jobs)
			m.alive(now)
		})
	case part[1] == "job" && at(3) == "new":
		t.newJob(now, at(2), e)
	case part[1] == "job" && at(3) == "prog":
		t.progress(now, at(2), at(4), at(5), e)
	case part[1] == "job" && at(3) == "ret" && e.ID == at(4):
		t.returned(now, at(2), e)
	case part[1] == "run":
		t.runner(now, at(2), at(3), e)
	case e.Tag == "salt/presence/change":
		return len(e.New)+len(e.Lost) > 0
	}
	return false
}

// auth is sent whenever a minion comes to the master, and repeated for as long
// as it may not.
func (t *Tracker) auth(now time.Time, e Event) (ask bool) {
	t.on(now, e.ID, func(m *minion) {
		before := m.key
		switch {
		case e.Act == "pend":
			m.setKey(pending|before&denied, now)
		case e.Act == "accept":
			m.setKey(accepted|before&denied, now)
			m.alive(now)
		case e.Act == "denied":
			m.setKey(before|denied, now)
		case e.Result != nil && !*e.Result && (e.Act == "" || e.Act == "reject"):
			m.setKey(rejected, now)
		}
		ask = m.key != before
	})
	return ask
}

// keyEvent is sent when a person or we act on a key.
func (t *Tracker) keyEvent(now time.Time, e Event) (ask bool) {
	if e.Result != nil && !*e.Result {
		return false
	}
	t.on(now, e.ID, func(m *minion) {
		before := m.key
		switch strings.TrimSuffix(e.Act, "ed") {
		case "accept":
			m.setKey(accepted, now)
		case "reject":
			m.setKey(rejected, now)
		case "delete", "delet":
			m.setKey(0, now)
		}
		ask = m.key != before
	})
	return ask
}

func (t *Tracker) newJob(now time.Time, id string, e Event) {
	if !stateFunctions[e.Fun] || checkJob(id) != nil {
		return
	}
	for _, minionID := range e.Minions {
		t.on(now, minionID, func(m *minion) {
			if m.up { // one that is down never hears of it
				m.jobs[id] = &job{scope: scopeOf(e.Fun, e.Arg), sign: now, ended: map[int]bool{}}
			}
		})
	}
}

func (t *Tracker) progress(now time.Time, id, minionID, run string, e Event) {
	n, err := strconv.Atoi(run)
	if err != nil || checkJob(id) != nil || (e.ID != "" && e.ID != minionID) {
		return
	}
	t.on(now, minionID, func(m *minion) {
		j, ok := m.jobs[id]
		if !ok { // it began while nobody listened
			j = &job{ended: map[int]bool{}}
			m.jobs[id] = j
		}
		j.sign, j.total = now, max(j.total, e.progress())
		if len(j.ended) < max(j.total, 1) {
			j.ended[n] = true
		}
		m.alive(now)
	})
}

func (t *Tracker) returned(now time.Time, id string, e Event) {
	t.on(now, e.ID, func(m *minion) {
		delete(m.jobs, id)
		m.alive(now)
		if !stateFunctions[e.Fun] {
			return
		}
		result := parseResult(id, now, e.Return, e.failed())
		if other, ok := alreadyRunning(result); ok {
			if _, known := m.jobs[other]; !known {
				m.jobs[other] = &job{sign: now, ended: map[int]bool{}}
			}
			return
		}
		m.judge(result, scopeOf(e.Fun, e.FunArgs))
	})
}

// runner takes what others asked who is up, which costs nothing.
func (t *Tracker) runner(now time.Time, id, what string, e Event) {
	if e.Fun != "runner.manage.status" {
		return
	}
	asked, known := t.asked[id]
	switch {
	case what == "new" && len(t.asked) < 100:
		t.asked[id] = now
	case what == "ret" && known:
		delete(t.asked, id)
		var doc statusDoc
		if e.failed() || json.Unmarshal(e.Return, &doc) != nil {
			return
		}
		if s, err := doc.status(asked); err == nil {
			t.Status(now, s)
		}
	}
}
