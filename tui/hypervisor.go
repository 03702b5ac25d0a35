package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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

// hypervisorPane is the detail beside the list of a wide terminal.
func hypervisorPane(a *app, r *hvRow, w, h int) []line {
	out := append([]line{text(inkName, " "+r.Name)}, overview(a, r, w)...)
	out = append(out, nil, text(inkHead, fmt.Sprintf(" VMS %d", len(r.vms))))
	room := max(h-len(out)-8, 3)
	for n, i := range r.vms {
		if n == room-1 && len(r.vms) > room {
			out = append(out, text(inkDim, fmt.Sprintf("   and %d more", len(r.vms)-n)))
			break
		}
		out = append(out, paneVM(&a.cache.vms[i], w))
	}
	out = append(out, nil, text(inkHead, " RUNS"))
	if len(a.runsFor(r.Name)) == 0 {
		out = append(out, text(inkDim, " none yet"))
	}
	for _, run := range a.runsFor(r.Name) {
		if len(out) >= h {
			break
		}
		out = append(out, paneRun(run, a.now, w))
	}
	return out
}

// paneVM is a VM in the detail of its hypervisor; its address where there is room.
func paneVM(vm *vmRow, w int) line {
	ip, _, _ := strings.Cut(vm.IP, "/")
	l := line{{" " + vm.guest.sign + " ", vm.guest.ink}}
	left := w - 3 - 10 - 8
	if w >= 56 {
		left -= 16
	}
	l = append(l, text(inkText, vm.Name).fit(min(max(left, 8), 24))...)
	l = append(l, text(vm.guest.ink, " "+vm.guest.word).fit(10)...)
	l = append(l, cell(text(inkDim, mebibytes(vm.MemoryMiB)), 8, true)...)
	if w < 56 {
		return l
	}
	return append(l, span{"  " + ip, inkDim})
}

// paneRun is a run in the detail of its hypervisor.
func paneRun(run model.Run, now time.Time, w int) line {
	sign, colour := runSign(run.State)
	l := line{{" " + sign + " ", colour}}
	l = append(l, text(inkDim, fmt.Sprintf("%d %s", run.ID, run.Kind)).fit(9)...)
	l = append(l, text(colour, string(run.State)).fit(11)...)
	if w < 56 {
		return append(l, span{moment(now, run.Started), inkDim})
	}
	l = append(l, text(inkDim, moment(now, run.Started)).fit(13)...)
	return append(l, changes(run.Summary)...)
}

// hypervisorActions are what can be done to a hypervisor, wherever it is shown.
func hypervisorActions(a *app, row func(a *app) *hvRow, edit binding) []action {
	var run *model.Run
	held, release, joins := keyHold, 0, false
	if r := row(a); r != nil {
		run, joins = r.run, r.st.Phase == model.PhaseNew
		if r.Hold {
			held, release = keyRelease, 1
		}
	}
	on := func(b binding, f func(a *app, r *hvRow) tea.Cmd) action {
		return action{binding: b, do: func(a *app) tea.Cmd {
			if r := row(a); r != nil {
				return f(a, r)
			}
			return nil
		}}
	}
	holding := on(held, hold)
	holding.at = release
	return []action{
		on(keyPower, power),
		on(keyApply, func(a *app, r *hvRow) tea.Cmd { return startRun(a, r.Name, model.RunApply) }),
		on(keyLog, openLog),
		holding,
		on(edit, func(a *app, r *hvRow) tea.Cmd { return a.open(newHypervisorForm(a, r.Name)) }),
		on(keyPlan, func(a *app, r *hvRow) tea.Cmd { return startRun(a, r.Name, model.RunPlan) }),
		on(keyApprove, func(a *app, r *hvRow) tea.Cmd { return approve(a, r.run) }).only(run != nil && run.State == model.RunWaiting),
		on(keyCancel, func(a *app, r *hvRow) tea.Cmd { return cancelRun(a, r.run) }).only(run != nil),
		on(keyJoin, func(a *app, r *hvRow) tea.Cmd { return invite(a, r.Name) }).only(joins),
		on(keyRemoveHV, removeHypervisor),
		on(keyWatts, func(a *app, r *hvRow) tea.Cmd { return openPlot(a, model.KindHypervisor, r.Name) }),
		on(keyRecycle, cycleMachine),
		{binding: keyAllOff, do: allOff},
		on(keySalt, func(a *app, r *hvRow) tea.Cmd { return a.open(&saltScreen{name: r.Name}) }),
		on(keyReapply, func(a *app, r *hvRow) tea.Cmd { return reapply(a, r.Name) }),
	}
}

