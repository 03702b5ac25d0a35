package salt

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"homelab/model"
)

var jobStarted = regexp.MustCompile(`(?m)^Executed command with job ID: (\d{20})$`)

// StartApply has minions apply their whole state, each after what it applies
// at the moment, and returns the job's ID at once.
func (m Master) StartApply(ctx context.Context, ids []string) (job string, err error) {
	if err := checkIDs(ids); err != nil {
		return "", err
	}
	words := []string{"salt", "--async", "--out=json", "-L", strings.Join(ids, ","), "state.apply", "queue=True"}
	a, err := m.run(ctx, "", words...)
	if err != nil {
		return "", err
	}
	found := jobStarted.FindSubmatch(a.stdout)
	if found == nil {
		if _, trouble, prose := documents(a.stdout); trouble != "" {
			return "", m.failed(words, trouble)
		} else if prose != "" {
			return "", m.failed(words, lastLine(prose))
		}
		return "", m.failed(words, said(a))
	}
	return string(found[1]), nil
}

// Lookup is what has come of a job of states, by minion: nothing until a
// minion has ended.
func (m Master) Lookup(ctx context.Context, job string) (map[string]model.SaltResult, error) {
	if err := checkJob(job); err != nil {
		return nil, err
	}
	words := []string{"salt-run", "jobs.lookup_jid", job, "--out=json"}
	a, err := m.run(ctx, "", words...)
	if err != nil {
		return nil, err
	}
	var found map[string]json.RawMessage
	if err := m.one(a, &found, words...); err != nil {
		return nil, err
	}
	var inner map[string]json.RawMessage
	if data, ok := found["data"]; ok && found["outputter"] != nil && json.Unmarshal(data, &inner) == nil {
		found = inner // as the runner returns it where it is not printed
	}
	results := map[string]model.SaltResult{}
	for id, value := range found {
		results[id] = parseResult(job, time.Now(), value, false)
	}
	return results, nil
}
