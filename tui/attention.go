package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"homelab/model"
)

// note is one thing that needs attention, in words.
type note struct {
	ink  ink
	rank int // lower comes first
	sign string
	hv   string
	text string
	less string    // the same in fewer words, if there are such
	at   time.Time // a moment that belongs to the text, drawn after it
}

// notesOf lists what needs attention, what waits for a person first.
func notesOf(c *cache) []note {
	var notes []note
	for i := range c.hvs {
		if n, ok := noteOf(&c.hvs[i]); ok {
			notes = append(notes, n)
		}
		notes = append(notes, foreign(c, &c.hvs[i])...)
		if old := c.hvs[i].st.AgentOld; old != "" {
			notes = append(notes, note{ink: inkWarn, rank: 2, sign: signWarn, hv: c.hvs[i].Name, text: old})
		}
		if d := c.hvs[i].st.Differs; d != "" {
			notes = append(notes, note{ink: inkWarn, rank: 2, sign: signWarn, hv: c.hvs[i].Name, text: d})
		}
	}
	for _, name := range model.Names(c.status.Outlets) {
		if st := c.status.Outlets[name]; st.Error != "" {
			notes = append(notes, note{ink: inkWarn, rank: 3, sign: signWarn, hv: name, text: "outlet does not answer: " + st.Error})
		}
	}
	notes = append(notes, saltNotes(c)...)
	slices.SortStableFunc(notes, func(a, b note) int { return a.rank - b.rank })
	return notes
}

func noteOf(r *hvRow) (note, bool) {
	n := note{hv: r.Name, ink: inkWarn, sign: signWarn}
	switch r.st.Phase {
	case model.PhaseWaiting:
		n.rank, n.text = 0, "waits for your approval"
		if r.run != nil && len(r.run.Violations) > 0 {
			const would = ": it would destroy "
			lost := labels(r.run.Violations)
			if len(lost) > 1 {
				n.less = n.text + would + lost[0] + fmt.Sprintf(" and %d more", len(lost)-1)
			}
			n.text += would + sentence(lost)
		}
	case model.PhaseRetrying:
		n.rank, n.ink, n.sign = 1, inkBad, signFailed
		n.text, n.at = "failed: "+firstLine(r.st.Error), r.st.RetryAt
	case model.PhaseIncomplete:
		n.rank, n.ink, n.sign, n.text = 1, inkBad, signFailed, "cannot be configured: "+firstLine(r.st.Error)
	case model.PhaseDrifted:
		n.rank, n.text = 1, "drifted: "+firstLine(r.st.Error)
	case model.PhaseOffline:
		n.rank, n.text = 2, "agent is offline"
	case model.PhaseNew:
		if r.st.Power == model.PowerOff || running(r.st) != nil {
			return note{}, false // off is how it is meant to be, or it comes up just now
		}
		n.rank, n.text = 4, "has no agent yet: J on it shows the line that it joins with"
	case model.PhaseHeld:
		n.rank, n.text = 5, "is held: nothing is applied until it is released"
	default:
		return note{}, false
	}
	return n, true
}

// foreign says which domains stand in the way of a VM of ours.
func foreign(c *cache, r *hvRow) []note {
	var notes []note
	for _, g := range r.st.Guests {
		if g.Conflict == "" {
			continue
		}
		name := g.Name
		for _, i := range r.vms {
			if c.vms[i].ID == g.Conflict {
				name = c.vms[i].Name
			}
		}
		notes = append(notes, note{
			ink: inkBad, rank: 1, sign: signWarn, hv: r.Name,
			text: "has a domain " + g.Name + ", not ours, in the way of " + name + ": O on its screen adopts it",
			less: "has a domain in the way of " + name,
		})
	}
	return notes
}

