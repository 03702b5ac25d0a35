package salt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"homelab/model"
)

const job1, job2 = "20261122073844211824", "20261122073844211825"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newJob(job, args string) string {
	return fmt.Sprintf("salt/job/%s/new\t"+`{"jid": "%s", "tgt": "web", "fun": "state.apply", "arg": [%s], "minions": ["web"]}`, job, job, args)
}

func prog(n, of int) string {
	return fmt.Sprintf("salt/job/%s/prog/web/%d\t"+`{"jid": "%s", "id": "web", "cmd": "_minion_event", "pretag": null, "data": {"len": %d, "ret": {"__run_num__": %d, "result": true}}}`, job1, n, job1, of, n)
}

func ret(job, value string, code int, args string) string {
	return fmt.Sprintf("salt/job/%s/ret/web\t"+`{"cmd": "_return", "id": "web", "success": %v, "return": %s, "retcode": %d, "fun": "state.apply", "fun_args": [%s]}`, job, code == 0, value, code, args)
}

const (
	start  = `salt/minion/web/start	{"id": "web", "cmd": "_minion_event"}`
	good   = `{"file_|-motd_|-/etc/motd_|-managed": {"result": true, "changes": {"diff": "x"}, "comment": "", "__run_num__": 0}}`
	broken = `{"file_|-motd_|-/etc/motd_|-managed": {"result": false, "changes": {}, "comment": "no\nway", "__run_num__": 0}}`
	queue  = `{"__kwarg__": true, "queue": true}`
	dry    = `{"__kwarg__": true, "test": true}`
)

// TestTracker says what one minion is after each of some things.
func TestTracker(t *testing.T) {
	keys := func(k Keys) func(*Tracker, time.Time) {
		return func(tr *Tracker, now time.Time) { tr.Keys(now, now, k) }
	}
	event := func(line string) func(*Tracker, time.Time) {
		return func(tr *Tracker, now time.Time) {
			e, ok := ParseEvent([]byte(line))
			if !ok {
				panic("no event: " + line)
			}
			tr.Event(now, e)
		}
	}
	status := func(up bool, age time.Duration) func(*Tracker, time.Time) {
		return func(tr *Tracker, now time.Time) {
			s := Status{Asked: now.Add(-age), Down: []string{"web"}}
			if up {
				s.Up, s.Down = s.Down, nil
			}
			tr.Status(now, s)
		}
	}
	lookup := func(job, value string) func(*Tracker, time.Time) {
		return func(tr *Tracker, now time.Time) {
			tr.Job(now, job, map[string]model.SaltResult{"web": parseResult(job, now, []byte(value), false)})
		}
	}
	web := []string{"web"}
	type step struct {
		do   func(*Tracker, time.Time)
		want string // of web; "-" is not known
	}
	tests := map[string][]step{
		"pre-seeded": {
			{keys(Keys{Accepted: web}), "never seen"},
			{status(false, 0), "never seen"},
			{event(start), "up"},
			{status(false, 0), "down"},
			{status(true, 0), "up"},
		},
		"progress": {
			{event(start), "up"},
			{event(newJob(job1, queue)), "configuring"},
			{event(prog(0, 3)), "configuring, 1 of 3 states"},
			{event(prog(1, 3)), "configuring, 2 of 3 states"},
			{event(prog(1, 3)), "configuring, 2 of 3 states"},
			{event(prog(2, 3)), "configuring, 3 of 3 states"},
			{event(prog(7, 3)), "configuring, 3 of 3 states"},
			{event(ret(job1, good, 0, queue)), "configured, 1 changed"},
		},
		"progress without a beginning": {
			{keys(Keys{Accepted: web}), "never seen"},
			{event(prog(4, 9)), "configuring, 1 of 9 states"},
			{event(ret(job1, broken, 2, "")), "failed: motd: no"},
		},
		"a minion that says only that it failed": {
			{event(start), "up"},
			{event(ret(job1, good, 2, "")), "failed: the minion says that it failed, and not why"},
			{event(ret(job2, `"not a map"`, 0, "")), "failed: not a map"},
		},
		"dry run": {
			{event(start), "up"},
			{event(newJob(job1, dry)), "up"},
			{event(ret(job1, broken, 2, dry)), "up"},
		},
		"part of it": {
			{event(start), "up"},
			{event(newJob(job1, `"motd"`)), "configuring"},
			{event(ret(job1, good, 0, `"motd"`)), "up"},
			{event(ret(job1, good, 0, "")), "configured, 1 changed"},
			{event(ret(job1, broken, 2, `"motd"`)), "failed: motd: no"},
			{event(ret(job1, good, 0, `"motd"`)), "failed: motd: no"},
			{event(ret(job1, good, 0, `{"__kwarg__": true, "mods": "motd"}`)), "failed: motd: no"},
			{event(ret(job1, good, 0, "")), "configured, 1 changed"},
		},
		"refused for a run that nobody saw begin": {
			{event(start), "up"},
			{event(ret(job2, `["The function \"state.apply\" is running as PID 1 and was started at 2026, Nov 22 07:38:44.211824 with jid `+job1+`"]`, 1, "")), "configuring"},
			{event(ret(job1, good, 0, "")), "configured, 1 changed"},
		},
		"reboot in the middle": {
			{event(start), "up"},
			{event(newJob(job1, "")), "configuring"},
			{event(start), "up"},
		},
		"too busy to answer": {
			{event(start), "up"},
			{event(newJob(job1, "")), "configuring"},
			{status(false, 0), "configuring"},
			{nil, ""}, // two minutes
			{status(false, 0), "down"},
			{event(ret(job1, good, 0, "")), "configured, 1 changed"},
		},
		"seen since it was asked": {
			{event(start), "up"},
			{status(false, time.Minute), "up"},
		},
		"a gap": {
			{event(start), "up"},
			{event(newJob(job1, queue)), "configuring"},
			{lookup(job2, broken), "configuring"}, // not one of its jobs
			{lookup(job1, good), "configured, 1 changed"},
			{keys(Keys{Accepted: web}), "configured, 1 changed"},
			{keys(Keys{Denied: web, Accepted: web}), "configured, 1 changed"},
			{status(false, 0), "key denied"},
			{keys(Keys{Accepted: web}), "down"},
			{keys(Keys{Pending: web}), "key pending"},
			{keys(Keys{Rejected: web}), "key rejected"},
			{keys(Keys{}), "-"},
		},
		"seen since keys were listed": {
			{event(start), "up"},
			{func(tr *Tracker, now time.Time) { tr.Keys(now.Add(-time.Minute), now, Keys{}) }, "up"},
			{func(tr *Tracker, now time.Time) { tr.Keys(now.Add(-time.Minute), now, Keys{Pending: web}) }, "up"},
			{keys(Keys{}), "-"},
		},
		"newer releases": {
			{event(`salt/auth	{"result": true, "act": "pend", "id": "web"}`), "key pending"},
			{event(`salt/key	{"result": true, "act": "accepted", "id": "web"}`), "never seen"},
			{event(`salt/key	{"result": true, "act": "rejected", "id": "web"}`), "key rejected"},
			{event(`salt/key	{"result": true, "act": "deleted", "id": "web"}`), "never seen"},
			{event(`salt/auth	{"result": true, "act": "pend", "id": "web"}`), "key pending"},
		},
		"rebuilt with another key": {
			{event(start), "up"},
			{event(`salt/auth	{"result": false, "act": "denied", "id": "web"}`), "up"},
			{status(false, 0), "key denied"},
			{event(`salt/auth	{"result": true, "act": "accept", "id": "web"}`), "up"},
		},
		"events of others": {
			{event(start), "up"},
			{event(`salt/job/` + job1 + `/ret/web	{"id": "db", "fun": "state.apply", "return": ` + broken + `, "retcode": 2}`), "up"},
			{event(`salt/job/` + job1 + `/prog/web/1	{"id": "db", "data": {"len": 3}}`), "up"},
			{event(`salt/job/*/new	{"fun": "state.apply", "minions": ["web"]}`), "up"},
			{event(`my/own/tag	{"id": "web", "act": "delete"}`), "up"},
			{event(`salt/key	{"result": false, "act": "delete", "id": "web"}`), "up"},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			tr, now := NewTracker("pi", nil), noon
			for i, s := range steps {
				now = now.Add(time.Second)
				if s.do == nil {
					now = now.Add(busy)
					continue
				}
				version, before := tr.version, words(tr.Statuses())
				s.do(tr, now)
				got := "-"
				if m, ok := tr.Statuses()["web"]; ok {
					got = m.String()
				}
				if got != s.want {
					t.Errorf("after step %d web is %q, want %q", i+1, got, s.want)
				}
				if changed := words(tr.Statuses()) != before; changed && tr.version == version {
					t.Errorf("step %d changes something and does not say so", i+1)
				}
			}
		})
	}
}

