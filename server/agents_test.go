package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

func TestAgentsAreGreeted(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	id := l.srv.store.State().VMs["vm0"].ID
	key := l.join("box")
	a := l.agent(key, wire.Hello{AgentVersion: "v1", Facts: model.Facts{Hostname: "h", CPUs: 4}})
	if w := a.expect(wire.KindWelcome).Welcome; w.Hypervisor != "box" || w.Version != wire.Version || w.Ack != 0 {
		t.Errorf("welcome %+v", w)
	}
	eventually(t, "the agent is online", func() bool {
		st := l.admin().Status().Hypervisors["box"]
		return st.Agent == model.AgentOnline && st.AgentVersion == "v1" && st.Facts.CPUs == 4 && st.Power == model.PowerOn
	})
	a.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{
		Guests: []model.Guest{
			{ID: id, Name: "vm0_on_box", State: model.GuestRunning}, {ID: "0123456789ab", Name: "theirs_on_box", State: model.GuestRunning},
		},
		Disks: []model.Disk{{VM: id, Disk: model.DiskRoot}},
		Facts: &model.Facts{Hostname: "h", CPUs: 4, Accel: "kvm"},
	}})
	eventually(t, "its inventory is known", func() bool {
		st := l.srv.observed.hypervisor("box")
		return st.RunningGuests() == 1 && st.Facts.Accel == "kvm" && len(l.srv.store.Disks("box")) == 1
	})
	if g := l.srv.observed.hypervisor("box").Guests[1]; g.ID != "" || g.MadeFor != "0123456789ab" {
		t.Errorf("a guest of another lab: %+v", g)
	}
	a.client.Close()
	eventually(t, "the agent is offline", func() bool {
		st := l.srv.observed.hypervisor("box")
		return st.Agent == model.AgentOffline && st.RunningGuests() == 0 && st.Guests[0].State == model.GuestUnknown
	})
}

func TestTheNewestConnectionOfAnAgentCounts(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	older := l.agent(key, wire.Hello{AgentVersion: "older"})
	older.expect(wire.KindWelcome)
	newer := l.agent(key, wire.Hello{AgentVersion: "newer"})
	newer.expect(wire.KindWelcome)
	if why := older.over(); !strings.Contains(why, "took over") {
		t.Errorf("the older one is told %q", why)
	}
	newer.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{Guests: []model.Guest{{Name: "x"}}}})
	eventually(t, "the newer one is heard", func() bool {
		st := l.srv.observed.hypervisor("box")
		return len(st.Guests) == 1 && st.Agent == model.AgentOnline && st.AgentVersion == "newer"
	})
}

func TestASilentAgentIsGone(t *testing.T) {
	l := startLab(t, func(s *Server) { s.silence = 300 * time.Millisecond })
	l.commit(model.Add(sandbox("box")))
	a := l.agent(l.join("box"), wire.Hello{})
	a.expect(wire.KindWelcome)
	for range 10 { // pings are enough to stay
		a.send(wire.Frame{Kind: wire.KindPing})
		if !sleep(t.Context(), 50*time.Millisecond) {
			return
		}
	}
	if l.srv.agents.get("box") == nil {
		t.Error("it is gone while it speaks")
	}
	a.over()
	eventually(t, "it is offline", func() bool { return l.srv.observed.hypervisor("box").Agent == model.AgentOffline })
}

func TestBadConversationsEndWithAReason(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	if why := l.agent(key, wire.Hello{Version: wire.Version + 2}).over(); !strings.Contains(why, "speaks version") {
		t.Errorf("a version too new: %q", why)
	}
	a := l.agent(key, wire.Hello{})
	a.expect(wire.KindWelcome)
	if _, err := io.WriteString(a.ch, "{\"kind\":\"sing\"}\n"); err != nil {
		t.Fatal(err)
	}
	if f := a.expect(wire.KindError); !strings.Contains(f.Error, "sing") {
		t.Errorf("an unknown kind: %q", f.Error)
	}
	if _, err := io.WriteString(a.ch, strings.Repeat("x", wire.MaxLine+1)+"\n"); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if why := a.over(); !strings.Contains(why, "longer than") {
		t.Errorf("a long line: %q", why)
	}
	b := l.agent(key, wire.Hello{})
	b.expect(wire.KindWelcome)
	b.send(wire.Frame{Kind: wire.KindRecords, Records: []model.Record{{Seq: 5, Run: 1}}})
	if why := b.over(); !strings.Contains(why, "record 1") {
		t.Errorf("a gap: %q", why)
	}
}

