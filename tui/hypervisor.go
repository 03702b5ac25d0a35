package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// hypervisor is one machine: what it is, its VMs, its runs.
type hypervisor struct {
	name    string
	section int // sectionVMs or sectionRuns
	vms     vms
	runs    runs
	config  configText
}

func newHypervisor(name string) *hypervisor {
	return &hypervisor{name: name, vms: vms{on: name}, runs: runs{on: name}}
}

func (s *hypervisor) title() string { return s.name }

func (s *hypervisor) rows() *list {
	if s.section == sectionRuns {
		return &s.runs.list
	}
	return &s.vms.list
}

func (s *hypervisor) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	return tea.Batch(s.vms.refresh(a, dirty), s.runs.refresh(a, dirty))
}

func (s *hypervisor) row(a *app) *hvRow {
	r, _ := a.cache.hypervisor(s.name)
	return r
}

func (s *hypervisor) actions(a *app) []action {
	acts := hypervisorActions(a, s.row, keyEditHV)
	acts = append(acts, s.sectionActions(s.section)...)
	if s.section == sectionRuns {
		return append(acts, s.runs.openAction())
	}
	for _, act := range s.vms.actions(a) {
		if !slices.ContainsFunc(acts, func(b action) bool { return b.keys[0] == act.keys[0] }) {
			acts = append(acts, act)
		}
	}
	return acts
}

func (s *hypervisor) draw(a *app, w, h int) []line {
	r := s.row(a)
	if r == nil {
		return []line{nil, text(inkDim, "  "+s.name+" is gone: it was removed or renamed. esc goes back.")}
	}
	var top []line
	if h >= 14 {
		top = overview(a, r, w)
		top = append(top[:min(len(top), h-8)], nil) // the list needs the rest
	} else {
		top = []line{append(line{{" ", inkText}}, phaseLine(r, a.now, w)...)}
	}
	if q := running(r.st); q != nil {
		top = append(top, checklist(r.Name, q, a.now, max(min(len(q.Steps)+2, h-len(top)-7), 1))...)
	}
	top = append(top, s.sectionHeads(a, s.section))
	s.vms.list.y, s.runs.list.y = len(top), len(top)
	if s.section == sectionRuns {
		return append(top, s.runs.draw(a, w, h-len(top))...)
	}
	return append(top, s.vms.draw(a, w, h-len(top))...)
}

// overview is what is known of a hypervisor, in lines of label and value.
func overview(a *app, r *hvRow, w int) []line {
	sign, word, colour := powerSign(r.st.Power)
	power := line{{sign + " " + word, colour}}
	if w := r.PowerWanted; w != "" && w != model.PowerWantedNone && w != string(r.st.Power) {
		power = append(power, span{", wanted " + r.PowerWanted, inkDim})
	}
	out := []line{fact("state", phaseLine(r, a.now, w-11))}
	if w < 50 {
		out = append(out, fact("power", power), fact("agent", agentLine(a, r)))
	} else {
		power = append(power, span{"   agent ", inkDim})
		out = append(out, fact("power", append(power, agentLine(a, r)...)))
	}
	parts := machine(r)
	if w < 50 {
		parts = parts[:min(len(parts), 2)] // the facts have the rest
	}
	out = append(out, factParts("machine", parts, w)...)
	out = append(out, factParts("uses", uses(r), w)...)
	out = append(out,
		fact("applied", applied(a, r)),
		fact("outlets", append(text(inkText, orNone(strings.Join(r.Outlets, ", "))+"  "), share(a, r, w-14-width(strings.Join(r.Outlets, ", ")))...)),
	)
	if w >= 50 {
		out = append(out, factParts("config", []string{r.Platform, r.Network, "policy " + r.Policy}, w)...)
	}
	if st := r.st.Salt; st != nil {
		out = append(out, fact("salt", saltLine(*st)))
	}
	if r.st.Error != "" {
		for n, l := range wrap(firstLine(r.st.Error), w-12) {
			out = append(out, fact(either(n == 0, "trouble", ""), text(inkBad, l)))
		}
	}
	return out
}

// agentLine says how the agent is, and since when.
func agentLine(a *app, r *hvRow) line {
	agent, agentInk := agentWords(r.st.Agent)
	l := text(agentInk, agent)
	if r.st.Agent != model.AgentNever && r.st.Agent != "" {
		l = append(l, span{" since " + moment(a.now, r.st.AgentSince), inkDim})
	}
	return l
}

// factParts is a fact of several parts, in as many lines of w columns as they
// need.
func factParts(label string, parts []string, w int) []line {
	var out []line
	have := ""
	for _, p := range parts {
		switch {
		case have == "":
			have = p
		case 11+width(clean(have+" · "+p)) > w-1:
			out = append(out, fact(label, text(inkText, have)))
			label, have = "", p
		default:
			have += " · " + p
		}
	}
	return append(out, fact(label, text(inkText, orNone(have))))
}

func fact(label string, value line) line {
	return append(line{{" " + label, inkDim}}.fit(11), value...)
}

// machine is what a machine is, in parts; the first are how it is known.
func machine(r *hvRow) []string {
	f := r.st.Facts
	var parts []string
	if f.CPUs > 0 {
		parts = append(parts, fmt.Sprintf("%d CPUs", f.CPUs))
	}
	if f.MemoryMiB > 0 {
		parts = append(parts, mebibytes(f.MemoryMiB)+", "+mebibytes(r.given)+" given")
	}
	for _, s := range []string{f.Accel, f.OS, f.Terraform} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return parts
}

// uses is what a machine uses now; "–" where its agent does not say.
func uses(r *hvRow) []string {
	l := r.st.Load
	if l == nil {
		return nil
	}
	return []string{
		fmt.Sprintf("CPU %d %%", l.CPUPercent),
		fmt.Sprintf("%s of %s", mebibytes(l.MemoryUsedMiB), mebibytes(l.MemoryMiB)),
		fmt.Sprintf("load %s %s %s", loadNumber(l.Load1), loadNumber(l.Load5), loadNumber(l.Load15)),
	}
}

func applied(a *app, r *hvRow) line {
	if r.st.AppliedAt.IsZero() {
		return text(inkDim, "nothing yet")
	}
	l := text(inkText, age(a.now, r.st.AppliedAt))
	if r.st.DesiredDigest != "" && r.st.DesiredDigest != r.st.AppliedDigest {
		l = append(l, span{", newer changes wait", inkWarn})
	}
	return l
}