// labels names what violations are about.
func labels(vs []model.Violation) []string {
	var out []string
	for _, v := range vs {
		l := v.Label
		if l == "" {
			l = v.Address
		}
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// line says as much of a note as has room in w columns: all of it, or without
// the clauses at its end.
func (n note) line(now time.Time, w int) line {
	l := line{{n.sign + " ", n.ink}, {n.hv + " ", inkName}}
	when := "; retries at " + moment(now, n.at)
	if n.at.IsZero() {
		when = ""
	}
	room := w - l.size()
	words, less := brief(n.text+when, room), brief(n.less, room)
	if n, m := width(clean(words)), width(clean(less)); m > 0 && (n > room || m > n && m <= room) {
		words = less
	}
	said, timed := strings.CutSuffix(words, when)
	return append(l, span{said, n.ink}, span{either(timed, when, ""), inkDim})
}

// powerSign is how power is shown: a sign and a word.
func powerSign(p model.Power) (string, string, ink) {
	switch p {
	case model.PowerOn:
		return signOn, "on", inkGood
	case model.PowerOff:
		return signOff, "off", inkDim
	}
	return signUnknown, "unknown", inkDim
}

// since says since when a hypervisor is in its phase, where there is room.
func since(l line, st model.HypervisorStatus, now time.Time, w int) line {
	words := " since " + moment(now, st.Since)
	if st.Since.IsZero() || l.size()+width(words) > w {
		return l
	}
	return append(l, span{words, inkDim})
}

// agentWords says how a hypervisor's agent is.
func agentWords(s model.AgentState) (string, ink) {
	switch s {
	case model.AgentOnline:
		return "online", inkGood
	case model.AgentOffline:
		return "offline", inkWarn
	}
	return "none", inkDim
}

// phaseLine says what a hypervisor is doing; progress is drawn where a run
// has some.
func phaseLine(r *hvRow, now time.Time, w int) line {
	st := r.st
	switch st.Phase {
	case model.PhaseInSync:
		return line{{signDone + " in sync", inkGood}}
	case model.PhaseOff:
		return text(inkDim, signOff+" off")
	case model.PhaseNew:
		if st.Power == model.PowerOff {
			return text(inkDim, signOff+either(w < 19, " off, new", " off, no agent yet"))
		}
		return text(inkDim, signNone+" no agent yet")
	case model.PhaseOffline:
		return since(text(inkWarn, signWarn+" agent offline"), st, now, w)
	case model.PhaseStarting, model.PhaseStopping:
		return since(text(inkBusy, signHalf+" "+string(st.Phase)), st, now, w)
	case model.PhaseConfiguring:
		if c := st.Configured; c != nil {
			return text(inkBusy, signHalf+either(w < 29, " ", " applied, ")+c.String())
		}
	case model.PhaseHeld:
		return text(inkWarn, signHalf+" held")
	case model.PhaseDrifted:
		return text(inkWarn, signWarn+" drifted: "+firstLine(st.Error))
	case model.PhaseWaiting:
		return text(inkWarn, signWarn+either(w < 20, " to be approved", " waits for approval"))
	case model.PhaseIncomplete:
		return text(inkBad, signFailed+" incomplete: "+firstLine(st.Error))
	case model.PhaseRetrying:
		l, words := text(inkBad, signFailed+" failed"), ", retries "+moment(now, st.RetryAt)
		if !st.RetryAt.IsZero() && l.size()+width(words) <= w {
			l = append(l, span{words, inkDim})
		}
		return l
	case model.PhaseApplying:
		l := text(inkBusy, signRun+" applying ")
		if r.run != nil && r.run.Summary.Total > 0 && w < 19 {
			return append(l, span{fmt.Sprintf("%d/%d", r.run.Summary.Done, r.run.Summary.Total), inkText})
		}
		if r.run != nil && r.run.Summary.Total > 0 {
			l = append(l, bar(r.run.Summary.Done, r.run.Summary.Total, min(max(w-18, 4), 16))...)
		}
		return l
	case "":
		return text(inkDim, signUnknown+" unknown")
	}
	return text(inkBusy, signRun+" "+string(st.Phase))
}
