package tui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// sections of a hypervisor. The first two are lists, the others text.
const (
	sectionVMs = iota
	sectionRuns
	sectionConfig
	sectionFacts
	sections
)

// sectionHeads names the sections, the one that is shown underlined.
func (s *hypervisor) sectionHeads(a *app, at int) line {
	names := [sections]string{
		sectionVMs:    "VMs " + strconv.Itoa(len(s.vms.list.keys)),
		sectionRuns:   "Runs " + strconv.Itoa(len(s.runs.list.keys)),
		sectionConfig: "Config",
		sectionFacts:  "Facts",
	}
	heads := line{{" ", inkText}}
	for i, n := range names {
		colour := inkTabs
		if i == at {
			colour = inkTab
		}
		heads = append(heads, span{n, colour}, span{"   ", inkText})
	}
	if heads.size()+4 <= a.w {
		heads = append(heads, span{"←/→", inkKey})
	}
	return heads
}

// sectionActions go to the section after and before.
func (s *hypervisor) sectionActions(at int) []action {
	to := func(n int) func(a *app) tea.Cmd {
		return func(a *app) tea.Cmd { return s.turn(a, (at+n+sections)%sections) }
	}
	return []action{{binding: keySection, do: to(1)}, {binding: keySectionBack, do: to(-1)}}
}

// turn shows a section in the place of the one that is shown.
func (s *hypervisor) turn(a *app, section int) tea.Cmd {
	var next screen = s
	if section < sectionConfig {
		s.section = section
	} else {
		next = &hypervisorText{of: s, section: section}
	}
	a.filter = nil
	a.stack[len(a.stack)-1] = next
	return next.refresh(a, nil)
}

// hypervisorText is a section of a hypervisor that is read and scrolled.
type hypervisorText struct {
	reel
	of      *hypervisor
	section int
}

func (s *hypervisorText) title() string { return s.of.name }

func (s *hypervisorText) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	cmds := []tea.Cmd{s.of.refresh(a, dirty)}
	if s.section == sectionConfig && a.may(model.RoleAdmin) {
		s.of.config.name = s.of.name
		cmds = append(cmds, s.of.config.need(a))
	}
	return tea.Batch(cmds...)
}

func (s *hypervisorText) actions(a *app) []action {
	acts := append(s.of.sectionActions(s.section), action{binding: keyScroll})
	if s.section == sectionConfig {
		acts = append(acts, action{binding: keyNextFile, do: func(*app) tea.Cmd { return s.jump(1) }},
			action{binding: keyPrevFile, do: func(*app) tea.Cmd { return s.jump(-1) }})
	}
	return append(acts, hypervisorActions(a, s.of.row, keyEditHV)...)
}

// jump goes to the next file, or to the one before.
func (s *hypervisorText) jump(by int) tea.Cmd {
	files := s.of.config.files
	for i := range files {
		n := i
		if by < 0 {
			n = len(files) - 1 - i
		}
		if by > 0 && files[n] > s.top || by < 0 && files[n] < s.top {
			s.top = min(files[n], s.end)
			return nil
		}
	}
	return nil
}

func (s *hypervisorText) draw(a *app, w, h int) []line {
	r := s.of.row(a)
	if r == nil {
		return s.of.draw(a, w, h)
	}
	out := []line{append(line{{" ", inkText}}, phaseLine(r, a.now, w)...), s.of.sectionHeads(a, s.section)}
	if h >= 14 {
		out = append(out, nil)
	}
	var body []line
	if s.section == sectionConfig {
		body = s.of.config.draw(a)
	} else {
		body = factLines(a, r, w-1)
	}
	room := h - len(out)
	shown := s.show(body, room)
	if s.end > 0 {
		where := text(inkDim, strconv.Itoa(s.top+1)+"–"+strconv.Itoa(min(s.top+room, len(body)))+" of "+strconv.Itoa(len(body))+" lines ")
		out[1] = spread(out[1], where, w)
	}
	return append(out, indented(shown)...)
}

// factLines are what the agent found out about its machine, and what people
// have said of it.
func factLines(a *app, r *hvRow, w int) []line {
	f, st := r.st.Facts, r.st
	p := &page{w: w, label: 14}
	p.head("MACHINE")
	if st.Agent == model.AgentNever || st.Agent == "" {
		p.lines = append(p.lines, text(inkDim, "nothing is known before its agent has joined: J invites it"))
	} else {
		p.or("host name", f.Hostname, "–")
		p.or("system", strings.Trim(f.OS+" · "+f.Arch, " ·"), "–")
		p.or("CPUs", strconv.Itoa(f.CPUs), "–")
		p.or("memory", mebibytes(f.MemoryMiB), "–")
		p.or("acceleration", f.Accel, "–")
		p.or("terraform", f.Terraform, "–")
		p.or("libvirt", f.Libvirt, "–")
	}
	p.head("AGENT")
	p.lines = append(p.lines, append(text(inkDim, "state").fit(p.label), agentLine(a, r)...))
	p.or("version", st.AgentVersion, "–")
	if agent, ok := a.cache.state.Agents[r.Name]; ok {
		p.or("key", agent.Fingerprint, "–")
		p.or("joined", moment(a.now, agent.Joined), "–")
	}
	p.or("applied", digest(st.AppliedDigest), "–")
	p.or("wanted", digest(st.DesiredDigest), "–")
	p.head("DEFINED")
	p.or("platform", r.Platform, "–")
	p.or("acceleration", r.Accel, "–")
	p.or("network", r.Network, "–")
	p.or("address", r.Address, "–")
	p.or("policy", r.Policy, "–")
	p.or("power", powerPolicy(r), "–")
	p.or("outlets", strings.Join(r.Outlets, ", "), "–")
	for i, pool := range r.Pools {
		p.or(either(i == 0, "pools", ""), pool.Name+" at "+pool.Path, "–")
	}
	p.or("changed", age(a.now, r.Changed)+", revision "+strconv.FormatUint(r.Version, 10), "–")
	if st.Load != nil {
		p.load(a, st.Load)
	}
	return append(p.lines, foreignLines(r, w)...)
}

// load says what a machine uses.
func (p *page) load(a *app, l *model.Load) {
	p.head("USES")
	p.or("CPU", strconv.Itoa(l.CPUPercent)+" %", "–")
	p.or("memory", mebibytes(l.MemoryUsedMiB)+" of "+mebibytes(l.MemoryMiB), "–")
	p.or("load", loadNumber(l.Load1)+" "+loadNumber(l.Load5)+" "+loadNumber(l.Load15), "–")
	p.or("up since", moment(a.now, l.Booted), "–")
	for _, pool := range l.Pools {
		p.or("pool "+pool.Name, mebibytes(pool.AvailableMiB)+" free of "+mebibytes(pool.CapacityMiB), "–")
	}
}

// powerPolicy says who decides about a machine's power.
func powerPolicy(r *hvRow) string {
	words := []string{r.PowerPolicy}
	if words[0] == "" {
		words[0] = model.PowerManual
	}
	words = append(words, r.Schedules...)
	if r.IdleMinutes > 0 {
		words = append(words, "off after "+strconv.Itoa(r.IdleMinutes)+" min without a guest")
	}
	if r.Wake {
		words = append(words, "on when a VM is started")
	}
	return strings.Join(words, "; ")
}
