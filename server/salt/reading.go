package salt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"homelab/model"
)

var (
	errEnded = errors.New("the event stream ended")
	errBack  = errors.New("the master is back")
)

// reading is the life of one stream.
type reading struct {
	f      *Follower
	stream stream
	lines  chan []byte
	reads  chan read
	wg     sync.WaitGroup
	busy   bool // everything is being read
	beats  bool // the master said that it is there
	failed bool // everything was read in vain
}

// scan hands over lines until there are no more; at the end nobody wants them,
// but they are read, so that whoever writes them can end.
func (r *reading) scan(ctx context.Context) {
	defer close(r.lines)
	for {
		line, err := r.stream.Read()
		if err != nil {
			return // a line without end was cut
		}
		select {
		case r.lines <- line:
		case <-ctx.Done():
		}
	}
}

// loop takes lines, and reads everything at the beginning, when the stream is
// there already, and whenever it is wanted.
func (r *reading) loop(ctx context.Context) error {
	limit := 3 * r.f.opts.LoopInterval
	silence, rest := time.NewTimer(limit), time.NewTimer(readPause)
	defer silence.Stop()
	defer rest.Stop()
	rest.Stop() // until something was read
	poll := time.NewTicker(r.f.opts.Poll)
	defer poll.Stop()
	for want, rested := true, true; ; {
		if want && rested && !r.busy {
			want, rested = false, false
			r.read(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, ok := <-r.lines:
			if !ok {
				return errEnded
			}
			silence.Reset(limit)
			want = r.line(line) || want
		case answer := <-r.reads:
			rest.Reset(readPause)
			if r.took(answer) {
				return errBack
			}
		case <-poll.C:
			want = true
		case <-r.f.ask:
			want = true
		case <-rest.C:
			rested = true
		case <-silence.C:
			if r.f.beats {
				r.f.beats = r.beats // where nothing comes of it, once is enough
				return fmt.Errorf("no event for %s: the master was stopped or restarted", limit)
			}
		}
	}
}

// line takes a line and says whether everything should be read.
func (r *reading) line(line []byte) (ask bool) {
	e, ok := ParseEvent(line)
	if !ok {
		return false
	}
	if e.heartbeat() {
		r.beats, r.f.beats = true, true
	}
	return r.f.event(e)
}

// took takes what was read, and says whether the master is back: it may not
// have noticed this stream.
func (r *reading) took(answer read) (back bool) {
	r.busy = false
	r.f.take(answer)
	back = r.failed && answer.err == nil
	r.failed = answer.err != nil
	return back
}

// read is everything that a master can be asked.
type read struct {
	asked  time.Time
	keys   Keys
	status Status
	jobs   map[string]map[string]model.SaltResult
	err    error // of keys, else of status: nothing is known of what comes after it
	listed bool  // keys is known
}

// read asks everything, apart from the loop that follows the events.
func (r *reading) read(ctx context.Context) {
	r.busy = true
	src, jobs := r.f.src, r.f.tracker.Open()
	r.wg.Go(func() {
		answer := read{asked: time.Now(), jobs: map[string]map[string]model.SaltResult{}}
		if answer.keys, answer.err = src.Keys(ctx); answer.err == nil {
			answer.listed = true
			answer.status, answer.err = src.Status(ctx)
		}
		for _, job := range jobs {
			if answer.err != nil {
				break
			}
			if found, err := src.Lookup(ctx, job); err == nil {
				answer.jobs[job] = found
			}
		}
		r.reads <- answer
	})
}
