package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"homelab/model"
)

// event is one line of watch: what a thing is now. Value is null when it is
// gone.
type event struct {
	Revision uint64     `json:"revision"`
	Kind     model.Kind `json:"kind"`
	Name     string     `json:"name"`
	Value    any        `json:"value"`
}

// watched are the kinds of which changes are told.
var watched = []model.Kind{
	model.KindSettings, model.KindProfile, model.KindImage, model.KindOutlet, model.KindSaltMaster, model.KindHypervisor, model.KindVM, model.KindShare, model.KindRole,
	model.KindUser, model.KindAgent, model.KindInvite, model.KindStatus, model.KindOutletStatus, model.KindShareStatus, model.KindRun, model.KindSalt, model.KindMeters, model.KindLoad,
}

func kindNames(last string) string {
	names := make([]string, len(watched))
	for i, k := range watched {
		names[i] = string(k)
	}
	return strings.Join(names[:len(names)-1], ", ") + last + names[len(names)-1]
}

func watchCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Every change as it happens, a JSON line each",
		Long: `Write a JSON line for each change of anything, desired or observed, until it is
interrupted: its kind, its name and what it is now (null when it is gone).
Changes that follow each other fast are told as one. With --now everything is
told once first. Logs are left out: see logs -f.`,
		Example: "watch\nwatch --kind vm,status --now",
		Args:    exactly(),
	}
	_ = cmd.Flags().Bool("json", true, "always: the answer is lines of JSON")
	kinds := cmd.Flags().StringSlice("kind", nil, "only these kinds, such as vm, hypervisor, status, outlet_status or run")
	now := cmd.Flags().Bool("now", false, "tell everything once before the changes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, kind := range *kinds {
			if !slices.Contains(watched, model.Kind(kind)) {
				return &usageError{err: fmt.Errorf("nothing is of the kind %q", cut(kind, 60)), hint: "the kinds are " + kindNames(" and ")}
			}
		}
		w := s.lab.Watch() // first, so that nothing falls in between
		defer w.Close()
		wanted := func(ref model.Ref) bool {
			return slices.Contains(watched, ref.Kind) && (len(*kinds) == 0 || slices.Contains(*kinds, string(ref.Kind)))
		}
		if *now {
			if err := s.tellEvents(s.everything(), wanted); err != nil {
				return err
			}
		}
		for {
			select {
			case <-cmd.Context().Done():
				return context.Cause(cmd.Context())
			case <-w.C():
			}
			var refs []model.Ref
			for ref := range w.Take() {
				refs = append(refs, ref)
			}
			slices.SortFunc(refs, func(a, b model.Ref) int { return compareText(a.String(), b.String()) })
			if err := s.tellEvents(refs, wanted); err != nil {
				return err
			}
		}
	}
	return cmd
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// everything names all that can be watched.
func (s *session) everything() []model.Ref {
	st, status := s.state(), s.lab.Status()
	refs := st.Refs()
	for _, name := range model.Names(st.Hypervisors) {
		refs = append(refs, model.Ref{Kind: model.KindStatus, Name: name})
	}
	for _, name := range model.Names(st.Outlets) {
		refs = append(refs, model.Ref{Kind: model.KindOutletStatus, Name: name})
	}
	for _, name := range model.Names(st.Shares) {
		refs = append(refs, model.Ref{Kind: model.KindShareStatus, Name: name})
	}
	for _, name := range model.Names(st.VMs) {
		if _, ok := status.Minions[st.VMs[name].ID]; ok {
			refs = append(refs, model.Ref{Kind: model.KindSalt, Name: name})
		}
	}
	for _, name := range model.Names(status.SaltMasters) {
		refs = append(refs, model.Ref{Kind: model.KindSalt, Name: name})
	}
	for id := range status.Runs {
		refs = append(refs, model.Ref{Kind: model.KindRun, Name: strconv.FormatUint(id, 10)})
	}
	return refs
}

func (s *session) tellEvents(refs []model.Ref, wanted func(model.Ref) bool) error {
	for _, ref := range refs {
		if !wanted(ref) || ref.Kind == model.KindMinion || ref.Kind == model.KindEditing { // nobody's news
			continue
		}
		st := s.state()
		if err := s.printLine(event{st.Revision, ref.Kind, ref.Name, s.valueOf(st, ref)}); err != nil {
			return err
		}
	}
	return nil
}

// valueOf reads what a ref points at, without secrets; nil when it is gone.
func (s *session) valueOf(st *model.State, ref model.Ref) any {
	switch ref.Kind {
	case model.KindStatus:
		if status, ok := s.lab.Status().Hypervisors[ref.Name]; ok {
			return fullStatus(status)
		}
		return nil
	case model.KindLoad:
		if load := s.lab.Status().Hypervisors[ref.Name].Load; load != nil {
			return load
		}
		return nil
	case model.KindOutletStatus:
		if status, ok := s.lab.Status().Outlets[ref.Name]; ok {
			return status
		}
		return nil
	case model.KindShareStatus:
		if status, ok := s.lab.Status().Shares[ref.Name]; ok {
			return status
		}
		return nil
	case model.KindMeters: // all outlets together
		return usageOf(st, st.Usage(s.lab.Status()))
	case model.KindSalt:
		status := s.lab.Status()
		if minion, ok := status.Minions[st.VMs[ref.Name].ID]; ok {
			return minion
		}
		if master, ok := status.SaltMasters[ref.Name]; ok {
			return master
		}
		return nil
	case model.KindRun:
		id, _ := strconv.ParseUint(ref.Name, 10, 64)
		if run, err := s.lab.Run(id); err == nil {
			return run
		}
		return nil
	}
	value, ok := st.Get(ref)
	if !ok {
		return nil
	}
	if o, ok := value.(model.Outlet); ok {
		return withoutSecrets(o)
	}
	return value
}
