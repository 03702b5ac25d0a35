package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

func moveVM(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "move NAME --to HYPERVISOR",
		Short: "Take a VM to another hypervisor with its disks",
		Long: `Take a VM to another hypervisor with its disks. Its guest is shut down, its disks
are copied by way of the server, checked, and it is started at its new place. The
old copy is kept until it is up there; then it is destroyed. Whatever is cut off
goes on where it was; when copying fails for good, the guest is started where it
was. A protected VM may be moved, as nothing of it is lost.

The move is followed to its end unless --detach is given; Ctrl-C stops following
and not the move, which --cancel does as long as the disks are being copied. A guest
that does not come up at its new place is taken back to the old copy with --back:
it is shut down there first, so that it never runs twice.`,
		Example:           "vm move web --to desktop\nvm move web --cancel\nvm move web --back",
		Args:              exactly("NAME"),
		ValidArgsFunction: s.nameArgs(model.KindVM, false),
	}
	to := cmd.Flags().String("to", "", "the hypervisor that will carry it")
	annotate(cmd.Flags().Lookup("to"), "kind", string(model.KindHypervisor))
	cancel := cmd.Flags().Bool("cancel", false, "give the move up and start the guest where it was")
	back := cmd.Flags().Bool("back", false, "return it to where it was, whose copy is kept until it is up at its new place")
	detach := cmd.Flags().Bool("detach", false, "come back as soon as the move is ordered")
	opts := mutating(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name := args[0]
		if err := s.mustExist(model.KindVM, name); err != nil {
			return err
		}
		switch {
		case *back && !*cancel && *to == "":
			return s.takeBack(cmd.Context(), opts, name, *detach)
		case *cancel && !*back && *to == "":
			return s.commit(cmd.Context(), opts, change{edit: model.CancelMove(name), done: "the move of VM " + name + " is cancelled"})
		case *cancel || *back || *to == "":
			return &usageError{err: errors.New("say one of --to HYPERVISOR, --cancel and --back"), hint: seeHelp(cmd)}
		}
		if err := s.mustExist(model.KindHypervisor, *to); err != nil {
			return err
		}
		return s.commit(cmd.Context(), opts, change{
			edit: model.MoveTo(name, *to), done: fmt.Sprintf("VM %s is moved to %s", name, *to), same: fmt.Sprintf("VM %s is being moved to %s", name, *to),
			then: s.following(cmd.Context(), name, *to, *detach),
		})
	}
	return cmd
}

// takeBack returns a VM to where it was moved from.
func (s *session) takeBack(ctx context.Context, opts options, name string, detach bool) error {
	vm := s.state().VMs[name]
	ask := []string{fmt.Sprintf("%s: what %s has written there since it arrived would be lost once it is up on %s again", vm.Hypervisor, name, vm.MovedFrom)}
	if s.observed().Hypervisors[vm.Hypervisor].Agent != model.AgentOnline {
		ask = append(ask, fmt.Sprintf("%s: its agent is away, so that the guest may run there, too, until that is back", vm.Hypervisor))
	}
	return s.commit(ctx, opts, change{
		edit: model.TakeBack(name), done: fmt.Sprintf("VM %s is taken back to %s", name, vm.MovedFrom), ask: ask,
		then: s.following(ctx, name, vm.MovedFrom, detach),
	})
}

// following follows a move that was committed to its end, unless it is detached.
func (s *session) following(ctx context.Context, name, to string, detach bool) func(bool) error {
	return func(bool) error {
		if detach {
			return nil
		}
		return s.awaitMove(ctx, s.state().VMs[name].ID, to)
	}
}

// awaitMove follows a move to its end.
func (s *session) awaitMove(ctx context.Context, id, to string) error {
	w := s.lab.Watch()
	defer w.Close()
	last := ""
	for {
		vm, ok := vmOf(s.state(), id)
		st := s.lab.Status().Moves[id]
		switch {
		case !ok:
			return errors.New("the VM was removed meanwhile")
		case vm.MovingTo == "" && vm.MovedFrom == "" && vm.Hypervisor == to:
			s.tellMove(&last, "")
			s.sayf("%s is on %s", clean(vm.Name), clean(to))
			return nil
		case vm.MovingTo == "" && vm.MovedFrom == "":
			s.tellMove(&last, "")
			return hint(fmt.Errorf("the move of %s is cancelled: %s", vm.Name, or(st.Error, "somebody has cancelled it")), "it stays on %s", vm.Hypervisor)
		}
		s.tellMove(&last, moveText(st, s.io.PTY))
		select {
		case <-ctx.Done():
			s.tellMove(&last, "")
			s.notef("the move goes on; vm show %s tells how far it is", clean(vm.Name))
			if vm.MovedFrom != "" && !vm.Returns() {
				s.notef("vm move %s --back returns it to %s", clean(vm.Name), clean(vm.MovedFrom))
			}
			return context.Cause(ctx)
		case <-w.C():
			w.Take()
		}
	}
}

func vmOf(st *model.State, id string) (model.VM, bool) {
	for _, vm := range st.VMs {
		if vm.ID == id {
			return vm, true
		}
	}
	return model.VM{}, false
}

// tellMove says how far a move is, on a terminal in one line that is written
// over.
func (s *session) tellMove(last *string, text string) {
	if text == *last {
		return
	}
	if *last = text; !s.io.PTY {
		if text != "" {
			s.notef("%s", clean(text))
		}
		return
	}
	write(s.io.Err, "\r\x1b[K"+cut(clean(text), max(20, s.io.Width-1)))
}

// moveText is how far a move is in words; with bar how much is copied, too.
func moveText(st model.MoveStatus, bar bool) string {
	text := st.Phase
	switch {
	case st.Phase == "":
		return ""
	case st.Phase == model.MoveCopying && st.Disk != "":
		if text = "copying " + st.Disk + " disk"; bar && st.Total > 0 {
			const cells = 20
			full := int(cells * st.Done / st.Total)
			text += fmt.Sprintf(" [%s%s] %d of %d MiB", strings.Repeat("#", full), strings.Repeat(".", cells-full), st.Done>>20, st.Total>>20)
		}
	case st.Note != "":
		text = "waiting " + st.Note
	}
	if st.Error != "" {
		text += " (" + st.Error + ")"
	}
	return text
}
