package salt

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
)

// fakeSource is a master in a bubble of synctest, whose clock it goes by.
type fakeSource struct {
	mu      sync.Mutex
	keys    func() (Keys, error)
	status  func() (Status, error)
	lookup  func(job string) (map[string]model.SaltResult, error)
	apply   func()
	open    func() ([]timed, error) // the lines of the next stream
	opened  []time.Time
	read    []time.Time
	current *fakeStream
}

// timed is a line that comes at a time.
type timed struct {
	at   time.Time
	line string
}

func newFakeSource() *fakeSource {
	return &fakeSource{
		keys:   func() (Keys, error) { return Keys{Accepted: []string{"web"}}, nil },
		status: func() (Status, error) { return Status{Asked: time.Now(), Up: []string{"web"}}, nil },
		lookup: func(string) (map[string]model.SaltResult, error) { return nil, nil },
		apply:  func() {},
		open:   func() ([]timed, error) { return nil, nil },
	}
}

func (s *fakeSource) Keys(context.Context) (Keys, error) {
	s.mu.Lock()
	s.read = append(s.read, time.Now())
	keys := s.keys
	s.mu.Unlock()
	return keys()
}

func (s *fakeSource) Status(context.Context) (Status, error) {
	s.mu.Lock()
	status := s.status
	s.mu.Unlock()
	return status()
}

// set changes the master while it is followed.
func (s *fakeSource) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *fakeSource) StartApply(context.Context, []string) (string, error) {
	s.apply()
	return job1, nil
}

func (s *fakeSource) Lookup(_ context.Context, job string) (map[string]model.SaltResult, error) {
	return s.lookup(job)
}

func (s *fakeSource) events(context.Context) (stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, time.Now())
	lines, err := s.open()
	if err != nil {
		return nil, err
	}
	s.current = &fakeStream{lines: lines, more: make(chan string), closed: make(chan struct{})}
	return s.current, nil
}

// say sends a line now.
func (s *fakeSource) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.more <- line
}

type fakeStream struct {
	lines  []timed
	more   chan string
	closed chan struct{}
}

const eof = "EOF" // ends a stream

func (s *fakeStream) Read() ([]byte, error) {
	var next <-chan time.Time
	if len(s.lines) > 0 {
		next = time.After(time.Until(s.lines[0].at))
	}
	line := ""
	select {
	case <-next:
		line, s.lines = s.lines[0].line, s.lines[1:]
	case line = <-s.more:
	case <-s.closed:
		return nil, io.EOF
	}
	if line == eof {
		return nil, io.EOF
	}
	return []byte(line), nil
}

func (s *fakeStream) Close() error {
	close(s.closed)
	return errors.New("said at its end")
}

// running runs a follower in a bubble and ends it after the test.
func running(t *testing.T, s *fakeSource, opts Options) *Follower {
	t.Helper()
	f := NewFollower(opts)
	f.src = s
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the follower ended with %v", err)
		}
	})
	synctest.Wait()
	return f
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// seconds are times since a beginning.
func seconds(begin time.Time, times []time.Time) []int {
	var all []int
	for _, at := range times {
		all = append(all, int(at.Sub(begin).Round(time.Second)/time.Second))
	}
	return all
}

