package salt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

// recorded is a line of the recorded stream and when it came.
type recorded struct {
	at   time.Time
	line string
}

func recordedEvents(t testing.TB) []recorded {
	t.Helper()
	var all []recorded
	for line := range strings.Lines(mustRecord(t, "events-full.ts")) {
		stamp, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seconds, err := strconv.ParseFloat(stamp, 64)
		if !ok || err != nil {
			t.Fatalf("the recording has %q", line)
		}
		all = append(all, recorded{time.UnixMilli(int64(seconds * 1000)).UTC(), rest})
	}
	return all
}

// words are the states of all minions, as people read them.
func words(minions map[string]model.SaltStatus) string {
	var all []string
	for _, id := range slices.Sorted(maps.Keys(minions)) {
		name, _, _ := strings.Cut(id, "_")
		all = append(all, fmt.Sprintf("%s %s", name, minions[id]))
	}
	return strings.Join(all, "; ")
}

// TestReplay folds the recorded session and looks at it after some lines. The
// recording is of a master without progress events.
func TestReplay(t *testing.T) {
	const (
		alwaysFails = `bad failed: always_fails: Command "echo to-out; echo to-err >&2; exit 3" run`
		renderBad   = "web failed: Rendering SLS 'base:renderbad' failed: Jinja variable 'nosuchvar' is undefined; line 3"
	)
	steps := []struct {
		line int // after this one
		want string
	}{
		{1, "web key pending"},
		{12, "rogue key pending; web key pending"},
		{13, "rogue key pending; web never seen"}, // accepted, and not come again yet
		{14, "rogue key pending; web up"},
		{15, "rogue key rejected; web up"},
		{20, "rogue key rejected; web configuring"},
		{23, "rogue key rejected; web configured, 2 changed"},
		{30, "bad key pending; db key pending; rogue key rejected; web configured, 2 changed"},
		{42, "bad configuring; db up; rogue key rejected; web configured, 2 changed"},
		{51, alwaysFails + "; db configured, 2 changed; rogue key rejected; web configured, 2 changed"},
		{85, "bad configuring; db configuring; rogue key rejected; web configuring"},
		{91, alwaysFails + "; db configured, 1 changed; rogue key rejected; web configured, 1 changed"},
		{105, alwaysFails + "; db configured, 1 changed; rogue key rejected; web configuring"},
		{107, alwaysFails + "; db configured, 1 changed; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"},
		{132, alwaysFails + "; db configured, 1 changed; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"},
		{133, alwaysFails + "; db down; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"},
		{160, alwaysFails + "; db down; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"}, // presence says that db is there
		{166, alwaysFails + "; db down; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"}, // a job that db never hears of
		{182, alwaysFails + "; db down; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"}, // presence says that all are lost
		{184, alwaysFails + "; db configured, 1 changed; rogue key rejected; web failed: No matching sls found for 'nosuch' in env 'base'"},
		{201, "bad configuring; db configuring; rogue key rejected; web configuring"},
		{206, alwaysFails + "; db configured, 1 changed; rogue key rejected; web configured, 1 changed"},
		{255, alwaysFails + "; db never seen; rogue key rejected; web configured, 1 changed"}, // key deleted
		{265, alwaysFails + "; db key pending; rogue key rejected; web configured, 1 changed"},
		{276, alwaysFails + "; db key pending; rogue key rejected; web configured, 1 changed"}, // a second web is denied, the first lives
		{281, alwaysFails + "; db key pending; rogue key rejected; web never seen"},
		{300, alwaysFails + "; db key pending; rogue key rejected; web key pending"},
		{302, alwaysFails + "; db up; rogue key rejected; web key pending"}, // its acceptance was lost in a gap
		{335, alwaysFails + "; db up; rogue key rejected; web up"},
		{357, alwaysFails + "; db up; rogue key rejected; web configuring"},
		{358, alwaysFails + "; db up; rogue key rejected; web configuring"}, // the second run was refused, the first goes on
		{363, alwaysFails + "; db up; rogue key rejected; web up"},          // one SLS is not the whole
		{370, alwaysFails + "; db up; rogue key rejected; " + renderBad},
		{381, alwaysFails + "; db up; rogue key rejected; " + renderBad}, // another SLS does not mend it
		{384, alwaysFails + "; db up; rogue key rejected; web configuring"},
		{386, alwaysFails + "; db up; rogue key rejected; web configured, 1 changed"},
		{418, alwaysFails + "; db up; rogue key rejected; vm1 up; web configured, 1 changed"}, // pre-seeded: accepted at first sight
		{423, alwaysFails + "; db up; rogue key rejected; vm1 configuring; web configured, 1 changed"},
		{425, alwaysFails + "; db up; rogue key rejected; vm1 configured, 2 changed; web configured, 1 changed"},
		{437, alwaysFails + "; db up; rogue key rejected; vm1 never seen; web configured, 1 changed"},
	}
	tracker, events, done := NewTracker("pi", nil), recordedEvents(t), 0
	for _, step := range steps {
		for ; done < step.line; done++ {
			e, ok := ParseEvent([]byte(events[done].line))
			if !ok {
				t.Fatalf("line %d is no event", done+1)
			}
			tracker.Event(events[done].at, e)
		}
		if diff := cmp.Diff(step.want, words(tracker.Statuses())); diff != "" {
			t.Errorf("after line %d (-want +got):\n%s", step.line, diff)
		}
	}
	web := tracker.Statuses()["web_on_thinkpad"]
	if r := web.Result; r.Job != "20261122073919602394" || !r.At.Equal(events[385].at) || !web.Since.Equal(r.At) || web.Master != "pi" {
		t.Errorf("web was configured by %+v since %s", r, web.Since)
	}
}