// TestTrackerRestored begins with what was known before the server stopped.
func TestTrackerRestored(t *testing.T) {
	result := &model.SaltResult{Job: job1, OK: true}
	known := map[string]model.SaltStatus{}
	for _, state := range []model.SaltState{
		model.SaltNever, model.SaltPending, model.SaltDenied, model.SaltRejected,
		model.SaltUp, model.SaltConfigured, model.SaltDown,
	} {
		s := model.SaltStatus{State: state, Since: noon}
		if state == model.SaltConfigured {
			s.Result = result
		}
		known["m-"+strings.ReplaceAll(string(state), " ", "-")] = s
	}
	known["*"] = model.SaltStatus{State: model.SaltUp}
	tr := NewTracker("pi", known)
	if _, ok := tr.Statuses()["*"]; ok || len(tr.Statuses()) != 7 {
		t.Errorf("the minions are %v", tr.Statuses())
	}
	for id := range tr.minions { // an event that says nothing
		e, _ := ParseEvent([]byte(`salt/auth	{"id": "` + id + `"}`))
		tr.Event(noon.Add(time.Hour), e)
	}
	for id, s := range tr.Statuses() {
		if s.State != known[id].State || !s.Since.Equal(noon) || s.Minion != id {
			t.Errorf("%s is %s since %s", id, s.State, s.Since)
		}
	}
}

// TestTrackerLimit has a machine that comes with one ID after the other.
func TestTrackerLimit(t *testing.T) {
	tr := NewTracker("pi", nil)
	for i := range maxMinions + 10 {
		tr.Event(noon, Event{Tag: "salt/auth", Act: "pend", ID: fmt.Sprintf("m%d", i)})
	}
	tr.Event(noon, Event{Tag: "salt/auth", Act: "pend", ID: "x*"})
	if n := len(tr.minions); n != maxMinions {
		t.Errorf("%d minions are kept", n)
	}
	tr.Keys(noon.Add(-1), noon, Keys{Pending: []string{"m1"}})
	if n := len(tr.minions); n != maxMinions {
		t.Errorf("%d minions are left, which came after the list was asked for", n)
	}
	tr.Keys(noon.Add(1), noon.Add(1), Keys{Pending: []string{"m1"}})
	if n := len(tr.minions); n != 1 {
		t.Errorf("%d minions are left", n)
	}
}
