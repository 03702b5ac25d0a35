package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// What a command did that has no effect yet is said beside its answer.

// noteHeld says which of these hypervisors are held, so that nothing comes of
// what was ordered.
func (s *session) noteHeld(names []string) {
	for _, name := range unique(names) {
		if s.state().Hypervisors[name].Hold {
			s.notef("note: %s is held: nothing happens there until release %s", clean(name), clean(name))
		}
	}
}

// noteRebuild says how guests get at once what reaches them when they are rebuilt.
func (s *session) noteRebuild(impacts []model.Impact) {
	var names []string
	for _, i := range impacts {
		if i.AwaitsRebuild() {
			names = append(names, shellQuote(i.VM))
		}
	}
	disks := "its root disk"
	if names = unique(names); len(names) > 1 {
		disks = "their root disks"
	}
	if len(names) > 0 {
		s.notef("to have it now: vm rebuild %s, which makes %s anew", strings.Join(names[:min(len(names), 8)], " "), disks)
	}
}

// noteTight says which hypervisors have less memory than their guests are given
// now, where this change gave more.
func (s *session) noteTight(impacts []model.Impact) {
	var touched []string
	for _, i := range impacts {
		if i.Action == model.ActionCreate || slices.Contains(i.Fields, "memory_mib") {
			touched = append(touched, i.Hypervisor)
		}
	}
	for _, name := range unique(touched) {
		st, given := s.hypervisorStatus(name), 0
		has := st.Facts.MemoryMiB
		if st.Load != nil {
			has = st.Load.MemoryMiB
		}
		for _, vm := range s.state().VMs {
			if vm.Hypervisor == name && vm.Running && s.state().HasDomain(vm) {
				given += vm.MemoryMiB
			}
		}
		if has > 0 && given > has {
			s.notef("note: %s has %s of memory, and its guests are given %s", clean(name), about(has), about(given))
		}
	}
}

// noteRebuiltLater says which of the VMs that are to be rebuilt have no guest.
func (s *session) noteRebuiltLater(names []string) {
	st := s.state()
	for _, name := range names {
		if vm, ok := st.VMs[name]; ok && !vm.Protected && !st.HasDomain(vm) {
			s.notef("note: %s has no guest now; its root disk is made anew when it appears", clean(name))
		}
	}
}

// noteUnfed says which of these machines nothing can switch on.
func (s *session) noteUnfed(names []string) {
	for _, name := range names {
		if h := s.state().Hypervisors[name]; len(h.Outlets) == 0 && !up(s.hypervisorStatus(name)) {
			s.notef("note: no outlet feeds %s: switch it on by hand", clean(name))
		}
	}
}

// noteAsleep says which shares of these VMs are not to be had, as the machine
// that serves them is off, and what switches it on.
func (s *session) noteAsleep(names []string) {
	st, status := s.state(), s.lab.Status()
	for _, name := range names {
		for _, share := range st.VMs[name].Shares {
			if why, remedy := st.ShareOff(share, status); why != "" {
				s.notef("note: %s mounts share %s, which is not to be had: %s; what looks into %s waits or fails until: %s",
					clean(name), clean(share), clean(why), clean(st.Shares[share].Mount), clean(remedy))
			}
		}
	}
}

func holdCommand(s *session) *cobra.Command {
	cmd := hypervisors(s).set(setting[model.Hypervisor]{
		verb: "hold", short: "Stop all reconciling of hypervisors", done: "held",
		long: `Stop all reconciling of hypervisors until they are released: nothing is planned or
applied there, and their power stays as it is. A run that applies already is finished;
one that does not yet is given up.`,
		apply: func(h *model.Hypervisor) { h.Hold = true },
	})
	cmd.Example = "hold thinkpad"
	return cmd
}

func releaseCommand(s *session) *cobra.Command {
	n := hypervisors(s)
	cmd := &cobra.Command{
		Use:   "release NAME…",
		Short: "Go on with hypervisors that are held",
		Long: `Go on with hypervisors that are held: what was ordered meanwhile is done at once.
Their power is left to their policies again, whatever was ordered by hand. A machine that is up and was wanted off meanwhile is shut down, and that is asked
about.`,
		Example:           "release thinkpad",
		Args:              some("NAME"),
		ValidArgsFunction: s.nameArgs(n.kind, true),
	}
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		return s.commit(cmd.Context(), opts, change{
			edit: each(names, func(name string) model.Edit {
				return model.Change(name, 0, func(h *model.Hypervisor) error { h.Release(); return nil })
			}),
			done: n.subject(names) + isAre(names) + "released",
			ask:  s.offAtRelease(names),
		})
	}
	return cmd
}

// offAtRelease says which machines go off as they are released.
func (s *session) offAtRelease(names []string) []string {
	var damage []string
	for _, name := range names {
		h, status := s.state().Hypervisors[name], s.hypervisorStatus(name)
		if h.Hold && h.PowerWanted == model.PowerWantedOff && up(status) {
			damage = append(damage, fmt.Sprintf("%s would be shut down at once, with %s: it is wanted off",
				name, count(status.RunningGuests(), "running guest", "running guests")))
		}
	}
	return damage
}
