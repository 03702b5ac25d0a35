package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"homelab/model"
	"homelab/model/store"
)

func rec(seq, run uint64, message string) model.Record {
	return model.Record{Seq: seq, Run: run, Time: time.Unix(int64(seq), 0).UTC(), Level: model.LevelInfo, Message: message}
}

func state(seq, run uint64, st model.RunState) model.Record {
	return model.Record{Seq: seq, Run: run, Time: time.Unix(int64(seq), 0).UTC(), State: st}
}

func ingest(t testing.TB, s *store.Store, hv, spool string, records ...model.Record) {
	t.Helper()
	ack, err := s.Ingest(hv, spool, records)
	if err != nil {
		t.Fatal(err)
	}
	if last := records[len(records)-1].Seq; ack < last {
		t.Fatalf("acknowledged %d of %d", ack, last)
	}
}

func newRun(t testing.TB, s *store.Store, hv string, placements ...model.Placement) model.Run {
	t.Helper()
	r, err := s.NewRun(model.Run{Hypervisor: hv, Kind: model.RunApply, Digest: "digest"}, placements)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID == 0 || r.State != model.RunQueued {
		t.Fatalf("got %+v", r)
	}
	return r
}

func messages(t testing.TB, s *store.Store, run, after uint64, limit int) []string {
	t.Helper()
	records, err := s.Log(run, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	var m []string
	for _, r := range records {
		if text := r.Message + r.Error; text != "" {
			m = append(m, text)
		}
	}
	return m
}

// A log has what moved the run, too: who follows it sees all of it in order.
func TestLogHasEveryRecord(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	sent := []model.Record{
		state(1, run.ID, model.RunPlanning), rec(2, run.ID, "line"),
		{Seq: 3, Run: run.ID, State: model.RunWaiting, Violations: []model.Violation{{Address: "x", Label: "web root disk", Action: "delete"}}},
		{Seq: 4, Run: run.ID, Resource: &model.Resource{Address: "x", Status: model.ResourceDone}},
		{Seq: 5, Run: run.ID, State: model.RunFailed, Error: "no space"},
	}
	ingest(t, s, "a", "sp", sent...)
	got, err := s.Log(run.ID, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sent, got); d != "" {
		t.Error(d)
	}
}

func TestIngestExactlyOnceAndInOrder(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	ingest(t, s, "a", "sp1", rec(1, run.ID, "one"), rec(2, run.ID, "two"))
	ingest(t, s, "a", "sp1", rec(1, run.ID, "one"), rec(2, run.ID, "two"), rec(3, run.ID, "three"))
	ingest(t, s, "a", "sp1", rec(2, run.ID, "two"))
	ack, err := s.Ingest("a", "sp1", []model.Record{rec(5, run.ID, "five")})
	var gap *store.GapError
	if !errors.As(err, &gap) || ack != 3 || gap.Acked != 3 {
		t.Errorf("got %d, %v", ack, err)
	}
	ingest(t, s, "a", "sp2", rec(1, run.ID, "of another spool"), rec(2, run.ID, "and more"))
	want := []string{"one", "two", "three", "of another spool", "and more"}
	if d := cmp.Diff(want, messages(t, s, run.ID, 0, 100)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want[1:3], messages(t, s, run.ID, 1, 2)); d != "" {
		t.Error(d)
	}
	if spool, acked := s.Spool("a"); spool != "sp2" || acked != 2 {
		t.Errorf("at %s %d", spool, acked)
	}
}

func TestStrayRecordsAreAcknowledged(t *testing.T) {
	s := open(t)
	mine, other := newRun(t, s, "a"), newRun(t, s, "b")
	if err := s.EndRun(mine.ID, model.RunFailed, "the agent is lost"); err != nil {
		t.Fatal(err)
	}
	ingest(t, s, "a", "sp",
		rec(1, 999, "of no run"), state(2, 999, model.RunSucceeded),
		rec(3, other.ID, "of another's run"), state(4, other.ID, model.RunSucceeded),
		rec(5, mine.ID, "late"), state(6, mine.ID, model.RunSucceeded))
	if r, _ := s.Run(mine.ID); r.State != model.RunFailed || r.Error != "the agent is lost" {
		t.Errorf("got %+v", r)
	}
	if r, _ := s.Run(other.ID); r.State != model.RunQueued {
		t.Errorf("the other's run is %s", r.State)
	}
	if d := cmp.Diff([]string{"the agent is lost", "late"}, messages(t, s, mine.ID, 0, 9)); d != "" {
		t.Error(d)
	}
	if m := messages(t, s, other.ID, 0, 9); m != nil {
		t.Errorf("the other's log has %v", m)
	}
	if a, _ := s.Applied("a"); a.Digest != "" {
		t.Error("a late success was applied")
	}
}

func TestSuccessIsApplied(t *testing.T) {
	s := open(t)
	p := model.Placement{ID: "000000000001", Name: "web", Hypervisor: "a", Domain: true, Root: true}
	run := newRun(t, s, "a", p)
	watch := s.Hub().Watch()
	defer watch.Close()
	ingest(t, s, "a", "sp", state(1, run.ID, model.RunPlanning), state(2, run.ID, model.RunApplying), rec(3, run.ID, "x"), state(4, run.ID, model.RunSucceeded))
	want := model.Applied{Digest: "digest", At: time.Unix(4, 0).UTC(), Placements: []model.Placement{p}}
	if got, ok := s.Applied("a"); !ok || cmp.Diff(want, got) != "" {
		t.Errorf("got %+v", got)
	}
	root := []model.Disk{{VM: "000000000001", Disk: "root"}}
	if d := cmp.Diff(root, s.Disks("a")); d != "" {
		t.Error(d)
	}
	if len(s.ActiveRuns()) != 0 {
		t.Error("it is still under way")
	}
	dirty := watch.Take()
	for _, ref := range []model.Ref{{Kind: model.KindRun, Name: "1"}, {Kind: model.KindLog, Name: "1"}, {Kind: model.KindStatus, Name: "a"}} {
		if _, ok := dirty[ref]; !ok {
			t.Errorf("%s was not published", ref)
		}
	}
	// A report from before the disk was made does not make it go.
	for i, want := range [][]model.Disk{root, {}} {
		if err := s.SetDisks("a", nil); err != nil {
			t.Fatal(err)
		}
		if got := s.Disks("a"); len(got) != len(want) {
			t.Errorf("report %d leaves %v", i+1, got)
		}
	}
}

// What a run in vain may have made is kept until one succeeds.
func TestFailureIsTried(t *testing.T) {
	s := open(t)
	web := model.Placement{ID: "000000000001", Name: "web", Hypervisor: "a", Domain: true, Root: true, MemoryMiB: 1}
	more, db := web, web
	more.MemoryMiB, db.ID, db.Name = 2, "000000000002", "db"
	seq := uint64(0)
	end := func(st model.RunState, p ...model.Placement) {
		run := newRun(t, s, "a", p...)
		seq++
		ingest(t, s, "a", "sp", state(seq, run.ID, st))
	}
	tried := func(digest string, want ...model.Placement) {
		t.Helper()
		if a, _ := s.Applied("a"); a.Digest != digest || cmp.Diff(want, a.Tried) != "" {
			t.Errorf("applied %q, tried %+v, want %+v", a.Digest, a.Tried, want)
		}
	}
	end(model.RunFailed, web)
	tried("", web)
	end(model.RunSucceeded, web)
	tried("digest")
	end(model.RunFailed, more)
	end(model.RunFailed, more)
	end(model.RunSuperseded, db)
	end(model.RunCancelled, more, db)
	tried("digest", more, db)
	lost := newRun(t, s, "a", web)
	if err := s.EndRun(lost.ID, model.RunFailed, "lost"); err != nil {
		t.Fatal(err)
	}
	tried("digest", more, db)
	end(model.RunNoop, more, db)
	tried("digest")
}

func TestNoopLeavesNoRun(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	ingest(t, s, "a", "sp", rec(1, run.ID, "planning"), state(2, run.ID, model.RunNoop), rec(3, run.ID, "after"))
	var missing *model.NotFoundError
	if _, err := s.Run(run.ID); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Log(run.ID, 0, 9); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if a, ok := s.Applied("a"); !ok || a.Digest != "digest" || !a.At.Equal(time.Unix(2, 0)) {
		t.Errorf("got %+v", a)
	}
	if next := newRun(t, s, "a"); next.ID != run.ID+1 {
		t.Errorf("an ID was given twice: %d", next.ID)
	}
}

func TestPlanIsNotApplied(t *testing.T) {
	s := open(t)
	run, err := s.NewRun(model.Run{Hypervisor: "a", Kind: model.RunPlan, Digest: "d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, s, "a", "sp", state(1, run.ID, model.RunSucceeded))
	if _, ok := s.Applied("a"); ok {
		t.Error("a plan was applied")
	}
}

func TestOldRunsArePruned(t *testing.T) {
	s := open(t)
	waiting := newRun(t, s, "a")
	for i := range uint64(55) {
		run := newRun(t, s, "a")
		ingest(t, s, "a", "sp", rec(2*i+1, run.ID, "line"), state(2*i+2, run.ID, model.RunFailed))
	}
	other := newRun(t, s, "b")
	runs, err := s.Runs("a")
	if err != nil || len(runs) != 51 || runs[0].ID != 56 || runs[50].ID != waiting.ID {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	if _, err := s.Log(2, 0, 9); err == nil {
		t.Error("the log of run 2 is still there")
	}
	if m := messages(t, s, 7, 0, 9); len(m) != 1 {
		t.Errorf("run 7 has %v", m)
	}
	if all, _ := s.Runs(""); len(all) != 52 || all[0].ID != other.ID {
		t.Errorf("%d runs in all", len(all))
	}
}

func TestProgress(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	res := func(seq uint64, address string, st model.ResourceStatus) model.Record {
		return model.Record{Seq: seq, Run: run.ID, Resource: &model.Resource{Address: address, Action: "create", Status: st}}
	}
	ingest(t, s, "a", "sp",
		model.Record{Seq: 1, Run: run.ID, Summary: &model.Summary{Add: 2, Total: 2}},
		res(2, "x.a", model.ResourcePending), res(3, "x.b", model.ResourcePending))
	first := s.ActiveRuns()[run.ID]
	ingest(t, s, "a", "sp", res(4, "x.b", model.ResourceDone))
	if first.Resources[1].Status != model.ResourcePending || first.Summary.Done != 0 {
		t.Error("what was handed out has changed")
	}
	now := s.ActiveRuns()[run.ID]
	if now.Resources[1].Status != model.ResourceDone || now.Summary.Done != 1 || now.Summary.Total != 2 {
		t.Errorf("got %+v", now)
	}
	ingest(t, s, "a", "sp", res(5, "x.a", model.ResourceFailed), state(6, run.ID, model.RunFailed))
	r, err := s.Run(run.ID)
	if err != nil || len(r.Resources) != 2 || r.Summary.Done != 2 || r.State != model.RunFailed {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestEscapesAreTakenOut(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	ingest(t, s, "a", "sp", rec(1, run.ID, "\x1b]0;owned\a\xff"+strings.Repeat("x", 20<<10)))
	m := messages(t, s, run.ID, 0, 1)[0]
	if strings.ContainsAny(m, "\x1b\a") || !utf8.ValidString(m) || len(m) > 9<<10 {
		t.Errorf("the message is %q…, %d bytes", m[:20], len(m))
	}
}

func TestReadersWhileIngesting(t *testing.T) {
	s := open(t)
	run := newRun(t, s, "a")
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		for i := range uint64(30) {
			ingest(t, s, "a", "sp", model.Record{Seq: i + 1, Run: run.ID, Message: "m", Resource: &model.Resource{Address: fmt.Sprint("x.", i%5), Status: model.ResourceRunning}})
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, r := range s.ActiveRuns() {
				for _, res := range r.Resources {
					_ = res.Status
				}
			}
			if _, err := s.Run(run.ID); err != nil {
				t.Error(err)
			}
			_, _ = s.Log(run.ID, 0, 10)
		}
	})
	wg.Wait()
	if got := len(messages(t, s, run.ID, 0, 100)); got != 30 {
		t.Errorf("%d messages", got)
	}
}

func TestWhatCannotBeWrittenIsNotThere(t *testing.T) {
	s := open(t)
	commit(t, s, lab(1))
	run := newRun(t, s, "thinkpad")
	before := s.State()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit("ann", "", setMemory("vm-0", 0, 99)); err == nil || s.State() != before {
		t.Errorf("committed: %v", err)
	}
	if ack, err := s.Ingest("thinkpad", "sp", []model.Record{state(1, run.ID, model.RunApplying)}); err == nil || ack != 0 {
		t.Errorf("acknowledged %d, %v", ack, err)
	}
	if got := s.ActiveRuns()[run.ID].State; got != model.RunQueued {
		t.Errorf("the run is %s", got)
	}
	if _, err := s.NewRun(model.Run{Hypervisor: "a"}, nil); err == nil || len(s.ActiveRuns()) != 1 {
		t.Errorf("a run was made: %v", err)
	}
}
