package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

func users(s *session) noun[model.User] {
	return noun[model.User]{
		s: s, kind: model.KindUser, word: "user", plural: "users",
		all:   func(st *model.State) map[string]model.User { return st.Users },
		name:  func(u *model.User) *string { return &u.Name },
		fresh: func(name string) model.User { return model.User{Name: name, Role: model.RoleViewer} },
		fields: func(f *fields[model.User]) {
			f.text("role", "viewer, operator or admin", func(u *model.User) *string { return (*string)(&u.Role) })
			f.choices("role", string(model.RoleViewer), string(model.RoleOperator), string(model.RoleAdmin))
		},
		next:   "key add %s < id_ed25519.pub",
		json:   func(_ *model.State, u model.User) any { return u },
		header: []string{"name", "role", "keys", "changed"},
		row: func(_ *model.State, u model.User) []cell {
			return []cell{{text: u.Name}, {text: string(u.Role)}, plainCell("%d", len(u.Keys)), {text: s.age(u.Changed)}}
		},
	}
}

func userCommand(s *session) *cobra.Command {
	n := users(s)
	return parent(
		&cobra.Command{Use: "user", Aliases: []string{"users"}, Short: "The people who may connect"},
		n.list(),
		n.add("user add alice --role admin", "Add a user, a viewer unless --role says more. It is a key that lets a person in: key add NAME < id_ed25519.pub"),
		n.edit("user edit alice --name bob"),
		removeUser(s, n),
	)
}

func removeUser(s *session, n noun[model.User]) *cobra.Command {
	cmd := n.remove("Remove users, and with them their keys.")
	remove := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, name := range args {
			if name == s.lab.User().Name {
				return hint(fmt.Errorf("you are %s, and would lock yourself out", name), "let another user do that")
			}
		}
		return remove(cmd, args)
	}
	return cmd
}
