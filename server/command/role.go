package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// roleJSON is a role as it is shown, whether or not it has anything of its own.
type roleJSON struct {
	model.GuestRole
	VMs []string `json:"vms"`
}

func roles(s *session) noun[model.GuestRole] {
	return noun[model.GuestRole]{
		s: s, kind: model.KindRole, word: "role", plural: "roles",
		all:    allRoles,
		name:   func(r *model.GuestRole) *string { return &r.Name },
		json:   func(st *model.State, r model.GuestRole) any { return roleJSON{r, ofRole(st, r.Name)} },
		header: []string{"name", "vms", "packages", "user-data"},
		row: func(st *model.State, r model.GuestRole) []cell {
			return []cell{{text: r.Name}, plainCell("%d", len(ofRole(st, r.Name))), {text: strings.Join(r.Packages, ",")}, {text: userDataText(r)}}
		},
	}
}

// allRoles are those that have something and those that VMs bear.
func allRoles(st *model.State) map[string]model.GuestRole {
	all := map[string]model.GuestRole{}
	for _, vm := range st.VMs {
		if vm.Role != "" {
			all[vm.Role] = model.GuestRole{Name: vm.Role}
		}
	}
	for name, r := range st.Roles {
		all[name] = r
	}
	return all
}

func ofRole(st *model.State, role string) []string {
	names := []string{}
	for _, name := range model.Names(st.VMs) {
		if st.VMs[name].Role == role {
			names = append(names, name)
		}
	}
	return names
}

func userDataText(r model.GuestRole) string {
	switch r.UserData {
	case "":
		return "none"
	case model.Withheld:
		return model.Withheld
	}
	return count(strings.Count(strings.TrimRight(r.UserData, "\n"), "\n")+1, "line", "lines")
}

func roleCommand(s *session) *cobra.Command {
	n := roles(s)
	return parent(
		&cobra.Command{
			Use: "role", Aliases: []string{"roles"}, Short: "What guests of a role have beside what all have",
			Long: `A role is a label of VMs that Salt acts on: vm edit NAME --role ROLE. It can have
packages and cloud-init's user-data, which all of its guests get beside what all
guests have. The user-data may hold secrets, so that only admins see it.`,
		},
		n.list(), showRole(s, n), editRole(s), removeRole(s),
	)
}

func showRole(s *session, n noun[model.GuestRole]) *cobra.Command {
	cmd := n.show()
	cmd.Example = "role show web\nrole show web --user-data > web.yaml"
	only := cmd.Flags().Bool("user-data", false, "its user-data and nothing else, as it was given")
	others := cmd.RunE
	cmd.ValidArgsFunction = s.roleArgs(false)
	n.detail = func(st *model.State, r model.GuestRole) []pair {
		pairs := []pair{
			{"name", cell{text: r.Name}},
			{"vms", cell{text: or(strings.Join(ofRole(st, r.Name), ", "), "none")}},
			{"packages", cell{text: or(strings.Join(r.Packages, ", "), "none")}},
			{"user-data", cell{text: userDataText(r)}},
		}
		if r.Version > 0 {
			pairs = append(pairs, pair{"changed", plainCell("%s, in revision %d", s.age(r.Changed), r.Version)})
		}
		return pairs
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, _ := cmd.Flags().GetBool("json")
		r, ok := allRoles(s.state())[args[0]]
		switch {
		case !ok || asJSON:
			return others(cmd, args)
		case !*only:
			s.printPairs(n.detail(s.state(), r))
			return nil
		case r.UserData == model.Withheld:
			return fmt.Errorf("the user-data of role %s is for admins: it may hold secrets", args[0])
		}
		write(s.io.Out, r.UserData) // without control characters, or it was not taken
		return nil
	}
	return cmd
}

func (s *session) roleArgs(many bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, name := range model.Names(allRoles(s.state())) {
			if strings.HasPrefix(name, toComplete) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func editRole(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change what guests of a role have",
		Long: `Change what guests of a role have: packages, and cloud-init's user-data, a map in
YAML (a first line #cloud-config may be there). It is merged into what each guest
has: maps are merged, lists are appended, and what would replace something that
homelab sets itself, such as the host name, is refused.

Most of it reaches a guest when it is rebuilt; bootcmd and what else cloud-init does
at each boot also when it is stopped and started.`,
		Example:           "role edit web --package nginx,certbot\nrole edit web --user-data - < web.yaml\nrole edit web --user-data=",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.roleArgs(false),
	}
	opts := mutating(cmd)
	f := newFields[model.GuestRole](s, cmd)
	f.list("package", "packages installed in its guests", func(r *model.GuestRole) *[]string { return &r.Packages })
	data := cmd.Flags().String("user-data", "", "user-data in YAML, or - to read it from standard input; empty is none")
	f.on("user-data", func(r *model.GuestRole) { r.UserData = *data })
	base := cmd.Flags().Uint64("version", 0, "refuse if it was changed since this `version`, as show --json gave it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !f.some() {
			return &usageError{err: errors.New("nothing to change was given"), hint: seeHelp(cmd)}
		}
		if *data == "-" {
			text, err := s.readBody(cmd.Context())
			if err != nil {
				return err
			}
			*data = text
		}
		return s.commit(cmd.Context(), opts, change{
			edit: model.EditRole(args[0], *base, func(r *model.GuestRole) error { return f.apply(r) }),
			done: fmt.Sprintf("role %s is changed", args[0]),
			same: fmt.Sprintf("role %s is like that", args[0]),
		})
	}
	return cmd
}

// readBody reads a text from standard input, more than any may have at most.
func (s *session) readBody(ctx context.Context) (string, error) {
	if s.io.PTY {
		return "", usagef("standard input is a terminal: leave ssh's -t away and send it a file with < FILE")
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(s.io.In, model.MaxUserData+1))
	if err != nil {
		return "", err
	}
	s.untyped = true
	if len(data) == 0 {
		return "", usagef("nothing came on standard input; to have none, give --user-data=")
	}
	return string(data), nil
}

func removeRole(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:               "remove NAME…",
		Aliases:           []string{"rm"},
		Short:             "Take away what guests of roles have",
		Long:              "Take away the packages and the user-data of roles. VMs keep the label.",
		Example:           "role remove web",
		Args:              some("NAME"),
		ValidArgsFunction: s.roleArgs(true),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		done := "role " + names[0] + " has nothing of its own any more"
		if len(names) > 1 {
			done = "roles " + andList(names) + " have nothing of their own any more"
		}
		return s.commit(cmd.Context(), opts, change{
			edit: each(names, model.Remove[model.GuestRole]),
			done: done,
		})
	}
	return cmd
}
