package command

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"homelab/model"
)

// agentJSON is one line of `agent list`.
type agentJSON struct {
	Hypervisor    string           `json:"hypervisor"`
	State         model.AgentState `json:"state"`
	Since         time.Time        `json:"since,omitzero"`
	Version       string           `json:"agent_version,omitempty"`
	Old           string           `json:"agent_old,omitempty"`
	Fingerprint   string           `json:"fingerprint,omitempty"`
	Joined        time.Time        `json:"joined,omitzero"`
	InviteExpires time.Time        `json:"invite_expires,omitzero"`
}

func agentCommand(s *session) *cobra.Command {
	return parent(
		&cobra.Command{Use: "agent", Aliases: []string{"agents"}, Short: "Let hypervisors' agents in, and out"},
		listAgents(s), inviteAgent(s), revokeAgent(s), updateAgent(s), uploadBinary(s), listBinaries(s),
	)
}

func listAgents(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the agents of all hypervisors",
		Example: "agent list", Args: exactly(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		st := s.state()
		agents := []agentJSON{}
		t := &table{header: []string{"hypervisor", "agent", "since", "version", "joined", "invited", "fingerprint"}}
		for _, name := range model.Names(st.Hypervisors) {
			status := s.hypervisorStatus(name)
			bound, invite := st.Agents[name], st.Invites[name]
			a := agentJSON{
				Hypervisor: name, State: status.Agent, Since: status.AgentSince, Version: status.AgentVersion, Old: status.AgentOld,
				Fingerprint: bound.Fingerprint, Joined: bound.Joined, InviteExpires: invite.Expires,
			}
			agents = append(agents, a)
			invited := "no"
			switch {
			case invite.Expires.After(s.now()):
				invited = "ends " + s.age(invite.Expires)
			case !invite.Expires.IsZero():
				invited = "expired"
			}
			version := cell{text: a.Version}
			if a.Old != "" {
				version = cell{text: a.Version + " (old)", colour: yellow}
			}
			t.add(cell{text: name}, agentCell(a.State), cell{text: s.age(a.Since)}, version, cell{text: s.age(a.Joined)}, cell{text: invited}, cell{text: a.Fingerprint})
		}
		switch {
		case *asJSON:
			return s.printJSON(agents)
		case len(agents) == 0:
			s.notef("there are no hypervisors")
		default:
			s.printTable(t)
		}
		return nil
	}
	return cmd
}

func inviteAgent(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "invite NAME",
		Short: "Make the token with which a hypervisor's agent joins",
		Long: `Make the token with which the agent of a hypervisor joins, once. The token holds
the address that you are connected to; where the hypervisor reaches this server
by another, say so with --address.`,
		Example: "agent invite thinkpad\nagent invite thinkpad --address homelab.lan:2222",
		Args:    exactly("NAME"), ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	address := cmd.Flags().String("address", "", "HOST:PORT at which the hypervisor reaches this server")
	asJSON := cmd.Flags().Bool("json", false, "answer in JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindHypervisor, args[0]); err != nil {
			return err
		}
		older := s.state().Invites[args[0]]
		token, expires, err := s.lab.Invite(cmd.Context(), s.via, args[0], *address)
		if err != nil {
			return err
		}
		if older.Expires.After(s.now()) {
			s.notef("note: the token of the invite before this one works no longer")
		}
		if *asJSON {
			return s.printJSON(struct {
				Hypervisor string    `json:"hypervisor"`
				Token      string    `json:"token"`
				Expires    time.Time `json:"expires"`
			}{args[0], token, expires.UTC()})
		}
		s.notef("On %s, run this as root, or homelab install agent --join … to have it as a service; the token works once and ends %s:", clean(args[0]), s.age(expires))
		s.sayf("homelab agent --join %s", token)
		return nil
	}
	return cmd
}

func revokeAgent(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "Let a hypervisor's agent in no longer",
		Long:    "Forget the key of a hypervisor's agent, end its connection and take back its invite. Its guests go on running; a new invite lets an agent join again.",
		Example: "agent revoke thinkpad", Args: exactly("NAME"), ValidArgsFunction: s.nameArgs(model.KindHypervisor, false),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		if err := s.mustExist(model.KindHypervisor, name); err != nil {
			return err
		}
		st := s.state()
		_, bound := st.Agents[name]
		if _, invited := st.Invites[name]; !bound && !invited {
			s.sayf("%s has no agent and no invite already; nothing changed", clean(name))
			return nil
		}
		if bound {
			q := question{damage: []string{fmt.Sprintf("the agent of %s would be cut off; to let it in again somebody must run it there with a new token", name)}}
			if err := s.confirm(cmd.Context(), q, *yes); err != nil {
				return err
			}
		}
		if err := s.lab.Revoke(cmd.Context(), s.via, name); err != nil {
			return err
		}
		if !bound {
			s.sayf("the invite of %s is taken back", clean(name))
			return nil
		}
		s.sayf("the agent of %s is let in no longer", clean(name))
		return nil
	}
	return cmd
}
