package server

import (
	"strings"
	"testing"

	"homelab/agent/wire"
	"homelab/model"
)

// TestNeighbouringVersionsWorkTogether: an agent of the version before or after
// is welcomed, one that is further away is told to be brought up, and so are
// those who look.
func TestNeighbouringVersionsWorkTogether(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	for _, c := range []struct {
		version int
		welcome bool
		old     string
	}{
		{wire.Version - 1, true, "install the server's version there"},
		{wire.Version, true, ""},
		{wire.Version + 1, true, ""},
		{wire.Version + 2, false, "bring both to the same release with `homelab install agent` there"},
	} {
		a := l.agent(key, wire.Hello{Version: c.version, AgentVersion: "x"})
		if c.welcome {
			a.expect(wire.KindWelcome)
		} else {
			a.over()
		}
		eventually(t, "what is said of it is so", func() bool {
			st := l.admin().Status().Hypervisors["box"]
			return (st.Agent == model.AgentOnline) == c.welcome && strings.Contains(st.AgentOld, c.old) && (st.AgentOld == "") == (c.old == "")
		})
		a.client.Close()
		eventually(t, "it is gone", func() bool { return l.srv.agents.get("box") == nil })
	}
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		agent, server, platform string
		wire                    int
		want                    string
	}{
		{"0.3.0", "0.5.0", "linux_amd64", wire.Version, "agent 0.3.0, server 0.5.0: agent update box"},
		{"0.3.0", "0.5.0", "", wire.Version - 1, "agent 0.3.0, server 0.5.0: install the server's version there"},
		{"0.5.0", "0.5.0", "linux_amd64", wire.Version, ""},
		{"0.6.0", "0.5.0", "linux_amd64", wire.Version, ""},
		{"0.0.0-git.20261125231058.gabc", "0.0.0-git.20261126000000.gdef", "linux_amd64", wire.Version, "agent update box"},
		{"0123456789ab", "ba9876543210", "linux_amd64", wire.Version, ""},
		{"0123456789ab", "ba9876543210", "linux_amd64", wire.Version - 1, "agent update box"},
	} {
		s := &Server{opts: Options{Version: c.server}}
		got := s.older("box", wire.Hello{AgentVersion: c.agent, Platform: c.platform, Version: c.wire})
		if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("agent %s, server %s: %q", c.agent, c.server, got)
		}
	}
}

// TestATrialIsWelcomedAndNoMore: it takes over from nobody, and gets no orders.
func TestATrialIsWelcomedAndNoMore(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	key := l.join("box")
	working := l.agent(key, wire.Hello{AgentVersion: "old"})
	working.expect(wire.KindWelcome)
	trial := l.agent(key, wire.Hello{AgentVersion: "new", Trial: true})
	trial.expect(wire.KindWelcome)
	trial.over()
	if conn := l.srv.agents.get("box"); conn == nil || conn.hello.AgentVersion != "old" {
		t.Error("the trial took over")
	}
	if _, _, err := l.admin().UpdateAgent(t.Context(), "box"); err == nil || !strings.Contains(err.Error(), "cannot be updated over its connection") {
		t.Errorf("an agent without a platform: %v", err)
	}
}
