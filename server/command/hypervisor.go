package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func hypervisors(s *session) noun[model.Hypervisor] {
	return noun[model.Hypervisor]{
		s: s, kind: model.KindHypervisor, word: "hypervisor", plural: "hypervisors",
		all:    func(st *model.State) map[string]model.Hypervisor { return st.Hypervisors },
		name:   func(h *model.Hypervisor) *string { return &h.Name },
		fresh:  model.NewHypervisor,
		fields: hypervisorFields,
		next:   "agent invite %s",
		json: func(_ *model.State, h model.Hypervisor) any {
			return hypervisorJSON{h, s.hypervisorStatus(h.Name)}
		},
		header: []string{"name", "power", "agent", "phase", "guests", "since", "network", "outlets"},
		row: func(st *model.State, h model.Hypervisor) []cell {
			status := s.hypervisorStatus(h.Name)
			return []cell{
				{text: h.Name},
				powerCell(status.Power), agentCell(status.Agent), s.phaseCell(status),
				guestsCell(st, h.Name, status),
				{text: s.age(status.Since)},
				{text: h.Network},
				{text: strings.Join(h.Outlets, ",")},
			}
		},
		detail: func(st *model.State, h model.Hypervisor) []pair { return hypervisorDetail(s, st, h) },
	}
}

func hypervisorFields(f *fields[model.Hypervisor]) {
	f.text("platform", "libvirt or sandbox", func(h *model.Hypervisor) *string { return &h.Platform })
	f.text("accel", "acceleration: auto, kvm or tcg", func(h *model.Hypervisor) *string { return &h.Accel })
	f.text("network", "of its guests: macvtap:IFACE, bridge:NAME or nat:NETWORK", func(h *model.Hypervisor) *string { return &h.Network })
	f.text("policy", "auto applies at once, review waits for approval", func(h *model.Hypervisor) *string { return &h.Policy })
	f.list("outlet", "outlets that feed it", func(h *model.Hypervisor) *[]string { return &h.Outlets })
	f.text("address", "host name or IP address", func(h *model.Hypervisor) *string { return &h.Address })
	f.text("power-wanted", "on, off or none", func(h *model.Hypervisor) *string { return &h.PowerWanted })
	f.truth("await-salt", "its runs count once its guests are configured by Salt", func(h *model.Hypervisor) *bool { return &h.AwaitSalt })
	f.text("power-policy", "manual, profile (on while the active profile has VMs to run there) or schedule", func(h *model.Hypervisor) *string { return &h.PowerPolicy })
	f.lines("schedule", "when it is switched, such as 'on 0 18 * * 1-5 Europe/Amsterdam'; repeat it for more, all are replaced", func(h *model.Hypervisor) *[]string { return &h.Schedules })
	f.number("idle-minutes", "off after that long without a running guest; 0 is never", func(h *model.Hypervisor) *int { return &h.IdleMinutes })
	f.truth("wake", "on when a VM on it is started", func(h *model.Hypervisor) *bool { return &h.Wake })
	f.truth("hold", "no reconciling until released", func(h *model.Hypervisor) *bool { return &h.Hold })
	f.choices("platform", model.PlatformLibvirt, model.PlatformSandbox)
	f.choices("accel", model.AccelAuto, model.AccelKVM, model.AccelTCG)
	f.choices("network", "macvtap:", "bridge:", "nat:default")
	f.choices("policy", model.PolicyAuto, model.PolicyReview)
	f.choices("power-wanted", model.PowerWantedOn, model.PowerWantedOff, model.PowerWantedNone)
	f.choices("power-policy", model.PowerManual, model.PowerProfile, model.PowerSchedule)
	f.suggest("outlet", model.KindOutlet)
}

func guestsCell(st *model.State, name string, status model.HypervisorStatus) cell {
	desired := desiredGuests(st, name)
	switch {
	case status.Agent != model.AgentOnline && status.Power == model.PowerOff:
		return cell{fmt.Sprintf("0/%d", desired), faint}
	case status.Agent != model.AgentOnline:
		return cell{fmt.Sprintf("?/%d", desired), faint}
	}
	c := cell{text: fmt.Sprintf("%d/%d", status.RunningGuests(), desired)}
	if status.RunningGuests() != desired {
		c.colour = yellow
	}
	return c
}

