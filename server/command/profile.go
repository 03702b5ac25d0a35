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
and keep their disks; its enabled members get their domains. With --power the
machines that it has VMs to run on are powered on, and those that it has nothing
for are shut down and switched off.`,
		Example:           "profile activate weekend --dry-run\nprofile activate weekend --power --yes",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindProfile, false),
	}
	opts := mutating(cmd)
	power := cmd.Flags().Bool("power", false, "power on the machines that it needs, and off those that it does not")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c := change{edit: model.Activate(args[0]), done: fmt.Sprintf("profile %s is active", args[0])}
		if *power {
			s.withPower(&c, opts, args[0])
		}
		return s.commit(cmd.Context(), opts, c)
	}
	return cmd
}

// withPower has a switch of the profile order the power of machines too.
func (s *session) withPower(c *change, opts options, profile string) {
	on, off := model.SwitchPower(s.state(), s.lab.Status(), profile)
	c.edit = model.ActivateWithPower(profile, on, off)
	c.ask = s.shuttingDown(off)
	for _, order := range []struct {
		names []string
		word  string
	}{{on, "on"}, {off, "off"}} {
		switch {
		case len(order.names) == 0:
		case *opts.dry:
			s.sayer(opts)("%s would be powered %s", clean(andList(order.names)), order.word)
		default:
			c.done += "; " + andList(order.names) + isAre(order.names) + "wanted " + order.word
		}
	}
}
