package salt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"homelab/model"
)

// Return is what one minion answered to a call.
type Return struct {
	Minion string
	Down   bool              // it did not answer
	Value  json.RawMessage   // JSON as it came; nil if Down
	Result *model.SaltResult // of a function that runs states
}

// Failed tells whether the minion did not answer or its states failed. Of
// other functions Salt does not say it: then Call's error does.
func (r Return) Failed() bool { return r.Down || r.Result != nil && !r.Result.OK }

// CallError is of a call that some minions did not carry out.
type CallError struct {
	Down   []string // did not answer
	Failed []string // their states failed
	Said   string   // by salt, where it does not say who failed
}

func (e *CallError) Error() string {
	var parts []string
	if len(e.Down) > 0 {
		parts = append(parts, "no answer from "+strings.Join(e.Down, ", "))
	}
	if len(e.Failed) > 0 {
		parts = append(parts, "failed on "+strings.Join(e.Failed, ", "))
	}
	if len(parts) == 0 {
		parts = []string{e.Said}
	}
	return strings.Join(parts, "; ")
}

// Call calls a function on minions and hands over each answer as it comes. It
// has no deadline but ctx's, and returns nil only if every minion answered and
// none failed, else a *CallError or why there were no answers at all.
func (m Master) Call(ctx context.Context, ids []string, fun string, args []string, each func(Return)) error {
	if err := errors.Join(checkIDs(ids), CheckFunction(fun)); err != nil {
		return err
	}
	c := call{ids: ids, fun: fun, each: each, seen: map[string]bool{}}
	s := splitter{doc: c.document}
	words := callWords(ids, fun, args)
	a, err := m.start(ctx, "", &s, words...)
	cut := s.Close()
	switch {
	case err != nil:
		return err
	case c.trouble != "":
		return m.failed(words, c.trouble)
	case cut != nil:
		return m.failed(words, "its answer was cut")
	case len(c.seen) == 0 && (a.exit != 0 || len(s.prose) > 0):
		if len(s.prose) > 0 {
			return m.failed(words, lastLine(s.prose[len(s.prose)-1]))
		}
		return m.failed(words, said(a))
	}
	return c.verdict(a)
}

// callWords keeps arguments from being taken for options of salt itself.
func callWords(ids []string, fun string, args []string) []string {
	words := []string{"salt", "--out=json", "--out-indent=-1", "-L"}
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") }) {
		words = append(words, "--")
	}
	return append(append(words, strings.Join(ids, ","), fun), args...)
}

type call struct {
	ids          []string
	fun          string
	each         func(Return)
	seen         map[string]bool
	down, failed []string
	trouble      string
}

func (c *call) document(b []byte) {
	var values map[string]json.RawMessage
	if json.Unmarshal(b, &values) != nil {
		c.trouble = lastLine(text(b))
		return
	}
	for _, id := range c.ids {
		value, ok := values[id]
		if !ok || c.seen[id] {
			continue
		}
		c.seen[id] = true
		r := Return{Minion: id, Value: value}
		if strings.HasPrefix(text(value), "Minion did not return.") {
			r.Down, r.Value = true, nil
		} else if stateFunctions[c.fun] {
			result := parseResult("", time.Now(), value, false)
			r.Result = &result
		}
		c.take(r)
	}
}

func (c *call) take(r Return) {
	switch {
	case r.Down:
		c.down = append(c.down, r.Minion)
	case r.Failed():
		c.failed = append(c.failed, r.Minion)
	}
	c.each(r)
}

func (c *call) verdict(a answer) error {
	for _, id := range c.ids {
		if !c.seen[id] {
			c.seen[id] = true
			c.take(Return{Minion: id, Down: true})
		}
	}
	if len(c.down)+len(c.failed) == 0 && a.exit == 0 {
		return nil
	}
	e := &CallError{Down: c.down, Failed: c.failed}
	if a.exit != 0 {
		e.Said = fmt.Sprintf("salt says that not all went well: %s", said(answer{stderr: a.stderr, exit: a.exit}))
	}
	return e
}
