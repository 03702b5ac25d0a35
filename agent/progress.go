package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"homelab/model"
)

// event is one line of terraform's machine-readable output, as far as we
// read it. Lines may be longer than terraform-exec's reader takes.
type event struct {
	Level   string `json:"@level"`
	Message string `json:"@message"`
	Type    string `json:"type"`
	Change  struct {
		Resource eventResource `json:"resource"`
		Action   string        `json:"action"`
	} `json:"change"`
	Hook struct {
		Resource eventResource `json:"resource"`
		Action   string        `json:"action"`
		Elapsed  float64       `json:"elapsed_seconds"`
	} `json:"hook"`
	Diagnostic struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail"`
		Address  string `json:"address"`
	} `json:"diagnostic"`
}

type eventResource struct {
	Addr string `json:"addr"`
}

// progress turns terraform's output into records of a run: log lines, the
// steps of the plan and how far each is. It reads the output of plan, then
// that of apply.
type progress struct {
	label  func(address string) string
	record func(model.Record)

	steps    map[string]string // action by address
	summary  model.Summary
	problems []string // error diagnostics, for the run's error
	applying bool
}

func newProgress(label func(string) string, record func(model.Record)) *progress {
	return &progress{label: label, record: record, steps: map[string]string{}}
}

// Retry forgets what a plan that was killed has said.
func (p *progress) Retry() {
	p.steps, p.summary, p.problems = map[string]string{}, model.Summary{}, nil
}

// Apply says that what follows is the output of apply.
func (p *progress) Apply() { p.applying, p.problems = true, nil }

// Line reads one line. It tells whether that is progress, which the passing
// of time is not.
func (p *progress) Line(b []byte) bool {
	var e event
	if err := json.Unmarshal(b, &e); err != nil || e.Message == "" {
		p.log(model.LevelWarn, string(b)) // not of terraform itself
		return true
	}
	p.name(&e)
	switch e.Type {
	case "refresh_complete", "outputs":
	case "planned_change":
		p.planned(e)
	case "change_summary":
		p.summed(e)
	case "resource_drift":
		p.log(model.LevelWarn, "drift: "+e.Message)
	case "diagnostic":
		p.diagnostic(e)
	case "apply_start", "apply_progress", "apply_complete", "apply_errored":
		p.step(e)
		return e.Type != "apply_progress"
	default:
		p.log(e.Level, e.Message)
	}
	return true
}

// name puts the label that people know into a message in place of the address.
func (p *progress) name(e *event) {
	address := e.Hook.Resource.Addr + e.Change.Resource.Addr // one of them is empty
	if rest, ok := strings.CutPrefix(e.Message, address+":"); ok && address != "" {
		e.Message = p.label(address) + ":" + rest
	}
}

func (p *progress) log(level, text string) {
	if level != model.LevelWarn && level != model.LevelError {
		level = model.LevelInfo
	}
	p.record(model.Record{Level: level, Message: text})
}

func (p *progress) planned(e event) {
	address, action := e.Change.Resource.Addr, e.Change.Action
	if p.applying { // apply repeats the plan
		return
	}
	switch action {
	case "create":
		p.summary.Add++
	case "update":
		p.summary.Change++
	case "delete":
		p.summary.Destroy++
	case "replace":
		p.summary.Add++
		p.summary.Destroy++
	default: // reading, moving, forgetting: nothing that takes time
		p.log(e.Level, e.Message)
		return
	}
	if _, ok := p.steps[address]; !ok {
		p.summary.Total++
	}
	p.steps[address] = action
	p.record(model.Record{
		Level: model.LevelInfo, Message: e.Message,
		Resource: &model.Resource{Address: address, Label: p.label(address), Action: action, Status: model.ResourcePending},
	})
}

func (p *progress) summed(e event) {
	r := model.Record{Level: model.LevelInfo, Message: e.Message}
	if !p.applying {
		s := p.summary
		r.Summary = &s
	}
	p.record(r)
}

// step tells of one step of the apply. A replaced resource is deleted and
// created: it is done after the second.
func (p *progress) step(e event) {
	address := e.Hook.Resource.Addr
	action, ok := p.steps[address]
	if !ok {
		action = e.Hook.Action
	}
	status := model.ResourceRunning
	switch {
	case e.Type == "apply_errored":
		status = model.ResourceFailed
	case e.Type == "apply_complete" && (action != "replace" || p.second(e)):
		status = model.ResourceDone
	}
	level := model.LevelInfo
	if status == model.ResourceFailed {
		level = model.LevelError
	}
	p.record(model.Record{
		Level: level, Message: e.Message,
		Resource: &model.Resource{Address: address, Label: p.label(address), Action: action, Status: status, Seconds: e.Hook.Elapsed},
	})
}

// second tells whether e completes the second half of a replacement. Which is
// first depends on create_before_destroy.
func (p *progress) second(e event) bool {
	key := e.Hook.Resource.Addr + " half"
	if _, ok := p.steps[key]; ok {
		return true
	}
	p.steps[key] = e.Hook.Action
	return false
}

func (p *progress) diagnostic(e event) {
	d := e.Diagnostic
	level, prefix := model.LevelWarn, "Warning: "
	text := d.Summary
	if address := d.Address; address != "" && !strings.HasPrefix(address, "provider[") {
		text = p.label(address) + ": " + text
	}
	if d.Severity == "error" {
		level, prefix = model.LevelError, "Error: "
		if !slices.Contains(p.problems, text) {
			p.problems = append(p.problems, text)
		}
	}
	p.log(level, prefix+text)
	for line := range strings.Lines(d.Detail) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			p.log(level, "  "+line)
		}
	}
}

// Error makes one error of what terraform complained about and how it ended.
func (p *progress) Error(doing string, err error) error {
	if len(p.problems) == 0 {
		return fmt.Errorf("%s failed: %w", doing, err)
	}
	text := strings.Join(p.problems[:min(3, len(p.problems))], "; ")
	if n := len(p.problems) - 3; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	if hint := hintFor(text); hint != "" {
		text += " (" + hint + ")"
	}
	return fmt.Errorf("%s failed: %s", doing, text)
}

// hintFor says what to do about errors that people meet.
func hintFor(text string) string {
	switch {
	case strings.Contains(text, "failed to connect: dial unix"):
		return "libvirtd does not run on the hypervisor: start it there"
	case strings.Contains(text, "acquiring the state lock"):
		return "another terraform works on the same state: end it"
	case strings.Contains(text, "can't find storage pool"):
		return "add the pool to the hypervisor, or put the disk into another one"
	}
	return ""
}
