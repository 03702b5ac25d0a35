package server

import (
	"encoding/json"

	"homelab/model"
)

// How an outlet's device is reached may hold a password, in a URL, a body, a
// header or an argument: it is shown to admins only.

// redacted is a state as those see it who are no admins, kept because it is
// asked for with every screen.
type redacted struct{ from, to *model.State }

// State is the desired state, without what this user may not see.
func (l *lab) State() *model.State {
	state := l.s.store.State()
	if l.User().Role == model.RoleAdmin {
		return state
	}
	if r := l.seen.Load(); r != nil && r.from == state {
		return r.to
	}
	to := state.Clone()
	for name, o := range to.Outlets {
		o.ClearDevice()
		to.Outlets[name] = o
	}
	for name, r := range to.Roles {
		if r.UserData != "" {
			r.UserData = model.Withheld
			to.Roles[name] = r
		}
	}
	to.Settings.NotifyCommand = nil // an argument may be a token
	l.seen.Store(&redacted{state, to})
	return to
}

// History is the revisions, without what this user may not see.
func (l *lab) History(before uint64, limit int) ([]model.Revision, error) {
	revisions, err := l.s.store.Revisions(before, limit)
	if err != nil || l.User().Role == model.RoleAdmin {
		return revisions, err
	}
	for n := range revisions {
		changes := make([]model.ObjectChange, len(revisions[n].Changes))
		for i, c := range revisions[n].Changes {
			switch c.Kind {
			case model.KindOutlet:
				c.Before, c.After = without(c.Before, model.DeviceKeys()...), without(c.After, model.DeviceKeys()...)
			case model.KindRole:
				c.Before, c.After = without(c.Before, "user_data"), without(c.After, "user_data")
			case model.KindSettings:
				c.Before, c.After = without(c.Before, "notify_command"), without(c.After, "notify_command")
			}
			changes[i] = c
		}
		revisions[n].Changes = changes
	}
	return revisions, nil
}

// without is an object without some of its fields.
func without(object json.RawMessage, keys ...string) json.RawMessage {
	var fields map[string]json.RawMessage
	if len(object) == 0 || json.Unmarshal(object, &fields) != nil {
		return nil
	}
	for _, key := range keys {
		delete(fields, key)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return text
}