// removeHypervisor forgets a machine, its agent and the invites to it.
func removeHypervisor(a *app, r *hvRow) tea.Cmd {
	name := r.Name
	return a.propose(change{
		title: "Remove hypervisor " + name, verb: "remove it", least: stops,
		lines: []line{text(inkText, "Its agent may not connect any more. The machine itself is left as it is.")},
		edit: model.Edits(func(s *model.State) error {
			delete(s.Agents, name)
			delete(s.Invites, name)
			return nil
		}, model.Remove[model.Hypervisor](name)),
	})
}

func startRun(a *app, name string, kind model.RunKind) tea.Cmd {
	return a.async(func(ctx context.Context) done {
		run, err := a.lab.StartRun(ctx, name, kind)
		return func(a *app) tea.Cmd {
			if err != nil {
				return a.fail(err)
			}
			return a.say(inkBusy, signRun, fmt.Sprintf("%s of %s started, %s; l shows its log", kind, name, runTag(run.ID)))
		}
	})
}

// openLog opens the run under way, or the last one.
func openLog(a *app, r *hvRow) tea.Cmd {
	id := r.st.Run
	if id == 0 {
		id = r.st.LastRun
	}
	if id == 0 {
		return a.say(inkDim, signNone, r.Name+" has had no run yet")
	}
	return a.open(newRunScreen(id))
}

func hold(a *app, r *hvRow) tea.Cmd {
	title := "Hold " + r.Name
	if r.Hold {
		title = "Release " + r.Name
	}
	want := !r.Hold
	return a.propose(change{title: title, edit: model.Change(r.Name, 0, func(hv *model.Hypervisor) error {
		hv.Hold = want
		return nil
	})})
}

// power wants a hypervisor on, or off after a question that lists the guests.
func power(a *app, r *hvRow) tea.Cmd {
	if q := r.st.Sequence; !isUp(r.st) && (r.PowerWanted != model.PowerWantedOn || q != nil && q.Error != "") {
		return a.propose(change{title: "Power " + r.Name + " on", edit: model.WantPower([]string{r.Name}, model.PowerWantedOn)})
	}
	up := a.cache.runningOn(r)
	lines := []line{text(inkText, "No guest is known to run on it. The machine is shut down, then its power is cut.")}
	if len(up) > 0 {
		lines = []line{
			text(inkWarn, fmt.Sprintf("%s shut down first: %s.", plural(len(up), "1 guest is", fmt.Sprintf("%d guests are", len(up))), sentence(up))),
			text(inkText, "Then the machine is shut down and its power is cut. The disks are kept."),
		}
	} else if r.st.Agent != model.AgentOnline {
		lines = []line{text(inkWarn, "Its agent does not answer, so nobody knows which guests run on it.")}
	}
	if n := r.st.Logins(); n > 0 {
		lines = append(lines, text(inkWarn, "Somebody is logged in on it: "+count(n, "session")+"."))
	}
	lines = append(lines, sharesLost(a.cache, r.Outlets, []string{r.Name})...)
	return a.propose(change{
		title: "Power " + r.Name + " off", verb: "power it off", least: stops, lines: lines,
		edit: model.WantPower([]string{r.Name}, model.PowerWantedOff),
	})
}

// cycleMachine cuts the power of a machine that is stuck and gives it back.
func cycleMachine(a *app, r *hvRow) tea.Cmd {
	lines := []line{text(inkText, "Its power is cut, and given back. That is for a machine that is stuck: off and on by o is gentle.")}
	if up := a.cache.runningOn(r); len(up) > 0 {
		lines = append(lines, text(inkBad, fmt.Sprintf("%s lose power without a shutdown: %s.", count(len(up), "running guest"), sentence(up))))
	} else if isUp(r.st) {
		lines = append(lines, text(inkBad, "It is up and loses power without a shutdown."))
	}
	if shared := a.cache.state.Share(a.cache.status, r.Name).Shared; len(shared) > 0 {
		lines = append(lines, text(inkBad, "The same outlets feed "+sentence(shared)+"."))
	}
	a.overlay = &confirm{
		title: "Power-cycle " + r.Name + "?", level: loses, name: r.Name, verb: "cut its power", lines: lines,
		do: func(a *app) tea.Cmd {
			return a.commit(change{title: "Power-cycle " + r.Name, edit: model.Change(r.Name, 0, func(hv *model.Hypervisor) error {
				hv.Cycle()
				return nil
			})})
		},
	}
	return nil
}
