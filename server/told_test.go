package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"homelab/model"
)

func plugRef(name string) model.Ref { return model.Ref{Kind: model.KindOutlet, Name: name} }

func badPlugs(names ...string) map[model.Ref]wrong {
	all := map[model.Ref]wrong{}
	for _, n := range names {
		all[plugRef(n)] = wrong{what: plugRef(n), text: "no answer"}
	}
	return all
}

func said(events []event) string {
	var words []string
	for _, e := range events {
		words = append(words, e.Name+" "+e.State)
	}
	return strings.Join(words, ", ")
}

// everything is known.
func everything(model.Ref) bool { return true }

func TestBell(t *testing.T) {
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	type look struct {
		after time.Duration // since start
		wrong map[model.Ref]wrong
		want  string
	}
	for name, looks := range map[string][]look{
		"a failure that lasts, and its end": {
			{0, badPlugs("a"), ""},
			{60 * time.Second, badPlugs("a"), ""},
			{121 * time.Second, badPlugs("a"), ""},
			{140 * time.Second, badPlugs("a"), "a failed"},
			{200 * time.Second, badPlugs("a"), ""},
			{300 * time.Second, nil, ""},
			{320 * time.Second, nil, "a recovered"},
			{400 * time.Second, nil, ""},
		},
		"one that does not last": {{0, badPlugs("a"), ""}, {60 * time.Second, nil, ""}, {200 * time.Second, nil, ""}},
		"several together":       {{0, badPlugs("a", "b"), ""}, {125 * time.Second, badPlugs("a", "b", "c"), ""}, {141 * time.Second, badPlugs("a", "b", "c"), "a failed, b failed"}},
		"one that ends before it was told": {
			{0, badPlugs("a", "b"), ""}, {125 * time.Second, badPlugs("a", "b"), ""}, {130 * time.Second, badPlugs("b"), ""}, {150 * time.Second, badPlugs("b"), "b failed"},
		},
		"at once": {{0, map[model.Ref]wrong{plugRef("a"): {what: plugRef("a"), now: true}}, ""}, {16 * time.Second, nil, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBell()
			for _, l := range looks {
				if got := said(b.look(start.Add(l.after), l.wrong, everything, 2*time.Minute, 10)); got != l.want {
					t.Errorf("after %v: %q, want %q", l.after, got, l.want)
				}
			}
		})
	}
}

// TestBellAgainstFloods has fifty plugs come and go for an hour.
func TestBellAgainstFloods(t *testing.T) {
	b, now := newBell(), time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	end, messages := now.Add(time.Hour), 0
	for step := 0; now.Before(end); step++ {
		all := map[model.Ref]wrong{}
		for i := range 50 {
			if (step+i)%12 < 6 {
				all[plugRef(fmt.Sprintf("p%02d", i))] = wrong{what: plugRef(fmt.Sprintf("p%02d", i)), text: "x"}
			}
		}
		if len(b.look(now, all, everything, 0, 4)) > 0 {
			messages++
		}
		if len(b.waiting) > 100 {
			t.Fatalf("%d events wait", len(b.waiting))
		}
		now = now.Add(30 * time.Second)
	}
	if messages != 4 {
		t.Errorf("%d messages in an hour, of 4 that are allowed", messages)
	}
	var events []event
	for range 4 {
		events = append(events, b.look(now, nil, everything, 0, 4)...)
		now = now.Add(time.Minute)
	}
	if len(events) == 0 {
		t.Error("what waited is not told in the next hour")
	}
}

