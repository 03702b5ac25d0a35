package server

import (
	"testing"
	"time"

	"homelab/agent/wire"
	"homelab/model"
)

// What an agent measures is shown and told by a ref of its own; when it leaves,
// nobody knows any more.
func TestLoadsAreShown(t *testing.T) {
	l := startLab(t)
	l.commit(model.Add(sandbox("box")))
	a := l.agent(l.join("box"), wire.Hello{})
	a.expect(wire.KindWelcome)
	w := l.srv.store.Hub().Watch()
	defer w.Close()
	a.send(wire.Frame{Kind: wire.KindLoad, Load: &model.Load{CPUPercent: 42, Guests: map[string]model.GuestLoad{"web_on_box": {CPUPercent: 7}}}})
	eventually(t, "the first load is shown at once", func() bool {
		st := l.srv.observed.hypervisor("box")
		g, ok := st.GuestLoad(model.Guest{Name: "web_on_box"})
		return ok && g.CPUPercent == 7 && st.Load.CPUPercent == 42
	})
	eventually(t, "it is told", func() bool { _, ok := w.Take()[model.Ref{Kind: model.KindLoad, Name: "box"}]; return ok })
	a.send(wire.Frame{Kind: wire.KindLoad, Load: &model.Load{CPUPercent: 43}})
	eventually(t, "the next one waits for its turn", func() bool {
		l.srv.loads.mu.Lock()
		defer l.srv.loads.mu.Unlock()
		return l.srv.loads.news["box"] != nil || l.srv.observed.hypervisor("box").Load.CPUPercent == 43
	})
	l.srv.loads.tell()
	if got := l.srv.observed.hypervisor("box").Load.CPUPercent; got != 43 {
		t.Errorf("then it is shown: %d", got)
	}
	a.client.Close()
	eventually(t, "it is forgotten with its agent", func() bool { return l.srv.observed.hypervisor("box").Load == nil })
}

func TestLoadsAreKeptByTheMinute(t *testing.T) {
	l := startLab(t)
	l.commit(withVMs("box", 1))
	id := l.srv.store.State().VMs["vm0"].ID
	a := l.agent(l.join("box"), wire.Hello{})
	a.expect(wire.KindWelcome)
	a.send(wire.Frame{Kind: wire.KindInventory, Inventory: &wire.Inventory{
		Guests: []model.Guest{{ID: id, Name: "vm0_on_box", State: model.GuestRunning}, {Name: "foreign", State: model.GuestRunning}},
	}})
	eventually(t, "its guests are known", func() bool { return len(l.srv.observed.hypervisor("box").Guests) == 2 })

	clock := &handClock{t: time.Date(2026, 11, 23, 12, 0, 5, 0, time.UTC)}
	loads := newLoads(l.srv)
	loads.now = clock.now
	for _, cpu := range []int{10, 30, 99} { // the last is another minute's
		l.srv.observed.setLoads(map[string]*model.Load{"box": {CPUPercent: cpu, MemoryUsedMiB: 2048, Guests: map[string]model.GuestLoad{
			"vm0_on_box": {CPUPercent: cpu / 2, MemoryUsedMiB: 512}, "foreign": {CPUPercent: 1},
		}}})
		if cpu == 99 {
			clock.add(time.Minute)
		}
		loads.sample()
	}
	box, vm := model.Ref{Kind: model.KindHypervisor, Name: "box"}, model.Ref{Kind: model.KindVM, Name: id}
	got, err := l.srv.store.LoadHistory([]model.Ref{box, vm}, model.SpanHour, clock.now())
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", err, got)
	}
	if p := got[box][59]; p.CPUPercent != 20 || p.MemoryMiB != 2048 {
		t.Errorf("box %+v", p)
	}
	if p := got[vm][59]; p.CPUPercent != 10 || p.MemoryMiB != 512 {
		t.Errorf("vm0 %+v", p)
	}
}
