package tui

import (
	"errors"
	"slices"
	"strings"
	"time"

	"homelab/model"
)

// newUserForm edits a user, or adds one with a key if name is empty.
func newUserForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindUser, Name: name}
	return newForm(a, &form{
		ref: ref, verb: verb("user", name),
		load: func(s *model.State) ([]*field, uint64, bool) {
			u, ok := s.Users[name]
			if name == "" {
				u, ok = model.User{Role: model.RoleViewer}, true
			}
			fields := []*field{
				(&field{key: "name", label: "name", hint: "how the history calls them", blank: "–"}).with(name),
				(&field{key: "role", label: "role", kind: choice, hint: "viewer: looks; operator: switches machines and guests; admin: everything", options: []string{string(model.RoleViewer), string(model.RoleOperator), string(model.RoleAdmin)}}).with(string(u.Role)),
			}
			if name == "" {
				fields = append(fields, keyField())
			}
			return fields, u.Version, ok
		},
		edit: edits(ref, func(string) model.User { return model.User{} }, func(u *model.User, v values) error {
			u.Name, u.Role = v["name"], model.Role(v["role"])
			if v["keys"] == "" {
				return nil
			}
			return giveKey(u, v["keys"], a.opts.Now())
		}),
	})
}

func keyField() *field {
	return (&field{key: "keys", label: "key", hint: "a line as in id_ed25519.pub: paste it here; from=, expiry-time= and restrict may stand before it", blank: "–"}).with("")
}

// newKeyForm gives a user one more key.
func newKeyForm(a *app, name string) *form {
	ref := model.Ref{Kind: model.KindUser, Name: name}
	return newForm(a, &form{
		ref: ref, verb: "add a key of " + name,
		load: func(s *model.State) ([]*field, uint64, bool) {
			u, ok := s.Users[name]
			return []*field{keyField()}, u.Version, ok
		},
		edit: edits(ref, func(string) model.User { return model.User{} }, func(u *model.User, v values) error {
			return giveKey(u, v["keys"], a.opts.Now())
		}),
	})
}

// giveKey adds the key that a line holds.
func giveKey(u *model.User, text string, now time.Time) error {
	ref := model.Ref{Kind: model.KindUser, Name: u.Name}
	wrong := func(err error) error {
		return &model.FieldError{Ref: ref, Field: "keys", Value: cut(clean(text), 20), Rule: "is no public key: " + err.Error()}
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return wrong(errors.New("it is a private one, to be kept to yourself"))
	}
	key, err := model.ParseKeyLine(text)
	if err != nil {
		return wrong(err)
	}
	key.Added = now.UTC()
	u.Keys = append(slices.Clone(u.Keys), key)
	return nil
}