func TestWrongs(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		h    model.Hypervisor
		st   model.HypervisorStatus
		want string
	}{
		"in sync":        {st: model.HypervisorStatus{Agent: model.AgentOnline, Phase: model.PhaseInSync}},
		"off as wanted":  {h: model.Hypervisor{PowerWanted: model.PowerWantedOff}, st: model.HypervisorStatus{Agent: model.AgentOffline, Phase: model.PhaseOffline}},
		"off":            {st: model.HypervisorStatus{Agent: model.AgentOffline, Phase: model.PhaseOff}},
		"gone":           {st: model.HypervisorStatus{Agent: model.AgentOffline, Phase: model.PhaseOffline}, want: "it is gone: its agent is not connected"},
		"gone for a why": {st: model.HypervisorStatus{Agent: model.AgentOffline, Phase: model.PhaseOffline, Error: "it has power\nand more"}, want: "it is gone: it has power"},
		"failed once":    {st: model.HypervisorStatus{Agent: model.AgentOnline, Phase: model.PhaseRetrying, Failures: 1, Error: "x"}},
		"failed thrice":  {st: model.HypervisorStatus{Agent: model.AgentOnline, Phase: model.PhaseRetrying, Failures: 3, Error: "no space"}, want: "its run failed 3 times in a row: no space"},
		"sequence fails": {st: model.HypervisorStatus{Phase: model.PhaseOffline, Sequence: &model.Sequence{Goal: "on", Ended: at, Error: "plug says off"}}, want: "power on failed: plug says off"},
		"sequence runs":  {st: model.HypervisorStatus{Phase: model.PhaseStarting, Sequence: &model.Sequence{Goal: "on"}}},
	} {
		c.h.Name = "h1"
		state := &model.State{Hypervisors: map[string]model.Hypervisor{"h1": c.h}}
		got := wrongs(state, model.Status{Hypervisors: map[string]model.HypervisorStatus{"h1": c.st}})
		if text := got[model.Ref{Kind: model.KindHypervisor, Name: "h1"}].text; text != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}

// receiver is a web server that people are told by.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []http.Header
	body []string
	fail int // so many requests are refused first
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.fail > 0 {
			r.fail--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.got, r.body = append(r.got, req.Header), append(r.body, string(body))
	}))
	t.Cleanup(r.Close)
	return r
}

func testChannels(t *testing.T) *channels {
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &channels{client: &http.Client{Transport: tr}, pause: time.Millisecond}
}

func TestChannels(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	m := messageOf(at, []event{{model.KindOutlet, "b", stateRecovered, "it was: x", at}, {model.KindHypervisor, "nuc", stateFailed, "it is gone", at}})
	if m.Title != "1 fail, 1 well again" || m.Text != "hypervisor nuc: it is gone\noutlet b is well again (it was: x)" || m.State != stateFailed {
		t.Fatalf("%+v", m)
	}
	r := newReceiver(t)
	r.fail = 2
	c := testChannels(t)
	out := filepath.Join(t.TempDir(), "out")
	c.webhook, c.ntfy, c.ntfyToken = r.URL+"/hook?key=hush", r.URL+"/lab", "tk_secret"
	c.command = []string{"/bin/sh", "-c", `cat > "$0"; echo "$HOMELAB_TITLE" >> "$0"`, out}
	for channel, err := range c.send(t.Context(), m) {
		if err != nil {
			t.Errorf("%s: %v", channel, err)
		}
	}
	if len(r.got) != 2 {
		t.Fatalf("%d arrived", len(r.got))
	}
	for i, h := range r.got {
		if h.Get("Content-Type") == "application/json" {
			var back message
			if err := json.Unmarshal([]byte(r.body[i]), &back); err != nil || len(back.Events) != 2 || back.Title != m.Title {
				t.Errorf("the webhook got %s (%v)", r.body[i], err)
			}
			continue
		}
		if h.Get("Authorization") != "Bearer tk_secret" || h.Get("Title") != m.Title || h.Get("Priority") != "high" || h.Get("Tags") != "warning" || r.body[i] != m.Text {
			t.Errorf("ntfy got %v %q", h, r.body[i])
		}
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(text), "{") || !strings.HasSuffix(string(text), m.Title+"\n") {
		t.Errorf("the command got %q (%v)", text, err)
	}
}

