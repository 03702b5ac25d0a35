package server

import (
	"context"
	"fmt"
	"strings"

	"homelab/model"
)

// did notes what a user did beside the revisions, in the log and in the audit.
// args are keys and values, none of them secret.
func (l *lab) did(what string, args ...any) {
	l.s.log.Info(what, append([]any{"user", l.User().Name}, args...)...)
	words := []string{what}
	for i := 0; i+1 < len(args); i += 2 {
		words = append(words, fmt.Sprintf("%v=%v", args[i], args[i+1]))
	}
	l.note(model.AuditDid, strings.Join(words, " "))
}

func (l *lab) note(kind model.AuditKind, what string) {
	who, err := l.s.identities.of(l.with)
	if err != nil {
		return
	}
	l.s.audit.note(model.Audited{Kind: kind, Who: who.String(), Address: l.with.addr.String(), Key: who.fingerprint, What: what})
}

// Audit is who did what, newest first, to admins.
func (l *lab) Audit(_ context.Context, before uint64, limit int) ([]model.Audited, error) {
	if err := l.may(model.RoleAdmin); err != nil {
		return nil, err
	}
	l.s.audit.settle() // what was just done is there
	return l.s.store.Audit(before, limit)
}

// Sessions are the connections under way: an admin sees all, others their own.
func (l *lab) Sessions() []model.Session {
	all, me := l.s.live.list(), l.User()
	if me.Role == model.RoleAdmin {
		return all
	}
	own := []model.Session{}
	for _, s := range all {
		if s.Who == me.Name {
			own = append(own, s)
		}
	}
	return own
}
