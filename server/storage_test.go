package server

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"homelab/model"
)

// pinged plays who answers pings.
type pinged struct {
	mu    sync.Mutex
	awake map[string]bool
	asked map[string]int
	lose  int // so many answers
}

func (p *pinged) ping(_ context.Context, address string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[address]++
	if address == "nowhere" {
		return false, errors.New("no such host")
	}
	if p.lose > 0 {
		p.lose--
		return false, nil
	}
	return p.awake[address], nil
}

func (p *pinged) set(address string, awake bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awake[address] = awake
}

func (p *pinged) count(address string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[address]
}

// TestStorageServers: whether the server of a share is awake is known without
// asking it anything, follows its outlet at once, and is no news while it stays.
func TestStorageServers(t *testing.T) {
	p := &pinged{awake: map[string]bool{"nas": true}, asked: map[string]int{}, lose: 1}
	l := startLab(t, func(s *Server) {
		s.ping, s.storage.pause = p.ping, 20*time.Millisecond
	})
	share := func(name, server, outlet string) model.Edit {
		sh := model.NewShare(name)
		sh.Server, sh.Export, sh.Outlet = server, "/x", outlet
		return model.Add(sh)
	}
	l.commit(
		model.Add(model.Outlet{Name: "plug", Driver: model.DriverSimulated}),
		share("media", "nas", ""), share("backup", "nas", ""), share("lost", "nowhere", ""), share("fed", "fed", "plug"),
	)
	is := func(name string, awake model.Power, why string) {
		t.Helper()
		eventually(t, name+" is "+string(awake), func() bool {
			st := l.srv.observed.status().Shares[name]
			return st.Awake == awake && st.Why == why
		})
	}
	is("media", model.PowerOn, "it answers a ping")
	is("backup", model.PowerOn, "it answers a ping")
	is("lost", model.PowerUnknown, "it cannot be pinged: no such host")
	is("fed", model.PowerOff, "outlet plug is off") // a simulated outlet begins so
	first := l.srv.observed.status().Shares["media"]
	if first.Since.IsZero() || first.Observed.IsZero() {
		t.Errorf("%+v", first)
	}
	eventually(t, "it is looked at again", func() bool {
		return l.srv.observed.status().Shares["media"].Observed.After(first.Observed)
	})
	if again := l.srv.observed.status().Shares["media"]; !again.Since.Equal(first.Since) {
		t.Errorf("since %s, then %s", first.Since, again.Since)
	}
	w := l.srv.store.Hub().Watch()
	defer w.Close()
	n := p.count("nas")
	eventually(t, "it is pinged again", func() bool { return p.count("nas") > n+2 })
	for ref := range w.Take() {
		if ref.Kind == model.KindShareStatus {
			t.Errorf("the same is told again of %s", ref.Name)
		}
	}

	p.set("nas", false)
	is("media", model.PowerOff, "it answers no ping")
	p.set("fed", true)
	off := p.count("fed")
	n = p.count("nas")
	eventually(t, "others are pinged", func() bool { return p.count("nas") > n+4 })
	if got := p.count("fed"); got > off {
		t.Errorf("a server without power was pinged %d times", got-off)
	}
	if err := l.admin().SwitchOutlet(t.Context(), "plug", true, false); err != nil {
		t.Fatal(err)
	}
	is("fed", model.PowerOn, "it answers a ping")
	l.commit(model.Remove[model.Share]("media"))
	eventually(t, "it is forgotten", func() bool { _, ok := l.srv.observed.status().Shares["media"]; return !ok })
}
