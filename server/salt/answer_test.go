package salt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"homelab/model"
)

func TestStatus(t *testing.T) {
	f := newFake(t)
	f.play("salt-run.manage.status", "manage-status-1down")
	got, err := f.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Up: []string{"bad_on_thinkpad", "web_on_thinkpad"}, Down: []string{"db_on_thinkpad"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Status{}, "Asked")); diff != "" {
		t.Errorf("who is up (-want +got):\n%s", diff)
	}
	f.write("down", "")
	_, err = f.Status(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "salt-run manage.status: Salt request timed out. The master is not responding.") {
		t.Errorf("of a master that is down: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	tests := map[string]struct {
		reach []string
		want  string
	}{
		"no program": {[]string{"/nonexistent/sudo"}, "no such file"},
		"no salt":    {[]string{"env", "PATH=/nonexistent"}, "env:"},
		"sudo":       {[]string{"sh", "-c", "echo 'sudo: a password is required' >&2; exit 1"}, "a password is required"},
		"ssh":        {append(newFake(t).env(), "PATH=testdata/nossh:/usr/bin:/bin", "./testdata/nossh/ssh", "pi2"), "Connection refused"},
		"signal":     {[]string{"sh", "-c", "kill -9 $$"}, "signal: killed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := Master{Name: "pi", Reach: test.reach}
			if _, err := m.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestDeadline has a command that hangs, and a child of it that holds its
// output.
func TestDeadline(t *testing.T) {
	m := Master{Name: "pi", Reach: []string{"sh", "-c", "sleep 1000 & sleep 1000"}, Deadline: 50 * time.Millisecond}
	if _, err := m.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("nobody waits"))
	if err := m.Call(ctx, []string{"web"}, "test.ping", nil, nil); err == nil || !strings.Contains(err.Error(), "nobody waits") {
		t.Errorf("the error is %v", err)
	}
}

// outcome is what a recorded answer of state.apply must be read as.
type outcome struct {
	down   bool
	ok     bool
	steps  int
	failed string // Failure()
	err    string
}

func TestCallApply(t *testing.T) {
	tests := map[string]struct {
		id   string
		want outcome
	}{
		"apply-ok":        {"web_on_thinkpad", outcome{ok: true, steps: 2}},
		"apply-fail":      {"bad_on_thinkpad", outcome{steps: 4, failed: `always_fails: Command "echo to-out; echo to-err >&2; exit 3" run`, err: "failed on bad_on_thinkpad"}},
		"apply-down":      {"db_on_thinkpad", outcome{down: true, err: "no answer from db_on_thinkpad"}},
		"apply-nosls":     {"web_on_thinkpad", outcome{failed: "No matching sls found for 'nosuch' in env 'base'", err: "failed on web_on_thinkpad"}},
		"apply-renderbad": {"web_on_thinkpad", outcome{failed: "Rendering SLS 'base:renderbad' failed: Jinja variable 'nosuchvar' is undefined; line 3", err: "failed on web_on_thinkpad"}},
		"apply-conflict":  {"web_on_thinkpad", outcome{failed: `The function "state.apply" is running as PID 24689 and was started at 2026, Nov 22 07:38:44.211824 with jid 20261122073844211824`, err: "failed on web_on_thinkpad"}},
	}
	for name, test := range tests {
		for _, rc := range []string{"0", "1"} {
			t.Run(name+" "+rc, func(t *testing.T) {
				f := newFake(t)
				f.play("salt.state.apply", name)
				if !test.want.ok {
					f.write("salt.state.apply.rc", rc) // whatever it is, the answer counts
				}
				got, n := outcome{}, 0
				err := f.Call(t.Context(), []string{test.id}, "state.apply", nil, func(r Return) {
					n++
					got.down = r.Down
					if r.Result != nil {
						got.ok, got.steps, got.failed = r.Result.OK, len(r.Result.Steps), r.Result.Failure()
					}
				})
				if err != nil {
					got.err = err.Error()
				}
				if got != test.want || n != 1 {
					t.Errorf("%d answers, read as %+v,\nwant %+v", n, got, test.want)
				}
			})
		}
	}
}

func TestCallStreams(t *testing.T) {
	f := newFake(t)
	for _, id := range []string{"a", "b"} {
		f.key("minions", id, "")
	}
	var got []string
	err := f.Call(t.Context(), []string{"a", "b", "gone"}, "test.ping", nil, func(r Return) {
		got = append(got, r.Minion+" "+string(r.Value))
	})
	var failed *CallError
	if !errors.As(err, &failed) || !cmp.Equal(failed.Down, []string{"gone"}) || len(failed.Failed) > 0 {
		t.Errorf("the error is %v", err)
	}
	if diff := cmp.Diff([]string{"a true", "b true", "gone "}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if err := f.Call(t.Context(), []string{"a", "b"}, "test.ping", nil, func(Return) {}); err != nil {
		t.Error(err)
	}
}

func TestCallNobody(t *testing.T) {
	f := newFake(t)
	tests := map[string]string{"notarget": "No minions matched the target. No command was sent, no jid was assigned."}
	for name, want := range tests {
		f.play("salt.test.ping", name)
		err := f.Call(t.Context(), []string{"nosuch"}, "test.ping", nil, func(r Return) { t.Errorf("%s answers", r.Minion) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.write("down", "")
	err := f.Call(t.Context(), []string{"nosuch"}, "test.ping", nil, func(r Return) { t.Errorf("%s answers", r.Minion) })
	if err == nil || !strings.HasSuffix(err.Error(), "Salt request timed out. The master is not responding.") {
		t.Errorf("a master that is down: %v", err)
	}
}

func TestSteps(t *testing.T) {
	f := newFake(t)
	f.play("salt.state.apply", "apply-fail")
	var got *model.SaltResult
	_ = f.Call(t.Context(), []string{"bad_on_thinkpad"}, "state.apply", nil, func(r Return) { got = r.Result })
	want := []model.SaltStep{
		{ID: "motd_file", Name: "/srv/salt-lab/out/bad_on_thinkpad.motd", Function: "file.managed", SLS: "core", OK: true, Changes: []string{}, Comment: "File /srv/salt-lab/out/bad_on_thinkpad.motd is in the correct state", Seconds: 0.026591},
		{ID: "say_hello", Name: "echo hello", Function: "cmd.run", SLS: "core", OK: true, Changes: []string{"pid", "retcode", "stderr", "stdout"}, Comment: `Command "echo hello" run`, Seconds: 0.010006},
		{ID: "always_fails", Name: "echo to-out; echo to-err >&2; exit 3", Function: "cmd.run", SLS: "broken", Changes: []string{"pid", "retcode", "stderr", "stdout"}, Comment: `Command "echo to-out; echo to-err >&2; exit 3" run`, Seconds: 0.002423},
		{ID: "after_failed", Name: "after_failed", Function: "test.nop", SLS: "broken", Changes: []string{}, Comment: "One or more requisite failed: broken.always_fails", Seconds: 0.000003},
	}
	if diff := cmp.Diff(want, got.Steps, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

func TestStartApply(t *testing.T) {
	f := newFake(t)
	job, err := f.StartApply(t.Context(), []string{"a", "b"})
	if err != nil || job != "20261122073844211824" {
		t.Fatalf("job %q, error %v", job, err)
	}
	want := []string{"salt", "--async", "--out=json", "-L", "a,b", "state.apply", "queue=True"}
	if diff := cmp.Diff(want, f.argv()[0]); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	f.write("down", "")
	if _, err := f.StartApply(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), "not responding") {
		t.Errorf("a master that is down: %v", err)
	}
}

func TestLookup(t *testing.T) {
	const job = "20261122073844211824"
	f := newFake(t)
	if got, err := f.Lookup(t.Context(), job); err != nil || len(got) > 0 {
		t.Errorf("a job that has not ended: %v, error %v", got, err)
	}
	f.play("salt-run.jobs.lookup_jid", "lookup-jid")
	got, err := f.Lookup(t.Context(), job)
	if r := got["web_on_thinkpad"]; err != nil || len(got) != 1 || !r.OK || r.Job != job || len(r.Steps) != 1 || r.Steps[0].Seconds != 12.015753 {
		t.Errorf("a job that has ended: %+v, error %v", got, err)
	}
	f.write("salt-run.jobs.lookup_jid.stdout", `{"outputter": "highstate", "data": {"db": ["No matching sls found for 'x' in env 'base'"]}}`)
	if got, err := f.Lookup(t.Context(), job); err != nil || got["db"].OK || len(got["db"].Errors) != 1 {
		t.Errorf("in the runner's form: %+v, error %v", got, err)
	}
}

// TestSplitter writes byte by byte.
func TestSplitter(t *testing.T) {
	in := "Some prose\n[ERROR   ] log\n{\"a\": \"}{\\\"\"}\n{\n  \"b\": [\n {}\n ]\n}\n\"a \\n string\"\nmore \"prose\"\n{}\n{\"cut\": ["
	var docs []string
	s := splitter{doc: func(b []byte) { docs = append(docs, string(b)) }}
	for i := range len(in) {
		_, _ = s.Write([]byte(in[i : i+1]))
	}
	if cut := string(s.Close()); cut != "{\"cut\": [\n" {
		t.Errorf("cut is %q", cut)
	}
	if diff := cmp.Diff([]string{`{"a": "}{\""}`, "{\n  \"b\": [\n {}\n ]\n}", `"a \n string"`, "{}"}, docs); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Some prose", "[ERROR   ] log", `more "prose"`}, s.prose); diff != "" {
		t.Errorf("prose (-want +got):\n%s", diff)
	}
}
