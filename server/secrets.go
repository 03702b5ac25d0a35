package server

import (
	"context"
	"fmt"
	"slices"

	"homelab/model"
)

// deviceSecrets are the secrets that an outlet's device needs. They go to its
// driver and nowhere else.
func (s *Server) deviceSecrets(o model.Outlet) map[string]string {
	secrets := map[string]string{}
	for _, field := range o.Secrets {
		secrets[field], _ = s.store.Secret(model.Ref{Kind: model.KindOutlet, Name: o.Name}, field)
	}
	return secrets
}

// SetSecret keeps a secret of an outlet's device; an empty value forgets it.
// That there is one is part of the outlet, what it is is not.
func (l *lab) SetSecret(ctx context.Context, via, outlet, field, value string) error {
	if err := l.may(model.RoleAdmin); err != nil {
		return err
	}
	o, ok := l.s.store.State().Outlets[outlet]
	if !ok {
		return notFound(model.KindOutlet, outlet)
	}
	if !o.TakesSecret(field) {
		return fmt.Errorf("outlet %s has the driver %s, which takes no %s", outlet, o.Driver, field)
	}
	if err := l.s.store.SetSecret(model.Ref{Kind: model.KindOutlet, Name: outlet}, field, value); err != nil {
		return err
	}
	l.did("secret", "outlet", outlet, "field", field, "set", value != "")
	if slices.Contains(o.Secrets, field) == (value != "") {
		return nil
	}
	_, err := l.Commit(ctx, via, model.Change(outlet, 0, func(o *model.Outlet) error {
		o.NoteSecret(field, value != "")
		return nil
	}))
	return err
}

// MissingSecrets are the secrets that an outlet's device needs and that nobody
// knows any more: an undo brings an outlet back without them.
func (l *lab) MissingSecrets(outlet string) []string {
	var missing []string
	for field, value := range l.s.deviceSecrets(l.s.store.State().Outlets[outlet]) {
		if value == "" {
			missing = append(missing, field)
		}
	}
	slices.Sort(missing)
	return missing
}
