package salt

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Event is one line of the event stream. Its fields are those that we act on;
// which of them mean something depends on the tag.
//
// An event is a hint: whoever is root in a guest can send any. What matters,
// such as whose key is pending, is asked of the master again.
type Event struct {
	Tag string `json:"-"`

	ID      string          `json:"id"`
	Act     string          `json:"act"`
	Result  *bool           `json:"result"`
	Job     string          `json:"jid"`
	Fun     string          `json:"fun"`
	Arg     json.RawMessage `json:"arg"`      // of a new job
	FunArgs json.RawMessage `json:"fun_args"` // of a return
	Minions []string        `json:"minions"`
	Success *bool           `json:"success"`
	Retcode json.RawMessage `json:"retcode"`
	Return  json.RawMessage `json:"return"`
	New     []string        `json:"new"`
	Lost    []string        `json:"lost"`
	Data    json.RawMessage `json:"data"`
	Len     int             `json:"len"`
}

// ParseEvent reads a line. What is no event, such as the traceback that the
// stream ends with, is not ok.
func ParseEvent(line []byte) (e Event, ok bool) {
	tag, data, found := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte{'\t'})
	if !found || len(tag) == 0 || bytes.ContainsAny(tag, " \"{") || !utf8.Valid(tag) {
		return Event{}, false
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' || !json.Valid(data) {
		return Event{}, false
	}
	// A field of another type than Salt's own events have it is left out.
	_ = json.Unmarshal(data, &e)
	e.Tag = string(tag)
	return e, true
}

// heartbeat tells whether the master itself sends e every loop_interval.
func (e Event) heartbeat() bool { return strings.HasPrefix(e.Tag, "salt/presence/") }

// returns tells whether e is what a state function returned, where and of
// which job.
func (e Event) returns() (job, minion string, ok bool) {
	part := strings.Split(e.Tag, "/")
	if len(part) != 5 || part[0] != "salt" || part[1] != "job" || part[3] != "ret" || e.ID != part[4] || !stateFunctions[e.Fun] {
		return "", "", false
	}
	return part[2], part[4], true
}

// failed tells whether a return says that the function failed.
func (e Event) failed() bool {
	if e.Success != nil && !*e.Success {
		return true
	}
	var code float64
	return len(e.Retcode) > 0 && (json.Unmarshal(e.Retcode, &code) != nil || code != 0)
}

// progress is how many states a run has of which one has just ended; older
// and batched events have it at different depths.
func (e Event) progress() int {
	var inner struct {
		Len int `json:"len"`
	}
	_ = json.Unmarshal(e.Data, &inner)
	return max(e.Len, inner.Len)
}

// scope is how much a state function was asked to do.
type scope struct {
	full bool // the whole state of the minion
	dry  bool // and only to say what it would do
}

func scopeOf(fun string, args json.RawMessage) scope {
	s := scope{full: fun == "state.apply" || fun == "state.highstate"}
	var list []json.RawMessage
	_ = json.Unmarshal(args, &list)
	for _, arg := range list {
		var keyed map[string]any
		if json.Unmarshal(arg, &keyed) != nil {
			s.full = false // the names of some SLS files
			continue
		}
		if test, given := keyed["test"]; given && test != false && test != nil {
			s.dry = true
		}
		for _, key := range []string{"mods", "exclude"} {
			if _, given := keyed[key]; given {
				s.full = false
			}
		}
	}
	return s
}
