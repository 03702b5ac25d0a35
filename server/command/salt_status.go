package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// minionJSON is what is known of the minion of a VM or a hypervisor.
type minionJSON struct {
	Name string     `json:"name"`
	Kind model.Kind `json:"kind"` // vm or hypervisor
	model.SaltStatus
}

func saltStatus(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [NAME…]",
		Short: "What the Salt masters know of VMs and hypervisors",
		Long: `What the Salt masters know of the minions of VMs and hypervisors. With names, how
the last state.apply of each ended, state by state.`,
		Example:           "salt status\nsalt status web\nsalt status --json",
		ValidArgsFunction: s.minionArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		s.picture = newPicture(s.lab.Status())
		all, err := s.minions(args)
		switch {
		case err != nil:
			return err
		case *asJSON:
			return s.printJSON(all)
		case len(args) > 0:
			for i, m := range all {
				if i > 0 {
					s.sayf("")
				}
				s.printMinion(m)
			}
			return nil
		}
		s.printMinions(all)
		return nil
	}
	return cmd
}

// minions are those of the things named, or all.
func (s *session) minions(names []string) ([]minionJSON, error) {
	st, all := s.state(), []minionJSON{}
	if len(names) == 0 {
		for _, name := range model.Names(st.VMs) {
			if status, ok := s.observed().minion(st, st.VMs[name]); ok {
				all = append(all, minionJSON{name, model.KindVM, status})
			}
		}
		for _, name := range model.Names(st.Hypervisors) {
			if status := s.hypervisorStatus(name).Salt; status != nil {
				all = append(all, minionJSON{name, model.KindHypervisor, *status})
			}
		}
		return all, nil
	}
	for _, name := range unique(names) {
		if vm, ok := st.VMs[name]; ok {
			status, ok := s.observed().minion(st, vm)
			if !ok {
				return nil, hint(fmt.Errorf("VM %s has no Salt master", name), "give it one with: vm edit %s --salt-master NAME", shellQuote(name))
			}
			all = append(all, minionJSON{name, model.KindVM, status})
			continue
		}
		if err := s.mustExist(model.KindHypervisor, name); err != nil {
			return nil, err
		}
		status := s.hypervisorStatus(name).Salt
		if status == nil {
			return nil, hint(fmt.Errorf("no Salt master that serves hypervisors is asked"), "see: salt master list")
		}
		all = append(all, minionJSON{name, model.KindHypervisor, *status})
	}
	return all, nil
}

// minion is what is known of a VM's minion; false where it has no master.
func (p *picture) minion(st *model.State, vm model.VM) (model.SaltStatus, bool) {
	if status, ok := p.Minions[vm.ID]; ok {
		return status, true
	}
	master := st.Master(vm)
	return model.SaltStatus{Master: master, Minion: model.HostName(vm.Name, vm.Hypervisor), State: model.SaltUnknown}, master != ""
}

func saltCell(st model.SaltStatus) cell {
	c := cell{text: st.String()}
	switch st.State {
	case model.SaltConfigured:
		c.colour = green
	case model.SaltFailed, model.SaltDenied, model.SaltRejected:
		c.colour = red
	case model.SaltPending, model.SaltConfiguring:
		c.colour = yellow
	case model.SaltUnknown, model.SaltNever, model.SaltDown:
		c.colour = faint
	}
	return c
}

func (s *session) printMinions(all []minionJSON) {
	for _, name := range model.Names(s.state().SaltMasters) {
		if st := s.masterStatus(name); st != nil && st.Error != "" {
			s.notef("%s", s.paint(red, clean("salt master "+name+": "+strings.TrimPrefix(st.Error, "salt master "+name+": "))))
		}
	}
	if len(all) == 0 {
		s.notef("no VM and no hypervisor has a Salt master")
		return
	}
	t := &table{header: []string{"name", "state", "since", "master", "minion"}}
	for _, m := range all {
		t.add(cell{text: m.Name}, saltCell(m.SaltStatus), cell{text: s.age(m.Since)}, cell{text: m.Master}, cell{text: m.Minion})
	}
	s.printTable(t)
}

func (s *session) printMinion(m minionJSON) {
	s.printPairs([]pair{
		{"name", cell{text: m.Name}},
		{"minion", cell{text: m.Minion}},
		{"master", cell{text: m.Master}},
		{"state", saltCell(m.SaltStatus)},
		{"since", cell{text: s.age(m.Since)}},
	})
	if m.Result != nil {
		s.sayf("")
		s.sayf("%s", clean(fmt.Sprintf("last applied %s: %s", s.age(m.Result.At), resultText(m.Result))))
		s.printResult(m.Result, false)
	}
}

// resultText says how a state.apply ended.
func resultText(r *model.SaltResult) string {
	if !r.OK {
		return "failed: " + r.Failure()
	}
	text := count(len(r.Steps), "state", "states")
	if n := r.Changed(); n > 0 {
		text += fmt.Sprintf(", %d changed", n)
	}
	return text + " in " + seconds(r)
}

func seconds(r *model.SaltResult) string {
	sum := 0.0
	for _, step := range r.Steps {
		sum += step.Seconds
	}
	return fmt.Sprintf("%.1fs", sum)
}

// printResult writes a result state by state; brief leaves out what was well
// already.
func (s *session) printResult(r *model.SaltResult, brief bool) {
	for _, text := range r.Errors {
		for line := range strings.Lines(text) {
			s.sayf("  %s", s.paint(red, clean(strings.TrimRight(line, "\n"))))
		}
	}
	t := &table{header: []string{"state", "function", "result", "took", "comment"}}
	for _, step := range r.Steps {
		c := cell{"unchanged", faint}
		switch {
		case !step.OK:
			c = cell{"failed", red}
		case len(step.Changes) > 0:
			c = cell{"changed", green}
		case brief:
			continue
		}
		t.add(cell{text: step.ID}, cell{text: step.Function}, c, plainCell("%.1fs", step.Seconds), cell{text: firstLine(step.Comment)})
	}
	if len(t.rows) > 0 {
		s.printTable(t)
	}
}

func (s *session) minionArgs(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return append(s.candidates(model.KindVM, args, prefix), s.candidates(model.KindHypervisor, args, prefix)...), cobra.ShellCompDirectiveNoFileComp
}