func TestRecordsAreCommittedOnceAndAcknowledged(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	a := l.agent(key, wire.Hello{})
	run := a.expect(wire.KindRun).Run.ID
	a.record(model.Record{Run: run, Message: "one"}, model.Record{Run: run, Message: "two"})
	for a.expect(wire.KindAck).Ack != 2 {
	}
	a.client.Close()
	b := l.agent(key, wire.Hello{Unfinished: []uint64{run}})
	if w := b.expect(wire.KindWelcome).Welcome; w.Ack != 2 {
		t.Errorf("welcome %+v", w)
	}
	b.record(model.Record{Run: run, Message: "one"}, model.Record{Run: run, Message: "two"}, model.Record{Run: run, Message: "three"})
	for b.expect(wire.KindAck).Ack != 3 {
	}
	records, err := l.admin().Log(run, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range records {
		text = append(text, r.Message)
	}
	if got := strings.Join(text, " "); got != "one two three" {
		t.Errorf("the log is %q", got)
	}
}

func TestCommitsOfRecordsAreFew(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("one")), model.Add(sandbox("two")))
	one, two := l.agent(l.join("one"), wire.Hello{}), l.agent(l.join("two"), wire.Hello{})
	runs := map[*testAgent]uint64{one: one.expect(wire.KindRun).Run.ID, two: two.expect(wire.KindRun).Run.ID}
	start := time.Now()
	for range 200 {
		for a, run := range runs {
			a.record(model.Record{Run: run, Message: "line"})
		}
	}
	acks := 0
	for a := range runs {
		for last := uint64(0); last != 200; acks++ {
			last = a.expect(wire.KindAck).Ack
		}
	}
	if most := 2 + int(time.Since(start)/commitPause); acks > most {
		t.Errorf("%d commits in %v", acks, time.Since(start))
	}
}

func TestOrdersAreAnswered(t *testing.T) {
	l := startLab(t)
	vm := model.NewVM("web")
	vm.Hypervisor, vm.Profiles, vm.Image = "box", []string{model.DefaultProfile}, "img"
	l.commit(model.Add(sandbox("box")), model.Add(model.Image{Name: "img", Path: "/img"}), model.Add(vm))
	a := l.agent(l.join("box"), wire.Hello{})
	a.expect(wire.KindWelcome)
	answers := make(chan error, 1)
	ask := func(do func() error) { go func() { answers <- do() }() }

	ask(func() error { return l.admin().RestartGuest(t.Context(), "web", false) })
	f := a.expect(wire.KindRestart)
	if f.VM != vm.ID || f.Order == 0 {
		t.Errorf("order %+v", f)
	}
	a.send(wire.Frame{Kind: wire.KindResult, Order: 999})
	a.send(wire.Frame{Kind: wire.KindResult, Order: f.Order})
	if err := <-answers; err != nil {
		t.Error(err)
	}
	ask(func() error { return l.admin().Adopt(t.Context(), "web") })
	f = a.expect(wire.KindAdopt)
	a.send(wire.Frame{Kind: wire.KindResult, Order: f.Order, Error: "there is no such domain"})
	if err := <-answers; err == nil || err.Error() != "box: there is no such domain" {
		t.Errorf("a refusal: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ask(func() error { return l.admin().RestartGuest(ctx, "web", false) })
	a.expect(wire.KindRestart)
	cancel()
	if err := <-answers; err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("no answer: %v", err)
	}
	ask(func() error { return l.admin().RestartGuest(t.Context(), "web", false) })
	a.expect(wire.KindRestart)
	a.client.Close()
	if err := <-answers; err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a lost connection: %v", err)
	}
	eventually(t, "the agent is gone", func() bool { return l.srv.agents.get("box") == nil })
	if err := l.admin().RestartGuest(t.Context(), "web", false); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("no agent: %v", err)
	}
}

