package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"homelab/model"
)

type profileJSON struct {
	model.Profile
	VMs []string `json:"vms"`
}

func profiles(s *session) noun[model.Profile] {
	return noun[model.Profile]{
		s: s, kind: model.KindProfile, word: "profile", plural: "profiles",
		all:   func(st *model.State) map[string]model.Profile { return st.Profiles },
		name:  func(p *model.Profile) *string { return &p.Name },
		fresh: func(name string) model.Profile { return model.Profile{Name: name} },
		fields: func(f *fields[model.Profile]) {
			f.truth("await-salt", "while it is active, runs count once the guests are configured by Salt", func(p *model.Profile) *bool { return &p.AwaitSalt })
		},
		json: func(st *model.State, p model.Profile) any {
			return profileJSON{p, members(st, p.Name)}
		},
		header: []string{"name", "active", "vms", "enabled"},
		row: func(st *model.State, p model.Profile) []cell {
			enabled := 0
			for _, name := range members(st, p.Name) {
				if st.VMs[name].Enabled {
					enabled++
				}
			}
			active := cell{text: "no"}
			if p.Active {
				active = cell{"yes", green}
			}
			return []cell{{text: p.Name}, active, plainCell("%d", len(members(st, p.Name))), plainCell("%d", enabled)}
		},
		detail: func(st *model.State, p model.Profile) []pair {
			pairs := []pair{{"name", cell{text: p.Name}}, {"active", cell{text: yesNo(p.Active)}}, {"await salt", cell{text: yesNo(p.AwaitSalt)}}}
			for _, name := range members(st, p.Name) {
				vm := st.VMs[name]
				pairs = append(pairs, pair{"vm", plainCell("%s on %s", name, vm.Hypervisor)})
			}
			return append(pairs, pair{"changed", plainCell("%s, in revision %d", s.age(p.Changed), p.Version)})
		},
	}
}

// members are the VMs of a profile.
func members(st *model.State, profile string) []string {
	names := []string{}
	for _, name := range model.Names(st.VMs) {
		if slices.Contains(st.VMs[name].Profiles, profile) {
			names = append(names, name)
		}
	}
	return names
}

func profileCommand(s *session) *cobra.Command {
	n := profiles(s)
	return parent(
		&cobra.Command{Use: "profile", Aliases: []string{"profiles"}, Short: "Sets of VMs, of which one is active"},
		n.list(), n.show(),
		n.add("profile add weekend", "Add a profile. VMs become members with: vm edit NAME --profile …"),
		n.edit("profile edit weekend --await-salt"),
		n.remove("Remove profiles that no VM is a member of."),
		activateProfile(s),
	)
}

func activateProfile(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "activate NAME",
		Short: "Make a profile the active one",
		Long: `Make a profile the active one. VMs that are not its members lose their domains
and keep their disks; its enabled members get their domains.`,
		Example:           "profile activate weekend --dry-run\nprofile activate weekend --yes",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindProfile, false),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.commit(cmd.Context(), opts, change{
			edit: model.Activate(args[0]),
			done: fmt.Sprintf("profile %s is active", args[0]),
		})
	}
	return cmd
}
