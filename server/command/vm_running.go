package command

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"homelab/model"
)

// What switches guests on and off.

func startVM(s *session) *cobra.Command {
	var wait waiting
	cmd := vms(s).set(setting[model.VM]{
		verb: "start", short: "Switch VMs on", done: "wanted running",
		long:  "Switch VMs on, and keep them on. One that powered itself off is started again.",
		apply: func(vm *model.VM) { vm.Running = true },
		then: func(ctx context.Context, names []string, changed bool) error {
			if err := s.noteInactive(ctx, names, changed); err != nil {
				return err
			}
			s.noteAsleep(names)
			return s.bringAndAwait(ctx, names, changed, wait, started)
		},
	})
	wait = waitFlags(cmd, "the guests run")
	return cmd
}

func stopVM(s *session) *cobra.Command {
	var wait waiting
	var force *bool
	cmd := vms(s).set(setting[model.VM]{
		verb: "stop", short: "Shut VMs down, keep their domains", done: "wanted stopped",
		long: `Shut VMs down and keep them off. One that was started by hand is shut down again.
A guest is asked by ACPI, and switched off if it has not gone within the
guest-grace-seconds of the settings; vm list and vm show count them down.
--force switches it off now, also one that has been asked already.`,
		apply:    func(vm *model.VM) { vm.Running = false },
		expected: expect(model.ActionStop),
		before: func(names []string) ([]string, error) {
			if !*force {
				return nil, nil
			}
			return s.toForceOff(names)
		},
		then: func(ctx context.Context, names []string, changed bool) error {
			if !*force {
				return s.bringAndAwait(ctx, names, changed, wait, stopped)
			}
			if err := s.forceOff(ctx, names); err != nil {
				return err
			}
			return s.bringAndAwait(ctx, names, true, wait, stopped)
		},
	})
	force = cmd.Flags().Bool("force", false, "switch them off now, without asking their guests to shut down")
	wait = waitFlags(cmd, "the guests are off")
	return cmd
}

// toForceOff says what switching these VMs off at once does, and refuses where
// nobody could do it.
func (s *session) toForceOff(names []string) ([]string, error) {
	if err := s.mustExist(model.KindVM, names...); err != nil {
		return nil, err
	}
	var damage []string
	for _, name := range names {
		vm := s.state().VMs[name]
		status := s.hypervisorStatus(vm.Hypervisor)
		if status.Agent != model.AgentOnline {
			return nil, hint(fmt.Errorf("the agent of %s is not connected: %s cannot be switched off now", vm.Hypervisor, name),
				"without --force it is shut down once the agent is back")
		}
		if guest, ok := status.Guest(vm.ID); ok && guest.On() {
			damage = append(damage, fmt.Sprintf("%s: %s would be switched off without being shut down: what it has not written yet would be lost", vm.Hypervisor, name))
		}
	}
	return damage, nil
}

// forceOff switches the guests off that are on, which are wanted stopped.
func (s *session) forceOff(ctx context.Context, names []string) error {
	return s.eachOf(names, func(name string) error {
		vm := s.state().VMs[name]
		status := s.hypervisorStatus(vm.Hypervisor)
		if guest, ok := status.Guest(vm.ID); !ok || !guest.On() {
			return nil
		}
		if err := s.lab.CutGuest(ctx, name); err != nil {
			return err
		}
		s.notef("%s is switched off", clean(name))
		return nil
	})
}

// bringAndAwait has drifted guests brought back and waits for them, where that
// was asked for.
func (s *session) bringAndAwait(ctx context.Context, names []string, changed bool, wait waiting, goal guestGoal) error {
	if err := s.bringBack(ctx, names, changed); err != nil || !*wait.wait {
		return err
	}
	return s.awaitGuests(ctx, names, *wait.timeout, goal)
}

// noteInactive says why a VM that was enabled or started has no domain yet.
func (s *session) noteInactive(_ context.Context, names []string, _ bool) error {
	st := s.state()
	for _, name := range names {
		if why := noDomain(st, name); why != "" {
			s.notef("note: %s", why)
		}
	}
	return nil
}

// noDomain says why a VM has no domain, "" if it has one.
func noDomain(st *model.State, name string) string {
	vm, ok := st.VMs[name]
	switch {
	case !ok || st.HasDomain(vm):
		return ""
	case !vm.Enabled:
		return fmt.Sprintf("%s is disabled; it starts once it is enabled: vm enable %s", clean(name), clean(name))
	}
	return fmt.Sprintf("%s is not in the active profile %s; it appears when a profile of its own is activated: %s", clean(name), clean(st.ActiveProfile()), clean(andList(vm.Profiles)))
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
	cmd := &cobra.Command{
		Use:   "restart NAME…",
		Short: "Restart VMs' guests",
		Long: `Restart VMs' guests: each is shut down by ACPI, or switched off if it has not gone
within the guest-grace-seconds of the settings, and started again. It ends when
that is done. It is a single act: nothing of the desired state changes.`,
		Example:           "vm restart NAME",
		Args:              some("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindVM, true),
	}
	force := cmd.Flags().Bool("force", false, "switch them off without asking their guests to shut down")
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask, go on")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		names := unique(args)
		if err := s.mustExist(model.KindVM, names...); err != nil {
			return err
		}
		if *force {
			damage, err := s.toForceOff(names)
			if err == nil {
				err = s.confirm(cmd.Context(), question{damage: damage}, *yes)
			}
			if err != nil {
				return err
			}
		}
		return s.eachOf(names, func(name string) error {
			hv := s.state().VMs[name].Hypervisor
			if s.state().Hypervisors[hv].Hold {
				s.notef("note: %s is held, which does not keep its guests from what they are told by hand", clean(hv))
			}
			if err := s.restart(cmd.Context(), name, *force); err != nil {
				return err
			}
			s.sayf("%s is restarted", clean(name))
			return nil
		})
	}
	return cmd
}