func hypervisorDetail(s *session, st *model.State, h model.Hypervisor) []pair {
	status := s.hypervisorStatus(h.Name)
	var pools []string
	for _, p := range h.Pools {
		text := p.Name + " at " + p.Path
		if kind := poolKind(p); kind != "folder" {
			text += " (" + kind + ")"
		}
		pools = append(pools, text)
	}
	pairs := []pair{
		{"name", cell{text: h.Name}},
		{"power", powerCell(status.Power)},
		{"power wanted", cell{text: powerWanted(s, h)}},
		{"agent", agentCell(status.Agent)},
		{"phase", s.phaseCell(status)},
		{"guests", guestsCell(st, h.Name, status)},
		{"applied", cell{text: s.age(status.AppliedAt)}},
	}
	if status.Error != "" {
		pairs = append(pairs, pair{"error", cell{status.Error, red}})
	}
	if f := status.Facts; f.Hostname != "" {
		pairs = append(pairs, pair{"machine", plainCell("%s: %s %s, %s, %s", f.Hostname, f.OS, f.Arch, count(f.CPUs, "CPU", "CPUs"), mib(f.MemoryMiB))})
		pairs = append(pairs, pair{"software", cell{text: or(strings.Join(trimmed([]string{f.Terraform, libvirtVersion(f), f.Accel}), ", "), "neither terraform nor libvirt was found")}})
	}
	if status.Salt != nil {
		pairs = append(pairs, pair{"salt", saltCell(*status.Salt)})
	}
	if status.Configured != nil {
		pairs = append(pairs, pair{"guests configured", cell{text: status.Configured.String()}})
	}
	pairs = append(pairs, s.machineDetail(st, status)...)
	return append(pairs,
		pair{"platform", cell{text: h.Platform}},
		pair{"accel", cell{text: h.Accel}},
		pair{"network", cell{text: h.Network}},
		pair{"pools", cell{text: strings.Join(pools, ", ")}},
		pair{"policy", cell{text: h.Policy}},
		pair{"outlets", cell{text: or(strings.Join(h.Outlets, ", "), "none")}},
		pair{"address", cell{text: or(h.Address, "unknown")}},
		pair{"await salt", cell{text: yesNo(h.AwaitSalt)}},
		pair{"power policy", cell{text: powerPolicy(h)}},
		pair{"hold", cell{text: yesNo(h.Hold)}},
		pair{"changed", plainCell("%s, in revision %d", s.age(h.Changed), h.Version)},
	)
}

// powerWanted says what is wanted, whose order that is and what may change it.
func powerWanted(s *session, h model.Hypervisor) string {
	text := h.PowerWanted
	if h.PowerBy != "" {
		text += fmt.Sprintf(", by %s %s", h.PowerBy, s.age(h.PowerAt))
	}
	if h.PowerWhy != "" {
		text += ": " + h.PowerWhy
	}
	if h.PowerByHand && h.Automatic() {
		text += "; by hand, until a schedule or `release " + h.Name + "`"
	}
	return text
}

// powerPolicy says what switches a machine by itself.
func powerPolicy(h model.Hypervisor) string {
	parts := []string{or(h.PowerPolicy, model.PowerManual)}
	if h.PowerPolicy == model.PowerSchedule {
		parts = append(parts, h.Schedules...)
	}
	if h.IdleMinutes > 0 {
		parts = append(parts, fmt.Sprintf("off after %s without a guest", count(h.IdleMinutes, "minute", "minutes")))
	}
	if h.Wake {
		parts = append(parts, "on when a VM is started")
	}
	return strings.Join(parts, ", ")
}

func libvirtVersion(f model.Facts) string {
	if f.Libvirt == "" {
		return ""
	}
	return "libvirt " + f.Libvirt
}

func hypervisorCommand(s *session) *cobra.Command {
	n := hypervisors(s)
	return parent(
		&cobra.Command{Use: "hypervisor", Aliases: []string{"hv", "hypervisors"}, Short: "The machines that carry the VMs"},
		n.list(), n.show(),
		n.add("hypervisor add thinkpad --network macvtap:eno1 --outlet thinkpad-plug",
			`Add a hypervisor. Its machine joins with a token: see agent invite.

--network says how its guests reach the world:

  nat:default      a network of libvirt's own behind the machine's address. It needs
                   nothing; guests reach out, but nobody reaches them from outside
  macvtap:eno1     straight onto the LAN of that interface, with addresses there. No
                   set-up; but a guest and the hypervisor that carries it cannot reach
                   each other (macvtap sends past the host), so nothing that guests
                   need, such as a name server, may run on the hypervisor itself
  bridge:br0       onto the LAN too, by a bridge that the machine has; guests and
                   hypervisor reach each other`),
		n.edit("hypervisor edit thinkpad --policy review"),
		n.remove("Remove hypervisors that carry no VM any more. Their agents are let in no longer."),
	)
}
