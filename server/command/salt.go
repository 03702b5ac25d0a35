package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// saltMasterJSON is a master as it is shown; without a status it is not asked.
type saltMasterJSON struct {
	model.SaltMaster
	Status *model.SaltMasterStatus `json:"status,omitempty"`
}

func saltMasters(s *session) noun[model.SaltMaster] {
	return noun[model.SaltMaster]{
		s: s, kind: model.KindSaltMaster, word: "salt master", plural: "Salt masters",
		all:    func(st *model.State) map[string]model.SaltMaster { return st.SaltMasters },
		name:   func(m *model.SaltMaster) *string { return &m.Name },
		fresh:  model.NewSaltMaster,
		fields: saltMasterFields,
		next:   "salt setup %s",
		json: func(_ *model.State, m model.SaltMaster) any {
			return saltMasterJSON{m, s.masterStatus(m.Name)}
		},
		header: []string{"name", "address", "serves", "default", "reach", "state"},
		row: func(st *model.State, m model.SaltMaster) []cell {
			return []cell{
				{text: m.Name},
				{text: m.Address},
				{text: or(m.Serves, model.ServesVMs)},
				{text: yesNo(st.Settings.SaltMaster == m.Name)},
				{text: strings.Join(m.Reach, " ")},
				s.masterCell(m),
			}
		},
		detail: func(st *model.State, m model.SaltMaster) []pair { return saltMasterDetail(s, st, m) },
	}
}

func saltMasterFields(f *fields[model.SaltMaster]) {
	f.text("address", "host name or IP address that minions use", func(m *model.SaltMaster) *string { return &m.Address })
	f.text("serves", "vms or hypervisors", func(m *model.SaltMaster) *string { return &m.Serves })
	f.words("reach", "what precedes salt on the command line that reaches it, such as 'sudo -n' or 'ssh pi2 sudo -n'; local: nothing; empty: it is not asked", func(m *model.SaltMaster) *[]string { return &m.Reach })
	f.text("repository", "line of the package repository that guests install their minion from; empty: it is in their image", func(m *model.SaltMaster) *string { return &m.Repository })
	f.text("repository-key", "the PGP key that signs it, as text", func(m *model.SaltMaster) *string { return &m.RepositoryKey })
	f.choices("serves", model.ServesVMs, model.ServesHypervisors)
}

// masterStatus is what is known of a master; nil of one that is not asked.
func (s *session) masterStatus(name string) *model.SaltMasterStatus {
	if st, ok := s.observed().SaltMasters[name]; ok {
		return &st
	}
	return nil
}

func (s *session) masterCell(m model.SaltMaster) cell {
	st := s.masterStatus(m.Name)
	switch {
	case !m.Asked():
		return cell{"not asked", faint}
	case st == nil || !st.Reached && st.Error == "":
		return cell{"not reached yet", yellow}
	case st.Error != "":
		return cell{st.Error, red}
	case len(st.Pending) > 0:
		return cell{count(len(st.Pending), "key pending", "keys pending"), yellow}
	case len(st.Strangers) > 0:
		return cell{count(len(st.Strangers), "stranger", "strangers"), yellow}
	}
	return cell{"reached", green}
}

func saltMasterDetail(s *session, st *model.State, m model.SaltMaster) []pair {
	pairs := []pair{
		{"name", cell{text: m.Name}},
		{"state", s.masterCell(m)},
		{"address", cell{text: m.Address}},
		{"serves", cell{text: or(m.Serves, model.ServesVMs)}},
		{"default", cell{text: yesNo(st.Settings.SaltMaster == m.Name)}},
		{"reach", cell{text: or(strings.Join(m.Reach, " "), "none: nothing is asked")}},
		{"repository", cell{text: or(m.Repository, "none: the minion is in the guests' image")}},
	}
	if m.RepositoryKey != "" {
		pairs = append(pairs, pair{"repository key", plainCell("%d bytes", len(m.RepositoryKey))})
	}
	if status := s.masterStatus(m.Name); status != nil {
		for _, id := range status.Pending {
			pairs = append(pairs, pair{"key pending", cell{id, yellow}})
		}
		for _, id := range status.Strangers {
			pairs = append(pairs, pair{"stranger", cell{id, yellow}})
		}
	}
	return append(pairs, pair{"changed", plainCell("%s, in revision %d", s.age(m.Changed), m.Version)})
}

func saltCommand(s *session) *cobra.Command {
	n := saltMasters(s)
	master := parent(
		&cobra.Command{Use: "master", Aliases: []string{"masters"}, Short: "Salt masters that configure the machines"},
		n.list(), n.show(),
		n.add("salt master add pi --address 192.168.1.239 --reach 'sudo -n'", `Add a Salt master. It becomes the default of VMs with:
settings set --salt-master NAME. What its side needs, salt setup NAME says.`),
		n.edit("salt master edit pi --address 192.168.1.240\nsalt master edit pi --reach 'ssh pi2 sudo -n'"),
		n.remove("Remove Salt masters that no VM and no setting names."),
	)
	return parent(&cobra.Command{Use: "salt", Short: "The Salt masters that configure guests"},
		master, saltSetup(s), saltStatus(s), saltHighstate(s), saltCall(s), saltKeys(s), saltAccept(s))
}

func saltSetup(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup [MASTER]",
		Short: "Say what to put where on a Salt master",
		Long: `Say what a Salt master needs to work with the lab: who may run its commands, its
configuration, its reactor and its top file, and how to see that all of it is in
place. Nothing is changed by this.`,
		Example:           "salt setup\nsalt setup pi",
		Args:              atMost("MASTER"),
		ValidArgsFunction: s.nameArgs(model.KindSaltMaster, false),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = model.Names(s.state().SaltMasters)
		}
		if len(args) == 0 {
			return hint(fmt.Errorf("there is no Salt master yet"), "add one with: salt master add NAME --address HOST")
		}
		if err := s.mustExist(model.KindSaltMaster, args...); err != nil {
			return err
		}
		for i, name := range args {
			text, err := s.lab.SaltSetup(name)
			if err != nil {
				return err
			}
			if i > 0 {
				s.sayf("")
			}
			write(s.io.Out, cleanText(text))
		}
		return nil
	}
	return cmd
}
