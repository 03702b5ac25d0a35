package tui

import (
	"strings"
	"testing"
	"time"

	"homelab/model"
)

func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(clean(s.text))
	}
	return b.String()
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{age(noon, noon.Add(-30*time.Second)), "just now"},
		{age(noon, noon.Add(-90*time.Minute)), "1 h ago"},
		{age(noon, noon.Add(-47*time.Hour)), "47 h ago"},
		{age(noon, noon.Add(-72*time.Hour)), "3 days ago"},
		{age(noon, time.Time{}), "–"},
		{lasted(14 * time.Second), "14 s"},
		{lasted(75 * time.Second), "1 min 15 s"},
		{lasted(15 * time.Minute), "15 min"},
		{lasted(125 * time.Minute), "2 h 05 min"},
		{lasted(-time.Second), "0 s"},
		{moment(noon, noon.Add(3*time.Minute)), "12:03"},
		{moment(noon, noon.Add(-24*time.Hour)), "22 Nov 12:00"},
		{mebibytes(512), "512 MiB"},
		{mebibytes(6144), "6 GiB"},
		{mebibytes(1536), "1.5 GiB"},
		{sentence([]string{"a", "b", "c"}), "a, b and c"},
		{clean("a\x1b[1m\tb\u202ec\xff"), "a␛[1m    b\ufffdc\ufffd"},
		{cut("thinkpad", 5), "thin…"},
		{cut("a", 0), ""},
		{memory(6144), "6GiB"},
		{memory(1500), "1500"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestPhases(t *testing.T) {
	for want, st := range map[string]model.HypervisorStatus{
		"✓ in sync":                      {Phase: model.PhaseInSync},
		"○ off":                          {Phase: model.PhaseOff},
		"· no agent yet":                 {Phase: model.PhaseNew},
		"! agent offline since 11:00":    {Phase: model.PhaseOffline, Since: noon.Add(-time.Hour)},
		"◐ starting since 11:59":         {Phase: model.PhaseStarting, Since: noon.Add(-time.Minute)},
		"◐ stopping":                     {Phase: model.PhaseStopping},
		"▸ pending":                      {Phase: model.PhasePending},
		"▸ planning":                     {Phase: model.PhasePlanning},
		"! waits for approval":           {Phase: model.PhaseWaiting},
		"✗ failed, retries 12:05":        {Phase: model.PhaseRetrying, RetryAt: noon.Add(5 * time.Minute)},
		"◐ held":                         {Phase: model.PhaseHeld},
		"✗ incomplete: VM web: no image": {Phase: model.PhaseIncomplete, Error: "VM web: no image\nand more"},
		"? unknown":                      {},
	} {
		if got := phaseLine(&hvRow{st: st}, noon, 40).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestGuests(t *testing.T) {
	vm := model.VM{ID: "000000000001", Name: "web", Enabled: true, Running: true, Profiles: []string{"day"}}
	online := func(gs ...model.Guest) model.HypervisorStatus {
		return model.HypervisorStatus{Agent: model.AgentOnline, Guests: gs}
	}
	is := func(s model.GuestState) model.HypervisorStatus { return online(model.Guest{ID: vm.ID, State: s}) }
	with := func(f func(*model.VM)) model.VM {
		v := vm
		f(&v)
		return v
	}
	for _, c := range []struct {
		vm   model.VM
		st   model.HypervisorStatus
		want guest
	}{
		{vm, is(model.GuestRunning), guest{word: "running", sign: signOn, ink: inkGood, up: true}},
		{vm, is(model.GuestStopped), guest{word: "stopped", sign: signOff, ink: inkWarn}},
		{vm, is(model.GuestPaused), guest{word: "paused", sign: signHalf, ink: inkWarn, up: true}},
		{vm, is(model.GuestStopping), guest{word: "stopping", sign: signHalf, ink: inkBusy, up: true}},
		{vm, is(model.GuestCrashed), guest{word: "crashed", sign: signFailed, ink: inkBad}},
		{vm, is("odd"), guest{word: "unknown", sign: signUnknown, ink: inkDim}},
		{vm, online(), guest{word: "pending", sign: signHalf, ink: inkBusy}},
		{vm, online(model.Guest{Name: "web_on_nuc", Conflict: vm.ID}), guest{word: "conflict", sign: signWarn, ink: inkBad}},
		{vm, model.HypervisorStatus{Agent: model.AgentOffline}, guest{word: "unknown", sign: signUnknown, ink: inkDim}},
		{vm, model.HypervisorStatus{Agent: model.AgentOffline, Power: model.PowerOff}, guest{word: "off", sign: signOff, ink: inkDim}},
		{with(func(v *model.VM) { v.Running = false }), is(model.GuestRunning), guest{word: "running", sign: signOn, ink: inkWarn, up: true}},
		{with(func(v *model.VM) { v.Running = false }), is(model.GuestStopped), guest{word: "stopped", sign: signOff, ink: inkDim}},
		{with(func(v *model.VM) { v.Running = false }), online(), guest{word: "defined", sign: signOff, ink: inkDim}},
		{with(func(v *model.VM) { v.Enabled = false }), online(), guest{word: "disabled", sign: signNone, ink: inkDim}},
		{with(func(v *model.VM) { v.Enabled = false }), is(model.GuestRunning), guest{word: "leaving", sign: signHalf, ink: inkWarn, up: true}},
		{with(func(v *model.VM) { v.Profiles = []string{"night"} }), online(), guest{word: "inactive", sign: signNone, ink: inkDim}},
	} {
		if got := guestOf(c.vm, "day", c.st); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

func TestDamage(t *testing.T) {
	for _, c := range []struct {
		i    model.Impact
		want damage
	}{
		{model.Impact{Action: model.ActionCreate}, harmless},
		{model.Impact{Action: model.ActionChange, Running: true}, harmless},
		{model.Impact{Action: model.ActionRemove}, harmless},
		{model.Impact{Action: model.ActionRemove, Running: true}, stops},
		{model.Impact{Action: model.ActionStop}, stops},
		{model.Impact{Action: model.ActionRestart, Running: true}, stops},
		{model.Impact{Action: model.ActionDestroy, DisksLost: []string{model.DiskRoot}}, loses},
	} {
		if got := damageOf([]model.Impact{{Action: model.ActionCreate}, c.i}); got != c.want {
			t.Errorf("%+v is %d, want %d", c.i, got, c.want)
		}
	}
}

func TestFetchedImagesHaveABar(t *testing.T) {
	s := runScreen{run: model.Run{Resources: []model.Resource{
		{Address: "image.d-1", Label: "image debian-12", Action: model.ActionFetch, Status: model.ResourceRunning, DoneBytes: 150 << 20, TotalBytes: 600 << 20, Seconds: 9},
		{Address: "image.f-1", Label: "image fedora-43", Action: model.ActionFetch, Status: model.ResourceRunning, DoneBytes: 7 << 20},
		{Address: "image.a-1", Label: "image arch", Action: model.ActionFetch, Status: model.ResourceDone, Seconds: 80},
	}}}
	want := []string{
		"STEPS",
		"▸ image debian-12 ━━━──────────── 25% of 600 MiB fetch",
		"▸ image fedora-43 7 MiB fetch",
		"✓ image arch fetch 80 s",
	}
	for i, l := range s.steps(60, 10) {
		if got := strings.Join(strings.Fields(l.String()), " "); got != want[i] {
			t.Errorf("%q, wanted %q", got, want[i])
		}
	}
	if plan := planLines(s.run, 60); len(plan) != 1 || plan[0].String() != " no plan yet" {
		t.Errorf("the plan has what is fetched: %v", plan)
	}
}

// TestNotesFitTheRoom checks what of a note is said where not all of it has
// room: no word of it is cut.
func TestNotesFitTheRoom(t *testing.T) {
	retries := note{sign: "✗", hv: "nuc", text: "failed: pool default is full: free some; or move VMs", at: noon}
	waits := note{sign: "!", hv: "tower", text: "waits: it would destroy a, b and c", less: "waits: it would destroy a +2"}
	way := note{sign: "!", hv: "nuc", text: "has a domain x, not ours, in the way: O on its screen adopts it", less: "has a domain in the way"}
	for _, c := range []struct {
		n    note
		w    int
		want string
	}{
		{retries, 90, "✗ nuc failed: pool default is full: free some; or move VMs; retries at 12:00"},
		{retries, 70, "✗ nuc failed: pool default is full: free some; or move VMs"},
		{retries, 50, "✗ nuc failed: pool default is full: free some"},
		{retries, 20, "✗ nuc failed"},
		{waits, 42, "! tower waits: it would destroy a, b and c"},
		{waits, 41, "! tower waits: it would destroy a +2"},
		{waits, 30, "! tower waits"},
		{way, 60, "! nuc has a domain x, not ours, in the way"},
		{way, 30, "! nuc has a domain in the way"},
	} {
		if got := c.n.line(noon, c.w).String(); got != c.want {
			t.Errorf("in %d columns %q, want %q", c.w, got, c.want)
		}
	}
	lab := newLab()
	d := drive(t, lab, 40, 12)
	d.press("2")
	d.see("! tower waits for your approval +3")
	lab.finish(41, model.RunFailed, "no room in pool fast")
	d.see("✗ thinkpad: run 41 failed ")
}