func TestChannelsSayWhatFailedAndNoSecret(t *testing.T) {
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuses.Close()
	c := testChannels(t)
	c.webhook, c.ntfy = refuses.URL+"/?key=hush", "http://127.0.0.1:1/hush"
	c.command = []string{"/bin/sh", "-c", "echo no such phone >&2; exit 3"}
	m := testMessage(time.Now(), "ada")
	got := c.send(t.Context(), m)
	for channel, want := range map[string]string{"webhook": "403 Forbidden", "ntfy": "refused", "command": "no such phone"} {
		if err := got[channel]; err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", channel, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	c = testChannels(t)
	c.webhook = hangs.URL
	if err := c.send(ctx, m)["webhook"]; err == nil {
		t.Error("one that hangs is taken for one that was told")
	}
}

// TestTold has a server tell of a plug whose device is dead, and of its
// recovery, by the clock of the test.
func TestTold(t *testing.T) {
	r := newReceiver(t)
	now := time.Now()
	l := startLab(t, func(s *Server) {
		s.told.now = func() time.Time { return now.Add(-time.Hour) } // its own looks come too early to tell
	})
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}))
	eventually(t, "it is asked", func() bool { return l.srv.observed.outlet("plug").State == model.PowerOff })
	if err := l.admin().SetNotify(model.SecretWebhook, r.URL+"/?token=hush"); err != nil {
		t.Fatal(err)
	}
	own := newTold(l.srv)
	own.now = func() time.Time { return now }
	broken := l.srv.observed.outlet("plug")
	fine := broken
	broken.Error = "no answer within 5 s"
	for _, step := range []struct {
		st    model.OutletStatus
		after time.Duration
		told  int
	}{{broken, 0, 0}, {broken, 121 * time.Second, 0}, {broken, 20 * time.Second, 1}, {fine, time.Minute, 1}, {fine, 20 * time.Second, 2}} {
		now = now.Add(step.after)
		l.srv.observed.setOutlet("plug", step.st)
		own.look(t.Context())
		if len(r.body) != step.told {
			t.Fatalf("after %v %d were told, not %d: %v", step.after, len(r.body), step.told, r.body)
		}
	}
	again := newTold(l.srv) // as a server does that starts anew
	again.now = own.now
	if len(again.bell.open) != 0 {
		t.Errorf("what is over is kept: %v", again.bell.open)
	}
	if !strings.Contains(r.body[0], "no answer within 5 s") || !strings.Contains(r.body[1], stateRecovered) {
		t.Errorf("%v", r.body)
	}
	if out, _, _ := l.run("settings show --json"); strings.Contains(out, "hush") {
		t.Errorf("a secret is shown: %s", out)
	}
}

// TestToldOverARestart starts a server anew while a plug is broken: that is not
// told again, and its end is, once its device was asked.
func TestToldOverARestart(t *testing.T) {
	r := newReceiver(t)
	now := time.Now()
	l := startLab(t, func(s *Server) {
		s.told.now = func() time.Time { return now.Add(-time.Hour) }
	})
	l.commit(model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}))
	eventually(t, "it is asked", func() bool { return l.srv.observed.outlet("plug").State == model.PowerOff })
	if err := l.admin().SetNotify(model.SecretWebhook, r.URL); err != nil {
		t.Fatal(err)
	}
	fine := l.srv.observed.outlet("plug")
	broken, unasked := fine, model.OutletStatus{State: model.PowerUnknown}
	broken.Error = "no answer within 5 s"
	own := newTold(l.srv)
	for i, step := range []struct {
		st      model.OutletStatus
		restart bool
		after   time.Duration
		told    int
	}{
		{broken, false, 0, 0},
		{broken, false, 121 * time.Second, 0},
		{broken, false, 20 * time.Second, 1},
		{unasked, true, time.Minute, 1},
		{unasked, false, time.Minute, 1},
		{broken, false, 10 * time.Minute, 1},
		{unasked, true, time.Minute, 1},
		{fine, false, time.Minute, 1},
		{fine, false, 20 * time.Second, 2},
		{fine, true, time.Minute, 2},
		{fine, false, time.Minute, 2},
	} {
		if step.restart {
			own = newTold(l.srv)
		}
		now = now.Add(step.after)
		own.now = func() time.Time { return now }
		l.srv.observed.setOutlet("plug", step.st)
		own.look(t.Context())
		if len(r.body) != step.told {
			t.Fatalf("step %d: %d were told, not %d: %v", i, len(r.body), step.told, r.body)
		}
	}
	if !strings.Contains(r.body[1], stateRecovered) {
		t.Errorf("%v", r.body)
	}
}

func TestOnlyAdminsSeeWhatRunsWhenPeopleAreTold(t *testing.T) {
	l := startLab(t)
	l.commit(
		func(s *model.State) error { s.Settings.NotifyCommand = []string{"/bin/tell", "hush"}; return nil },
	)
	for _, who := range []struct {
		role model.Role
		sees bool
	}{{model.RoleAdmin, true}, {model.RoleOperator, false}} {
		lab := l.as(l.user(string(who.role), who.role))
		history, err := lab.History(0, 10)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{lab.State().Settings, history})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), "hush"); got != who.sees {
			t.Errorf("%s sees it: %v", lab.User().Name, got)
		}
		if _, err := lab.NotifyTest(t.Context()); (err == nil) != who.sees {
			t.Errorf("%s tests: %v", lab.User().Name, err)
		}
	}
}
