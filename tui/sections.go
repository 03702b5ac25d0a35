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
	of      *hypervisor
	section int
	top     int
	page    int
	end     int // the last line that can be on top
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

// scroll moves in the text.
func (s *hypervisorText) scroll(k tea.KeyPressMsg) bool {
	return scrolled(&s.top, s.page, s.end, k)
}

// scrolled moves the top of a text by a key and tells whether it was one that does.
func scrolled(top *int, page, end int, k tea.KeyPressMsg) bool {
	switch k.String() {
	case "up", "k":
		*top--
	case "down", "j":
		*top++
	case "pgup", "ctrl+b":
		*top -= page
	case "pgdown", "ctrl+f", "space":
		*top += page
	case "ctrl+u":
		*top -= page / 2
	case "ctrl+d":
		*top += page / 2
	case "home":
		*top = 0
	case "end", "G":
		*top = end
	default:
		return false
	}
	*top = max(min(*top, end), 0)
	return true
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
		body = factLines(a, r, w)
	}
	room := h - len(out)
	s.page, s.end = max(room-1, 1), max(len(body)-room, 0)
	s.top = min(s.top, s.end)
	if s.end > 0 {
		where := text(inkDim, strconv.Itoa(s.top+1)+"–"+strconv.Itoa(min(s.top+room, len(body)))+" of "+strconv.Itoa(len(body))+" lines ")
		out[1] = spread(out[1], where, w)
	}
	for _, l := range body[s.top:min(s.top+room, len(body))] {
		out = append(out, append(line{{" ", inkText}}, l...))
	}
	return out
}

// factLines are what the agent found out about its machine, and what people
// have said of it.
func factLines(a *app, r *hvRow, w int) []line {
	f, st := r.st.Facts, r.st
	head := func(s string) line { return text(inkHead, s) }
	one := func(label, value string) line {
		return append(text(inkDim, label).fit(14), span{orNone(value), inkText})
	}
	out := []line{head("MACHINE")}
	if st.Agent == model.AgentNever || st.Agent == "" {
		out = append(out, text(inkDim, "nothing is known before its agent has joined: J invites it"))
	} else {
		out = append(out,
			one("host name", f.Hostname), one("system", strings.Trim(f.OS+" · "+f.Arch, " ·")), one("CPUs", strconv.Itoa(f.CPUs)),
			one("memory", mebibytes(f.MemoryMiB)), one("acceleration", f.Accel), one("terraform", f.Terraform), one("libvirt", f.Libvirt))
	}
	out = append(out, nil, head("AGENT"), append(text(inkDim, "state").fit(14), agentLine(a, r)...), one("version", st.AgentVersion))
	if agent, ok := a.cache.state.Agents[r.Name]; ok {
		out = append(out, one("key", agent.Fingerprint), one("joined", moment(a.now, agent.Joined)))
	}
	out = append(out, one("applied", digest(st.AppliedDigest)), one("wanted", digest(st.DesiredDigest)), nil, head("DEFINED"),
		one("platform", r.Platform), one("acceleration", r.Accel), one("network", r.Network), one("address", r.Address), one("policy", r.Policy),
		one("power", powerPolicy(r)), one("outlets", strings.Join(r.Outlets, ", ")))
	for i, p := range r.Pools {
		out = append(out, one(either(i == 0, "pools", ""), p.Name+" at "+p.Path))
	}
	if l := r.st.Load; l != nil {
		out = append(out, nil, head("USES"), one("CPU", strconv.Itoa(l.CPUPercent)+" %"), one("memory", mebibytes(l.MemoryUsedMiB)+" of "+mebibytes(l.MemoryMiB)),
			one("load", loadNumber(l.Load1)+" "+loadNumber(l.Load5)+" "+loadNumber(l.Load15)), one("up since", moment(a.now, l.Booted)))
		for _, p := range l.Pools {
			out = append(out, one("pool "+p.Name, mebibytes(p.AvailableMiB)+" free of "+mebibytes(p.CapacityMiB)))
		}
	}
	out = append(out, one("changed", age(a.now, r.Changed)+", revision "+strconv.FormatUint(r.Version, 10)))
	return append(out, foreignLines(r, w)...)
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