func TestAnUndefinedHypervisorGetsNoConfig(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	c := l.dial(key)
	if _, err := l.srv.store.Commit("tester", "test", func(s *model.State) error {
		delete(s.Hypervisors, "box")
		delete(s.Agents, "box")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if out, status, err := subsystem(c, wire.SubsystemTerraform, ""); err == nil && status == 0 {
		t.Errorf("it got %d bytes", len(out))
	}
	if out, errs, status := l.run("config box"); status != 1 || out != "" || !strings.Contains(errs, `"box"`) {
		t.Errorf("a person: status %d, %q, %q", status, out, errs)
	}
	if _, err := l.srv.configs.fetch("box"); err == nil {
		t.Error("a config is rendered")
	}
}

func TestRolesAreHeldTo(t *testing.T) {
	l := startLab(t)
	keys := map[model.Role]*lab{}
	for _, role := range []model.Role{model.RoleViewer, model.RoleOperator} {
		keys[role] = l.as(l.user(string(role), role))
	}
	l.commit(model.Add(sandbox("box")))
	viewer, operator := keys[model.RoleViewer], keys[model.RoleOperator]
	powerOn := model.Change("box", 0, func(h *model.Hypervisor) error { h.PowerWanted = model.PowerWantedOn; return nil })
	move := model.Change("box", 0, func(h *model.Hypervisor) error { h.Address = "elsewhere"; return nil })

	denied := func(what string, err error) {
		t.Helper()
		var perm *PermissionError
		if !errors.As(err, &perm) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := viewer.Commit(t.Context(), "", powerOn)
	denied("viewer commits", err)
	_, err = viewer.StartRun(t.Context(), "box", model.RunPlan)
	denied("viewer plans", err)
	denied("viewer switches", viewer.SwitchOutlet(t.Context(), "x", true, false))
	_, err = operator.Commit(t.Context(), "", move)
	denied("operator edits", err)
	_, err = operator.Preview(model.Edits(powerOn, move))
	denied("operator edits beside", err)
	_, err = operator.Config("box")
	denied("operator reads a config", err)
	_, _, err = operator.Invite(t.Context(), "", "box", "")
	denied("operator invites", err)
	added := l.srv.store.State().Revision
	_, err = operator.Undo(t.Context(), "", added)
	denied("operator undoes what an admin did", err)
	var perm *PermissionError
	if _, err = viewer.Commit(t.Context(), "", move); !errors.As(err, &perm) || perm.Need != model.RoleAdmin {
		t.Errorf("a viewer is told to become %v", perm)
	}
	denied("operator revokes", operator.Revoke(t.Context(), "", "box"))
	denied("operator copies all", operator.Backup(io.Discard))
	if _, err := operator.Commit(t.Context(), "", powerOn); err != nil {
		t.Errorf("operator switches power: %v", err)
	}
	switched := l.srv.store.State().Revision
	_, err = viewer.Undo(t.Context(), "", switched)
	denied("viewer undoes", err)
	if _, err := operator.Undo(t.Context(), "", switched); err != nil {
		t.Errorf("operator undoes what an operator may do: %v", err)
	}
	if _, err := operator.Undo(t.Context(), "", switched+1); err != nil {
		t.Errorf("operator undoes that: %v", err)
	}
	if h := l.srv.store.State().Hypervisors["box"]; h.PowerWanted != model.PowerWantedOn || h.Address != "" {
		t.Errorf("%+v", h)
	}
	l.commit(httpOutlet("plug", model.HTTPOutlet{OnURL: "http://10.0.0.9/on?password=secret", OffURL: "http://10.0.0.9/off"}))
	for user, sees := range map[*lab]bool{viewer: false, operator: false, l.admin(): true} {
		history, err := user.History(0, 10)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(history)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "secret") != sees || strings.Contains(user.State().Outlets["plug"].HTTP.OnURL, "secret") != sees {
			t.Errorf("%s sees the password: %v", user.User().Name, !sees)
		}
	}
	// Whose key is gone may nothing, on a session that is still open.
	l.commit(model.Remove[model.User]("operator"))
	if _, err := operator.Commit(t.Context(), "", powerOn); err == nil {
		t.Error("a removed user commits")
	}
}