// TestReplayCut cuts every line everywhere: no part of an event is one, and
// nothing comes of it.
func TestReplayCut(t *testing.T) {
	for i, r := range recordedEvents(t) {
		step := max(1, len(r.line)/97)
		for n := 0; n < len(r.line); n += step {
			if e, ok := ParseEvent([]byte(r.line[:n])); ok {
				t.Fatalf("the first %d bytes of line %d are event %s", n, i+1, e.Tag)
			}
		}
	}
}

// TestTraceback reads what the stream ends with on SIGTERM.
func TestTraceback(t *testing.T) {
	for line := range strings.Lines(record(t, "event-sigterm.stdout")) {
		if e, ok := ParseEvent([]byte(line)); ok {
			t.Errorf("%q is event %q", line, e.Tag)
		}
	}
}

// TestExamples reads one line of each kind.
func TestExamples(t *testing.T) {
	n := 0
	for line := range strings.Lines(record(t, "event-examples.tsv")) {
		e, ok := ParseEvent([]byte(line))
		if !ok || !strings.HasPrefix(line, e.Tag+"\t") {
			t.Errorf("%.80q is read as %q, %v", line, e.Tag, ok)
		}
		n++
	}
	if n < 30 {
		t.Errorf("there are only %d examples", n)
	}
}

func FuzzEvent(f *testing.F) {
	for _, r := range recordedEvents(f) {
		if len(r.line) < 2000 {
			f.Add([]byte(r.line))
		}
	}
	for line := range strings.Lines(mustRecord(f, "event-sigterm.stdout")) {
		f.Add([]byte(line))
	}
	f.Add([]byte(prog(3, 5)))
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := ParseEvent(line)
		if !ok {
			return
		}
		tracker := NewTracker("pi", map[string]model.SaltStatus{"web": {State: model.SaltUp}})
		for range 2 {
			tracker.Event(now, e)
			e.returns()
		}
		for id, s := range tracker.Statuses() {
			if CheckID(id) != nil || s.Minion != id || s.Done > max(s.Total, 1) || s.String() == "" {
				t.Errorf("minion %q is %+v", id, s)
			}
		}
	})
}
