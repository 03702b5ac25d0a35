package command

import (
	"github.com/spf13/cobra"

	"homelab/model"
)

func saltMasters(s *session) noun[model.SaltMaster] {
	return noun[model.SaltMaster]{
		s: s, kind: model.KindSaltMaster, word: "salt master", plural: "Salt masters",
		all:   func(st *model.State) map[string]model.SaltMaster { return st.SaltMasters },
		name:  func(m *model.SaltMaster) *string { return &m.Name },
		fresh: func(name string) model.SaltMaster { return model.SaltMaster{Name: name} },
		fields: func(f *fields[model.SaltMaster]) {
			f.text("address", "host name or IP address that minions use", func(m *model.SaltMaster) *string { return &m.Address })
		},
		json:   func(_ *model.State, m model.SaltMaster) any { return m },
		header: []string{"name", "address", "default"},
		row: func(st *model.State, m model.SaltMaster) []cell {
			return []cell{{text: m.Name}, {text: m.Address}, {text: yesNo(st.Settings.SaltMaster == m.Name)}}
		},
	}
}

func saltCommand(s *session) *cobra.Command {
	n := saltMasters(s)
	master := parent(
		&cobra.Command{Use: "master", Aliases: []string{"masters"}, Short: "Salt masters that guests ask"},
		n.list(),
		n.add("salt master add pi --address 192.168.1.239", "Add a Salt master. It becomes the default with: settings set --salt-master NAME"),
		n.edit("salt master edit pi --address 192.168.1.240"),
		n.remove("Remove Salt masters that no VM and no setting names."),
	)
	return parent(&cobra.Command{Use: "salt", Short: "The Salt masters that configure guests"}, master)
}
