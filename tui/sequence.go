package tui

import (
	"strconv"
	"time"

	"homelab/model"
)

// running is the power sequence of a hypervisor that is not over, or nil.
func running(st model.HypervisorStatus) *model.Sequence {
	if q := st.Sequence; q != nil && q.Ended.IsZero() && len(q.Steps) > 0 {
		return q
	}
	return nil
}

// stepSign is how far a step is.
func stepSign(s model.StepState) (string, ink) {
	switch s {
	case model.StepDone:
		return signDone, inkGood
	case model.StepFailed:
		return signFailed, inkBad
	case model.StepDoing:
		return signRun, inkBusy
	case model.StepSkipped:
		return "–", inkDim
	}
	return signNone, inkDim
}

// sequenceHead says what a sequence is about and whose it is.
func sequenceHead(name string, q *model.Sequence, now time.Time) line {
	goal := map[string]string{"on": "POWER ON ", "off": "POWER OFF ", "cycle": "POWER CYCLE "}[q.Goal]
	l := line{{" " + goal, inkHead}, {name, inkName}}
	if q.By != "" {
		l = append(l, span{" by " + q.By, inkDim})
	}
	if q.Why != "" {
		l = append(l, span{" (" + q.Why + ")", inkDim})
	}
	return append(l, span{" at " + moment(now, q.At), inkDim})
}

// stepLine is one step: what, how long it takes or took, and what went wrong.
func stepLine(s model.Step, now time.Time) line {
	sign, colour := stepSign(s.State)
	what := inkText
	if s.State == model.StepTodo || s.State == model.StepSkipped {
		what = inkDim
	}
	l := line{{"  " + sign + " ", colour}, {s.What, what}}
	if s.State == model.StepDoing && !s.Since.IsZero() {
		l = append(l, span{"  " + lasted(now.Sub(s.Since)), inkBusy})
	}
	if s.UsualSeconds > 0 && s.State != model.StepDone && s.State != model.StepSkipped {
		l = append(l, span{"  usually " + lasted(time.Duration(s.UsualSeconds)*time.Second), inkDim})
	}
	if s.State == model.StepDoing && !s.Deadline.IsZero() {
		l = append(l, span{", until " + moment(now, s.Deadline) + " at most", inkDim})
	}
	if s.Note != "" {
		l = append(l, span{"  " + s.Note, inkDim})
	}
	if s.Error != "" {
		l = append(l, span{"  " + firstLine(s.Error), inkBad})
	}
	return l
}

// checklist draws a sequence in at most h lines: where they do not suffice, the
// steps around that which is being done.
func checklist(name string, q *model.Sequence, now time.Time, h int) []line {
	out := []line{sequenceHead(name, q, now)}
	if h <= 1 {
		return []line{append(out[0], at(q)...)}
	}
	room := h - 1
	if q.Error != "" {
		room--
	}
	first := 0
	for i, s := range q.Steps {
		if s.State == model.StepDoing || s.State == model.StepFailed {
			first = max(min(i-1, len(q.Steps)-room), 0)
			break
		}
	}
	for _, s := range q.Steps[first:min(first+max(room, 1), len(q.Steps))] {
		out = append(out, stepLine(s, now))
	}
	if q.Error != "" {
		out = append(out, text(inkBad, " "+signFailed+" "+firstLine(q.Error)))
	}
	return out[:min(len(out), h)]
}

// at says how far a sequence is in a few words.
func at(q *model.Sequence) line {
	done := 0
	for _, s := range q.Steps {
		switch s.State {
		case model.StepDone, model.StepSkipped:
			done++
		case model.StepDoing, model.StepFailed:
			sign, colour := stepSign(s.State)
			return line{{"  " + sign + " " + strconv.Itoa(done+1) + "/" + strconv.Itoa(len(q.Steps)) + " " + s.What, colour}}
		}
	}
	return line{{"  " + strconv.Itoa(done) + "/" + strconv.Itoa(len(q.Steps)), inkDim}}
}

// sequences draws all sequences that run, in at most h lines; nil if none does.
func (c *cache) sequences(now time.Time, h int) []line {
	var names []string
	for i := range c.hvs {
		if running(c.hvs[i].st) != nil {
			names = append(names, c.hvs[i].Name)
		}
	}
	if len(names) == 0 || h < 1 {
		return nil
	}
	var out []line
	for n, name := range names {
		left := h - len(out) - (len(names) - n - 1) // a line at least for each of those that follow
		if left < 1 {
			break
		}
		r, _ := c.hypervisor(name)
		q := running(r.st)
		out = append(out, checklist(name, q, now, min(left, len(q.Steps)+2))...)
	}
	return out[:min(len(out), h)]
}