// TestFollowReplay follows the recorded session with its pauses: a master that
// is restarted without a word, and minions that come back without one.
func TestFollowReplay(t *testing.T) {
	events := recordedEvents(t)
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		lines := make([]timed, len(events))
		for i, e := range events {
			lines[i] = timed{begin.Add(e.at.Sub(events[0].at)), e.line}
		}
		s := newFakeSource()
		s.open = func() ([]timed, error) {
			for len(lines) > 0 && lines[0].at.Before(time.Now()) {
				lines = lines[1:] // lost: nobody was there
			}
			return lines, nil
		}
		restarted := func() bool { return time.Since(begin) > 600*time.Second }
		s.keys = func() (Keys, error) {
			if restarted() {
				return Keys{Accepted: []string{"bad_on_thinkpad", "db_on_thinkpad"}, Rejected: []string{"rogue_on_nowhere"}}, nil
			}
			return Keys{}, errors.New("not asked yet")
		}
		s.status = func() (Status, error) {
			return Status{Asked: time.Now(), Up: []string{"bad_on_thinkpad"}, Down: []string{"db_on_thinkpad"}}, nil
		}
		var errs []string
		f := running(t, s, Options{Master: Master{Name: "pi"}, LoopInterval: 15 * time.Second, Changed: func(s Snapshot) {
			if s.Error != "" && !strings.Contains(s.Error, "not asked yet") {
				errs = append(errs, s.Error)
			}
		}})
		at := func(second int) { pass(time.Until(begin.Add(time.Duration(second) * time.Second))) }
		at(571)
		if got := words(f.Snapshot().Minions); got != `bad failed: always_fails: Command "echo to-out; echo to-err >&2; exit 3" run; db key pending; rogue key rejected; web never seen` {
			t.Errorf("before the gap: %s", got)
		}
		at(619) // three intervals after the last line at 571.8, and a second's pause
		if diff := cmp.Diff([]int{0, 618}, seconds(begin, s.opened)); diff != "" {
			t.Errorf("streams began (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"no event for 45s: the master was stopped or restarted"}, errs); diff != "" {
			t.Errorf("errors (-want +got):\n%s", diff)
		}
		if got := words(f.Snapshot().Minions); got != `bad failed: always_fails: Command "echo to-out; echo to-err >&2; exit 3" run; db never seen; rogue key rejected` {
			t.Errorf("after the gap: %s", got)
		}
		s.set(func() { s.keys = func() (Keys, error) { return Keys{}, errors.New("not asked yet") } })
		at(1180)
		if got := words(f.Snapshot().Minions); !strings.HasSuffix(got, "vm1 configured, 2 changed; web configured, 1 changed") {
			t.Errorf("at the end: %s", got)
		}
		if n := len(s.opened); n != 2 {
			t.Errorf("%d streams began", n)
		}
	})
}

func TestFollowBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newFakeSource()
		s.open = func() ([]timed, error) {
			switch n := len(s.opened); {
			case n == 2:
				return nil, errors.New("no such file")
			case n == 9:
				return []timed{{time.Now().Add(61 * time.Second), eof}}, nil
			default:
				return []timed{{time.Now(), eof}}, nil
			}
		}
		f := running(t, s, Options{Master: Master{Name: "pi"}})
		if s := f.Snapshot(); s.Error != "the event stream ended: said at its end" || !s.Reached || words(s.Minions) == "" {
			t.Errorf("after the first stream: %+v", s)
		}
		pass(1500 * time.Millisecond)
		if s := f.Snapshot(); s.Error != "no such file" {
			t.Errorf("after the second stream: %+v", s)
		}
		pass(time.Until(begin.Add(312 * time.Second)))
		// The pauses are 1, 2, 4, … up to 60 s, and 1 s again after a stream that
		// lasted longer than that.
		if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31, 63, 123, 183, 245, 247, 251, 259, 275, 307}, seconds(begin, s.opened)); diff != "" {
			t.Errorf("streams began (-want +got):\n%s", diff)
		}
	})
}

// TestFollowQuiet has a master without presence events: silence is no news,
// and who is up is asked every few minutes.
func TestFollowQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newFakeSource()
		running(t, s, Options{Master: Master{Name: "pi"}})
		pass(21 * time.Minute)
		if diff := cmp.Diff([]int{0}, seconds(begin, s.opened)); diff != "" {
			t.Errorf("streams began (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{0, 300, 600, 900, 1200}, seconds(begin, s.read)); diff != "" {
			t.Errorf("everything was read (-want +got):\n%s", diff)
		}
	})
}

// TestFollowStuck has a master whose stream says nothing more after a time: it
// is started again while that may help, and who is up is asked all the same.
func TestFollowStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newFakeSource()
		running(t, s, Options{Master: Master{Name: "pi"}})
		s.say(`salt/presence/present	{"present": ["web"]}`)
		pass(20 * time.Minute)
		if diff := cmp.Diff([]int{0, 181, 362}, seconds(begin, s.opened)); diff != "" {
			t.Errorf("streams began (-want +got):\n%s", diff)
		}
		if n := len(s.read); n != 3+2 {
			t.Errorf("everything was read %d times", n)
		}
	})
}

