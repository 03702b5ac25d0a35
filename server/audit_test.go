package server

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// said are the audit's entries as "kind who what", newest first.
func (l *testLab) audited() []string {
	l.t.Helper()
	entries, err := l.admin().Audit(l.t.Context(), 0, 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%s %s %s x%d", e.Kind, e.Who, e.What, e.Count))
	}
	return out
}

func TestAuditSaysWhoDidWhat(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	viewer := l.user("vera", model.RoleViewer)
	if _, _, status := l.run("vm list"); status != 0 {
		t.Fatal(status)
	}
	for range 2 {
		if _, _, status := runOn(t, l.dial(viewer), "hypervisor remove box"); status == 0 {
			t.Fatal("a viewer removed it")
		}
	}
	if _, err := l.tryDial(newKeyPair(t)); err == nil {
		t.Fatal("a stranger got in")
	}
	l.join("box")
	admin := l.admin().User().Name
	missing := ""
	defer func() {
		if t.Failed() {
			t.Log("missing: " + missing)
		}
	}()
	eventually(t, "all is noted", func() bool {
		got := l.audited()
		for _, want := range []string{
			"connected vera connected with vera x2",
			"denied vera hypervisor remove box: needs admin x2",
			"did vera hypervisor remove box, status 1 x2",
			"did " + admin + " vm list x1",
			"refused stranger unknown key x1",
			"connected invite of box connected with its key x1",
			"did invite of box joined as the agent of box x1",
		} {
			if !slices.Contains(got, want) {
				missing = fmt.Sprintf("%q in %q", want, got)
				return false
			}
		}
		return true
	})
	if _, err := l.as(viewer).Audit(t.Context(), 0, 1); err == nil {
		t.Error("a viewer reads the audit")
	}
	if out, _, status := l.run("history --audit"); status != 0 || !strings.Contains(out, "refused: unknown key") {
		t.Errorf("status %d: %s", status, out)
	}
}

// A command is noted with what it names, and with nothing that may be secret.
func TestCommandsAreNotedWithWhatTheyName(t *testing.T) {
	l := startLab(t)
	l.commit(model.Edits(model.Add(sandbox("box")), model.Add(sandbox("rack"))))
	for _, c := range [][2]string{
		{"undo --yes 7", "undo 7, status 1"},
		{"hypervisor edit --policy review box", "hypervisor edit box"},
		{"hypervisor edit --network box", "hypervisor edit, status 2"},
		{"hold --dry-run box", "hold box"},
		{"release rack other box", "release rack box, status 1"},
		{"hypervisor add -y --policy=auto shelf", "hypervisor add shelf"},
		{"user add ann", "user add ann"},
		{"key add ann hush", "key add ann, status 2"},
		{"vm lst", "vm lst, status 2"},
		{"power off --force rack --yes", "power off rack"},
	} {
		given, want := c[0], c[1]
		_, _, _ = l.run(given)
		eventually(t, fmt.Sprintf("%q is noted as %q", given, want), func() bool {
			return slices.ContainsFunc(l.audited(), func(line string) bool { return strings.Contains(line, " "+want+" x") })
		})
	}
}

// A flood is one entry, and one write.
func TestAuditCountsAFlood(t *testing.T) {
	l := startLab(t)
	a := newAudit(l.srv.store, slog.New(slog.DiscardHandler))
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	a.now = func() time.Time { return now }
	for n := range 100_000 {
		now = now.Add(time.Millisecond)
		a.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: fmt.Sprintf("10.9.0.%d:1%03d", n%250, n%1000), What: "unknown key"})
	}
	if len(a.open) != maxAuditStrangers+1 {
		t.Errorf("%d entries are open", len(a.open))
	}
	a.settle()
	entries, err := l.srv.store.Audit(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	sum, many := 0, 0
	for _, e := range entries {
		if strings.HasPrefix(e.Address, "10.9.0.") || e.Address == everywhere {
			sum += e.Count
		}
		if e.Address == everywhere {
			many++
		}
	}
	if sum != 100_000 || many != 1 {
		t.Errorf("%d are counted, %d entries for the rest", sum, many)
	}
	// An hour later the same is noted anew, and what was counted last is kept.
	a.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: "10.9.0.1:1", What: "unknown key"})
	now = now.Add(auditWindow)
	a.note(model.Audited{Kind: model.AuditRefused, Who: "stranger", Address: "10.9.0.1:1", What: "unknown key"})
	a.settle()
	entries, _ = l.srv.store.Audit(0, 1000)
	var counts []int
	for _, e := range entries {
		if e.Address == "10.9.0.1" {
			counts = append(counts, e.Count)
		}
	}
	if !slices.Equal(counts, []int{1, 401}) {
		t.Errorf("counted %v", counts)
	}
}

func TestSessionsAreListed(t *testing.T) {
	l := startLab(t)
	viewer := l.user("vera", model.RoleViewer)
	l.dial(viewer)
	l.dial(l.key)
	eventually(t, "both are listed", func() bool { return len(l.admin().Sessions()) == 2 })
	own := l.as(viewer).Sessions()
	if len(own) != 1 || own[0].Who != "vera" || own[0].KeyName != "vera" || !strings.HasPrefix(own[0].Client, "SSH-2.0-") {
		t.Errorf("a viewer sees %+v", own)
	}
}

// How an agent's runs end is noted once, however often the agent says it.
func TestAuditSaysHowRunsEnd(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	a := l.agent(l.join("box"), wire.Hello{})
	run := a.expect(wire.KindRun).Run.ID
	a.finish(run, model.RunFailed, "no space left\non the device")
	want := fmt.Sprintf("did agent box run %d, apply: failed: no space left x1", run)
	eventually(t, want, func() bool { return slices.Contains(l.audited(), want) })
	a.finish(run, model.RunFailed, "again")
	for a.expect(wire.KindAck).Ack < a.seq {
	}
	if got := l.audited(); !slices.Contains(got, want) || slices.ContainsFunc(got, func(e string) bool { return strings.Contains(e, "again") }) {
		t.Errorf("it is noted again: %q", got)
	}
}
