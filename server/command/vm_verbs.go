package command

import (
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
	return vms(s).set(setting[model.VM]{
		verb: "enable", short: "Give VMs their domains", done: "enabled",
		long:  "Give VMs their domains while their profile is active, on the disks that they had.",
		apply: func(vm *model.VM) { vm.Enabled = true },
		then:  s.noteInactive,
	})
}

func disableVM(s *session) *cobra.Command {
	return vms(s).set(setting[model.VM]{
		verb: "disable", short: "Take VMs' domains away, keep their disks", done: "disabled",
		long: `Shut VMs down and take their domains away. Their disks stay, for when they are
enabled again. One that is only to be off for a while is stopped: vm stop.`,
		apply:    func(vm *model.VM) { vm.Enabled = false },
		expected: expect(model.ActionStop, model.ActionRemove),
	})
}

func protectVM(s *session) *cobra.Command {
	return vms(s).set(setting[model.VM]{
		verb: "protect", short: "Let nothing remove VMs' disks", done: "protected",
		apply: func(vm *model.VM) { vm.Protected = true },
	})
}

func unprotectVM(s *session) *cobra.Command {
	return vms(s).set(setting[model.VM]{
		verb: "unprotect", short: "Take the protection away", done: "not protected",
		apply: func(vm *model.VM) { vm.Protected = false },
	})
}

func rebuildVM(s *session) *cobra.Command {
	return vms(s).set(setting[model.VM]{
		verb: "rebuild", short: "Make VMs anew from their images", done: "to be rebuilt",
		long:  "Make VMs anew from their images: the root disk and all that is on it is lost, the extra disk stays.",
		apply: func(vm *model.VM) { vm.Rebuild++ },
		before: func(names []string) ([]string, error) {
			s.noteRebuiltLater(names)
			return nil, nil
		},
	})
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
