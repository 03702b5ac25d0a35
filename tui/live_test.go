package tui

import (
	"strings"
	"testing"

	"homelab/model"
)

// TestNewsFromElsewhere tells of a run that failed while somebody looks at
// something else, by the bell and the title where that is asked for.
func TestNewsFromElsewhere(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2", "B")
	d.see("failures ring the bell")
	l.finish(41, model.RunFailed, "no room in pool fast")
	d.see("thinkpad: run 41 failed: no room in pool fast")
	if title := d.a.View().WindowTitle; !strings.Contains(title, "run 41 failed") {
		t.Errorf("the title is %q", title)
	}
	d.press("down")
	if title := d.a.View().WindowTitle; strings.Contains(title, "failed") {
		t.Errorf("the title is still %q", title)
	}
	d.press("home", "x")
	d.see("Protect backup, revision 9; u undoes it")
	l.finish(40, model.RunSucceeded, "")
	d.see("Protect backup, revision 9; u undoes it   ✓ tower: run 40 succeeded")
}

// finish ends a run that is under way.
func (l *fakeLab) finish(id uint64, state model.RunState, err string) {
	l.mu.Lock()
	runs := map[uint64]model.Run{}
	for n, r := range l.status.Runs {
		if n != id {
			runs[n] = r
		}
	}
	r := l.runs[id]
	r.State, r.Error, r.Finished = state, err, noon
	l.runs[id], l.status.Runs = r, runs
	l.mu.Unlock()
	l.hub.Publish(model.Ref{Kind: model.KindRun, Name: strings.TrimPrefix(runTag(id), "run ")})
}

func TestLogs(t *testing.T) {
	l := newLab()
	var more []model.Record
	for range 60 {
		more = append(more, model.Record{Level: model.LevelInfo, Message: "refreshing " + strings.Repeat("long ", 30)})
	}
	l.record(41, append(more, model.Record{Level: model.LevelInfo, Message: "the needle"})...)
	d := driveAt(t, l, 120, 40, "run", "41")
	d.see("the needle", "following")
	d.press("home")
	d.see("scrolled", "terraform init")
	d.press("/")
	d.typed("needle")
	d.see("the needle")
	d.press("enter", "n", "N")
	d.press("t")
	d.gone("11:59:41")
	d.press("F")
	d.gone("STEPS")
	d.press("F", "w", "G")
	d.see("long…")
	d.press("S")
	d.see("copied: ssh homelab.lan logs 41 > run-41.log")
}

// TestEditorsAreSeen says who edits the same thing before anything is saved.
func TestEditorsAreSeen(t *testing.T) {
	l := newLab()
	d := drive(t, l, 120, 40)
	d.press("2", "end", "enter")
	d.see("edit VM web")
	ref := model.Ref{Kind: model.KindVM, Name: "web"}
	l.mu.Lock()
	l.editors = map[model.Ref][]string{ref: {"grace"}}
	l.mu.Unlock()
	l.Editing(ref)
	d.see("grace is editing it too")
}

func TestRoomIsShown(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	d.press("2", "n", "tab")
	d.see("free")
}