// TestFollowHints has events that only hint at something, and many of them.
func TestFollowHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := newFakeSource()
		f := running(t, s, Options{Master: Master{Name: "pi"}})
		pass(30 * time.Second)
		for range 100 {
			s.say(`salt/presence/change	{"new": ["web"], "lost": []}`)
		}
		pass(30 * time.Second)
		s.say(`salt/presence/present	{"present": ["web"]}`) // not a hint
		pass(30 * time.Second)
		f.Refresh()
		pass(time.Second)
		if diff := cmp.Diff([]int{0, 30, 35, 90}, seconds(begin, s.read)); diff != "" {
			t.Errorf("everything was read (-want +got):\n%s", diff)
		}
	})
}

// TestFollowDown has a master that is down for a time: its keys are known all
// the same, and nothing that was known is lost.
func TestFollowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource()
		up := s.status
		s.status = func() (Status, error) { return Status{}, errors.New("not responding") }
		changes := 0
		f := running(t, s, Options{
			Master: Master{Name: "pi"}, Changed: func(Snapshot) { changes++ },
			Known: map[string]model.SaltStatus{"web": {State: model.SaltConfigured, Since: noon, Result: &model.SaltResult{OK: true}}},
		})
		if s := f.Snapshot(); s.Reached || s.Since.IsZero() || s.Error != "not responding" || len(s.Keys.Accepted) != 1 || words(s.Minions) != "web configured" {
			t.Errorf("while it is down: %+v", s)
		}
		s.set(func() { s.status = up })
		pass(6 * time.Minute)
		if s := f.Snapshot(); !s.Reached || s.Error != "" || words(s.Minions) != "web configured" {
			t.Errorf("when it is up: %+v", s)
		}
		if n := len(s.opened); n != 2 {
			t.Errorf("%d streams began: one more when the master is back", n)
		}
		before := changes
		pass(time.Hour)
		if changes != before {
			t.Errorf("%d changes of nothing", changes-before)
		}
	})
}

func TestApply(t *testing.T) {
	lookedUp := map[string]model.SaltResult{"db": {Job: job1, OK: true}}
	keys := func() (Keys, error) { return Keys{Accepted: []string{"db", "gone", "web"}}, nil }
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource()
		s.keys = keys
		s.status = func() (Status, error) {
			return Status{Asked: time.Now(), Up: []string{"db", "web"}, Down: []string{"gone"}}, nil
		}
		f := running(t, s, Options{Master: Master{Name: "pi"}})
		s.apply = func() { // the events are there before the job's ID is known
			s.say(ret(job2, broken, 2, "")) // another job
			s.say(ret(job1, good, 0, queue))
		}
		begin := time.Now()
		s.lookup = func(string) (map[string]model.SaltResult, error) {
			if time.Since(begin) < 10*time.Second {
				return nil, nil
			}
			return lookedUp, nil // its event came while nobody listened
		}
		var got []string
		err := f.Apply(t.Context(), []string{"web", "db", "gone", "stranger"}, func(o Outcome) {
			at := time.Since(begin).Round(time.Second).String()
			if o.Err != nil {
				got = append(got, at+" "+o.Err.Error())
			} else if o.Result.OK {
				got = append(got, at+" "+o.Minion+" ok")
			}
		})
		want := []string{
			"0s web ok", "20s db ok",
			"40s minion gone is not there (never seen)", "40s minion stranger has no accepted key on master pi",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v, outcomes (-want +got):\n%s", err, diff)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSource()
		f := running(t, s, Options{Master: Master{Name: "pi"}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := f.Apply(ctx, []string{"web"}, func(o Outcome) { t.Errorf("there is an outcome: %+v", o) })
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), job1) {
			t.Errorf("the error is %v", err)
		}
	})
}
