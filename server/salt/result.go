package salt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"homelab/model"
)

// stateFunctions run states, and answer with them.
var stateFunctions = map[string]bool{
	"state.apply": true, "state.highstate": true, "state.sls": true, "state.sls_id": true,
	"state.single": true, "state.top": true, "state.low": true, "state.high": true,
}

// chunk is one state as Salt returns it, under a key such as
// file_|-motd_file_|-/etc/motd_|-managed.
type chunk struct {
	Name     string          `json:"name"`
	ID       string          `json:"__id__"`
	SLS      string          `json:"__sls__"`
	Run      int             `json:"__run_num__"`
	Result   *bool           `json:"result"` // null: would change, in a dry run
	Comment  json.RawMessage `json:"comment"`
	Changes  json.RawMessage `json:"changes"`
	Duration json.RawMessage `json:"duration"` // milliseconds
}

// parseResult reads what a state function returned: a map of states, or a list
// of reasons why none was carried out. A minion that says that it failed has
// failed, whatever its states say.
func parseResult(job string, at time.Time, value json.RawMessage, failed bool) model.SaltResult {
	r := model.SaltResult{Job: job, At: at, OK: !failed, Steps: []model.SaltStep{}}
	var chunks map[string]json.RawMessage
	if json.Unmarshal(value, &chunks) == nil && chunks != nil {
		r.Steps = steps(chunks)
		if slices.ContainsFunc(r.Steps, func(s model.SaltStep) bool { return !s.OK }) {
			r.OK = false
		}
		return r
	}
	r.OK = false
	if json.Unmarshal(value, &r.Errors) == nil && len(r.Errors) > 0 {
		for i := range r.Errors {
			r.Errors[i] = clean(r.Errors[i])
		}
		return r
	}
	r.Errors = []string{text(value)}
	return r
}

func steps(chunks map[string]json.RawMessage) []model.SaltStep {
	type numbered struct {
		step model.SaltStep
		run  int
	}
	var all []numbered
	for _, key := range slices.Sorted(maps.Keys(chunks)) {
		var c chunk
		if json.Unmarshal(chunks[key], &c) != nil {
			c = chunk{Comment: chunks[key], Result: new(bool)}
		}
		all = append(all, numbered{c.step(key), c.Run})
	}
	slices.SortStableFunc(all, func(a, b numbered) int { return cmp.Compare(a.run, b.run) })
	out := make([]model.SaltStep, len(all))
	for i, n := range all {
		out[i] = n.step
	}
	return out
}

func (c chunk) step(key string) model.SaltStep {
	parts := strings.Split(key, "_|-")
	s := model.SaltStep{
		ID: c.ID, Name: c.Name, SLS: c.SLS, Function: key,
		OK: c.Result == nil || *c.Result, Changes: []string{}, Comment: text(c.Comment),
	}
	if n := len(parts); n >= 4 {
		s.Function = parts[0] + "." + parts[n-1]
		s.ID = cmp.Or(s.ID, parts[1])
		s.Name = cmp.Or(s.Name, strings.Join(parts[2:n-1], "_|-"))
	}
	var ms float64
	if json.Unmarshal(c.Duration, &ms) == nil {
		s.Seconds = ms / 1000
	}
	s.Changes = changes(c.Changes)
	for _, t := range []*string{&s.ID, &s.Name, &s.SLS, &s.Function} {
		*t = clean(*t)
	}
	return s
}

// changes are the keys of what changed. Salt has a map, empty where nothing
// changed; states of others return lists and texts too.
func changes(raw json.RawMessage) []string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) == nil {
		keys := make([]string, 0, len(m))
		for _, key := range slices.Sorted(maps.Keys(m)) {
			keys = append(keys, clip(key))
		}
		return keys
	}
	if t := text(raw); t != "" && t != "[]" && t != "false" {
		return []string{clip(t)}
	}
	return []string{}
}

// text is a value for people: a string as it is, the rest as JSON.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return clean(s) // also null
	}
	return clean(string(bytes.TrimSpace(raw)))
}

var runningAs = regexp.MustCompile(`^The function "state\.[a-z_]+" is running as PID \d+ and was started at .* with jid (\d{20})$`)

// alreadyRunning tells whether a state run was refused because another is
// under way, and which.
func alreadyRunning(r model.SaltResult) (job string, ok bool) {
	if len(r.Errors) != 1 {
		return "", false
	}
	m := runningAs.FindStringSubmatch(strings.TrimSpace(r.Errors[0]))
	if m == nil {
		return "", false
	}
	return m[1], true
}
