package tui

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"homelab/model"
)

// starting has the lab switch pi5 on, of which the boot takes its time.
func starting(l *fakeLab) {
	st := l.status.Hypervisors["pi5"]
	st.Phase = model.PhaseStarting
	st.Sequence = &model.Sequence{
		Goal: "on", By: "grace", At: noon.Add(-70 * time.Second),
		Steps: []model.Step{
			{Kind: model.StepOutlet, Outlet: "switch", What: "switch outlet switch on", State: model.StepSkipped, Note: "it is on"},
			{Kind: model.StepOutlet, Outlet: "plug-pi", What: "switch outlet plug-pi on", State: model.StepDone, UsualSeconds: 2},
			{Kind: model.StepBoot, What: "wait for its agent", State: model.StepDoing, Since: noon.Add(-66 * time.Second), UsualSeconds: 48, Deadline: noon.Add(4 * time.Minute)},
			{Kind: model.StepApply, What: "apply its config", State: model.StepTodo, UsualSeconds: 14},
		},
	}
	l.status.Hypervisors["pi5"] = st
}

func TestSequenceScreens(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 12}} {
		for name, keys := range map[string]string{"sequence": "home down enter", "outlets-sequence": "4"} {
			file := fmt.Sprintf("%s-%dx%d", name, size[0], size[1])
			t.Run(file, func(t *testing.T) {
				l := newLab()
				starting(l)
				d := drive(t, l, size[0], size[1])
				for _, k := range strings.Fields(keys) {
					d.press(k)
					d.settle()
				}
				got := d.screen()
				for i, l := range strings.Split(got, "\n") {
					if w := ansi.StringWidth(l); w != size[0] {
						t.Errorf("line %d is %d wide: %q", i, w, l)
					}
				}
				compare(t, filepath.Join("testdata", file+".txt"), got)
			})
		}
	}
}

func TestSequenceMovesOn(t *testing.T) {
	l := newLab()
	starting(l)
	d := drive(t, l, 100, 30)
	d.press("4")
	d.see("POWER ON pi5 by grace", "▸ wait for its agent  1 min 06 s  usually 48 s", "· apply its config")
	l.mu.Lock()
	hvs := map[string]model.HypervisorStatus{}
	for name, st := range l.status.Hypervisors {
		hvs[name] = st
	}
	st := hvs["pi5"]
	q := *st.Sequence
	q.Steps = slices.Clone(q.Steps)
	q.Steps[2].State, q.Steps[2].Error = model.StepFailed, "no agent came within 5 min: look at its screen"
	st.Sequence = &q
	hvs["pi5"] = st
	l.status.Hypervisors = hvs
	l.mu.Unlock()
	l.hub.Publish(model.Ref{Kind: model.KindStatus, Name: "pi5"})
	d.see("✗ wait for its agent", "no agent came within 5 min")
}

func TestEverythingOff(t *testing.T) {
	l := newLab()
	d := drive(t, l, 100, 30)
	d.press("X")
	d.see("Everything off?", "nuc and 2 running guests (dns, media) are shut down", "plug-nas stays on: it is essential", "Type everything off")
	d.typed("everything off")
	d.press("enter")
	d.see("everything goes off")
	s := l.State()
	for _, name := range []string{"nuc", "thinkpad", "tower"} {
		if got := s.Hypervisors[name].PowerWanted; got != model.PowerWantedOff {
			t.Errorf("%s is wanted %q", name, got)
		}
	}
	if got := l.ordered(); len(got) > 0 {
		t.Errorf("what is essential was switched: %q", got)
	}
}

func TestEverythingOffKeepsWhatIsNeeded(t *testing.T) {
	s := model.NewState()
	hv := func(name, outlet string) {
		h := model.NewHypervisor(name)
		h.Outlets = []string{outlet}
		s.Hypervisors[name] = h
	}
	outlet := func(name string, essential bool, requires ...string) {
		s.Outlets[name] = model.Outlet{Name: name, Essential: essential, Requires: requires}
	}
	outlet("net", false)
	outlet("nas", false, "net")
	outlet("nuc-plug", false, "net")
	outlet("pi-plug", true)
	outlet("lamp", false)
	outlet("fan", false, "lamp")
	hv("nuc", "nuc-plug")
	hv("pi", "pi-plug")
	on := map[string]model.OutletStatus{}
	for name := range s.Outlets {
		on[name] = model.OutletStatus{State: model.PowerOn}
	}
	l := &fakeLab{state: s, status: model.Status{Outlets: on, Hypervisors: map[string]model.HypervisorStatus{
		"nuc": {Power: model.PowerOn, Agent: model.AgentOnline}, "pi": {Power: model.PowerOn, Agent: model.AgentOnline},
	}}}
	e := everythingOff(look(l, nil))
	if !slices.Equal(e.machines, []string{"nuc"}) || !slices.Equal(e.outlets, []string{"fan", "lamp", "nas"}) {
		t.Errorf("machines %q, outlets %q", e.machines, e.outlets)
	}
	if len(e.keeps) != 2 || !strings.Contains(e.keeps[0], "pi stays on") || !strings.Contains(e.keeps[1], "net stays on: nuc, which is shut down first, needs it") {
		t.Errorf("%q", e.keeps)
	}
}

func TestOutletKeys(t *testing.T) {
	for key, want := range map[string]string{"o": "outlet plug-desk on=true force=false", "c": "outlet plug-desk cycle force=true", "f": "outlet plug-desk on=false force=true"} {
		l := newLab()
		d := drive(t, l, 100, 30)
		d.press("4", "home", key)
		if key == "o" {
			d.press("y")
		} else {
			d.see("Type plug-desk")
			d.typed("plug-desk")
			d.press("enter")
		}
		d.until("the order", func() bool { return len(l.ordered()) > 0 })
		if got := l.ordered()[0]; got != want {
			t.Errorf("%s ordered %q, want %q", key, got, want)
		}
	}
}

func TestPlotSpans(t *testing.T) {
	d := drive(t, newLab(), 100, 30)
	d.press("4", "end", "w")
	d.see("now 96 W", "mean", "used", "not measured: ")
	d.press("d")
	d.settle()
	d.see("not measured: 2 h")
	d.press("left")
	d.settle()
	d.see("11:30")
}
