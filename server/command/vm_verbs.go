package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

// expect makes a filter of impacts that a command's own words announce.
func expect(actions ...model.Action) func(model.Impact) bool {
	return func(i model.Impact) bool {
		for _, a := range actions {
			if i.Action == a {
				return true
			}
		}
		return false
	}
}

func enableVM(s *session) *cobra.Command {
	return vms(s).set("enable", "Give VMs their domains", "Give VMs their domains while their profile is active, on the disks that they had.", "enabled",
		func(vm *model.VM) { vm.Enabled = true }, nil, s.noteInactive)
}

func disableVM(s *session) *cobra.Command {
	return vms(s).set("disable", "Take VMs' domains away, keep their disks", "Shut VMs down and take their domains away. Their disks stay, for when they are enabled again.", "disabled",
		func(vm *model.VM) { vm.Enabled = false }, expect(model.ActionStop, model.ActionRemove), nil)
}

func startVM(s *session) *cobra.Command {
	return vms(s).set("start", "Switch VMs on", "Switch VMs on, and keep them on. One that powered itself off is started again.", "wanted running",
		func(vm *model.VM) { vm.Running = true }, nil, func(ctx context.Context, names []string, changed bool) error {
			if err := s.noteInactive(ctx, names, changed); err != nil {
				return err
			}
			return s.bringBack(ctx, names, changed)
		})
}

func stopVM(s *session) *cobra.Command {
	return vms(s).set("stop", "Shut VMs down, keep their domains", "Shut VMs down and keep them off. One that was started by hand is shut down again.", "wanted stopped",
		func(vm *model.VM) { vm.Running = false }, expect(model.ActionStop), s.bringBack)
}

func protectVM(s *session) *cobra.Command {
	return vms(s).set("protect", "Let nothing remove VMs' disks", "", "protected", func(vm *model.VM) { vm.Protected = true }, nil, nil)
}

func unprotectVM(s *session) *cobra.Command {
	return vms(s).set("unprotect", "Take the protection away", "", "not protected", func(vm *model.VM) { vm.Protected = false }, nil, nil)
}

func rebuildVM(s *session) *cobra.Command {
	return vms(s).set("rebuild", "Make VMs anew from their images", "Make VMs anew from their images: the root disk and all that is on it is lost, the extra disk stays.", "to be rebuilt",
		func(vm *model.VM) { vm.Rebuild++ }, nil, nil)
}

// noteInactive says why a VM that was enabled or started has no domain yet.
func (s *session) noteInactive(_ context.Context, names []string, _ bool) error {
	st := s.state()
	for _, name := range names {
		vm, ok := st.VMs[name]
		switch {
		case !ok || st.HasDomain(vm):
		case !vm.Enabled:
			s.notef("note: %s is disabled; it starts once it is enabled: vm enable %s", clean(name), clean(name))
		default:
			s.notef("note: %s is not in the active profile %s; it appears when a profile of its own is activated: %s", clean(name), clean(st.ActiveProfile()), clean(andList(vm.Profiles)))
		}
	}
	return nil
}

// bringBack starts a run on each hypervisor that has a guest that is not as
// desired although the desire did not change: it powered itself off, or
// somebody started it.
func (s *session) bringBack(ctx context.Context, names []string, changed bool) error {
	if changed {
		return nil // a run follows anyway
	}
	st, status := s.state(), s.lab.Status()
	asked := map[string]bool{}
	for _, name := range names {
		vm := st.VMs[name]
		hv := fullStatus(status.Hypervisors[vm.Hypervisor])
		guest, ok := hv.Guest(vm.ID)
		drifted := ok && st.HasDomain(vm) && hv.Run == 0 && hv.DesiredDigest == hv.AppliedDigest &&
			(vm.Running && (guest.State == model.GuestStopped || guest.State == model.GuestCrashed) || !vm.Running && guest.State == model.GuestRunning)
		if !drifted || asked[vm.Hypervisor] {
			continue
		}
		asked[vm.Hypervisor] = true
		run, err := s.lab.StartRun(ctx, vm.Hypervisor, model.RunApply)
		if err != nil {
			return fmt.Errorf("%s is %s: %w", name, guest.State, err)
		}
		s.notef("%s is %s: run %d on %s puts that right", clean(name), guest.State, run.ID, clean(vm.Hypervisor))
	}
	return nil
}

func restartVM(s *session) *cobra.Command {
	return &cobra.Command{
		Use:               "restart NAME…",
		Short:             "Restart VMs' guests",
		Long:              "Restart VMs' guests by ACPI. It is a single act: nothing of the desired state changes.",
		Example:           "vm restart NAME",
		Args:              some("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindVM, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			names := unique(args)
			if err := s.mustExist(model.KindVM, names...); err != nil {
				return err
			}
			return s.eachOf(names, func(name string) error {
				if err := s.lab.RestartGuest(cmd.Context(), name); err != nil {
					return err
				}
				s.sayf("%s is restarting", clean(name))
				if hv := s.state().VMs[name].Hypervisor; s.state().Hypervisors[hv].Hold {
					s.notef("note: %s is held, which does not keep its guests from what they are told by hand", clean(hv))
				}
				return nil
			})
		},
	}
}

func adoptVM(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt NAME",
		Short: "Take over a foreign guest that bears a VM's name",
		Long: `Take over a guest that was there before, such as the predecessor's: one whose
domain bears the name of a VM but is not ours. The next run shuts it down, makes
its domain anew and starts it on the disks that it had.`,
		Example:           "vm adopt NAME",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindVM, false),
	}
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.mustExist(model.KindVM, args[0]); err != nil {
			return err
		}
		hv := s.state().VMs[args[0]].Hypervisor
		q := question{damage: []string{fmt.Sprintf("the guest of %s on %s would be shut down and started again on its own disks, under our control", args[0], hv)}}
		if err := s.confirm(cmd.Context(), q, *yes); err != nil {
			return err
		}
		if err := s.lab.Adopt(cmd.Context(), args[0]); err != nil {
			return err
		}
		s.sayf("%s is adopted; the next run on %s brings it under control", clean(args[0]), clean(hv))
		return nil
	}
	return cmd
}

// mustExist checks names before anything is done.
func (s *session) mustExist(kind model.Kind, names ...string) error {
	st := s.state()
	for _, name := range names {
		if _, ok := st.Get(model.Ref{Kind: kind, Name: name}); !ok {
			return &model.NotFoundError{Ref: model.Ref{Kind: kind, Name: name}}
		}
	}
	return nil
}

// eachOf does something for each name, tells the errors and goes on.
func (s *session) eachOf(names []string, do func(string) error) error {
	var failed error
	for _, name := range names {
		if err := do(name); err != nil {
			if len(names) == 1 {
				return err
			}
			s.report(err)
			failed = errSaid
		}
	}
	return failed
}
