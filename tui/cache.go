package tui

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"weak"

	"homelab/model"
)

// cache is what all screens of a session are drawn from: one snapshot of the
// lab and what is derived from it. It is never changed, only replaced.
type cache struct {
	state    *model.State
	status   model.Status
	hvs      []hvRow // by name
	*vmTable         // the caches between which no VM has changed share it
	notes    []note  // what needs attention, worst first
	machine  counts
	guest    counts
	metered  bool // something measures
}

// vmTable is the VMs with their guests. It is never changed, so that sessions
// share it.
type vmTable struct {
	of   *model.State // and what is observed: what it was made of
	seen model.Status

	vms   []vmRow          // by name
	going bool             // a guest was asked to shut down: its time is counted down
	at    map[string][]int // by hypervisor, indices into vms
}

type counts struct{ running, wanted int }

// hvRow is a hypervisor with all that is known of it.
type hvRow struct {
	model.Hypervisor
	st    model.HypervisorStatus
	run   *model.Run // under way
	vms   []int      // indices into cache.vms
	guest counts
	given int // MiB that the guests get which are to run
}

// vmRow is a VM with its guest.
type vmRow struct {
	model.VM
	guest  guest
	search string // lower case: what a filter looks at
}

// guest is what is known of a VM's guest, in one word.
type guest struct {
	word  string
	sign  string
	ink   ink
	up    bool
	offBy time.Time // when one that was asked to shut down is switched off
}

// shortly is the word, and of a guest that was asked to shut down when it is
// switched off, for the column of a list.
func (g guest) shortly(now time.Time) string {
	if g.offBy.IsZero() {
		return g.word
	}
	left := max(g.offBy.Sub(now), 0) + time.Second - 1 // up: it is not off before
	if left < 100*time.Second {
		return "off " + lasted(left.Truncate(time.Second))
	}
	return "off " + strconv.Itoa(int(left/time.Minute)) + " min"
}

// fully is the same in as many words as fit into w cells.
func (g guest) fully(now time.Time, w int) string {
	if g.offBy.IsZero() {
		return g.word
	}
	off := "forced off " + model.Guest{OffBy: g.offBy}.OffIn(now)
	if all := g.word + ", " + off; len(all) <= w {
		return all
	}
	return off
}

// look takes a snapshot. Where nothing has changed it takes over what prev,
// which may be nil, has derived: a run that moves on costs little, however many
// VMs there are.
func look(lab Lab, prev *cache) *cache {
	c := &cache{state: lab.State(), status: lab.Status()}
	if prev != nil && prev.vmTable.holds(c.state, c.status) {
		c.vmTable = prev.vmTable
	} else {
		c.vmTable = sharedTable(c.state, c.status)
	}
	active := c.state.ActiveProfile()
	for _, name := range model.Names(c.state.Hypervisors) {
		c.addHypervisor(c.state.Hypervisors[name], c.at[name], active)
	}
	c.notes = notesOf(c)
	c.metered = c.state.Metering(c.status, model.Names(c.state.Outlets))
	return c
}

// sameGuests tells whether all that guestOf looks at is the same.
func sameGuests(a, b model.Status) bool {
	return maps.EqualFunc(a.Hypervisors, b.Hypervisors, func(a, b model.HypervisorStatus) bool {
		return a.Agent == b.Agent && a.Power == b.Power && slices.EqualFunc(a.Guests, b.Guests, model.Guest.Equal)
	})
}

// holds tells whether a table is what these make.
func (t *vmTable) holds(s *model.State, status model.Status) bool {
	return t.of == s && sameGuests(t.seen, status)
}

// newest is the table that was made last, for as long as a session shows it.
// With 1,000 VMs a table takes more than half a MiB.
var newest struct {
	sync.Mutex
	table weak.Pointer[vmTable]
}

func sharedTable(s *model.State, status model.Status) *vmTable {
	newest.Lock()
	defer newest.Unlock()
	if t := newest.table.Value(); t != nil && t.holds(s, status) {
		return t
	}
	t := tableOf(s, status)
	newest.table = weak.Make(t)
	return t
}

func tableOf(s *model.State, status model.Status) *vmTable {
	active, names := s.ActiveProfile(), model.Names(s.VMs)
	t := &vmTable{of: s, seen: status, vms: make([]vmRow, 0, len(names)), at: map[string][]int{}}
	for i, name := range names {
		vm := s.VMs[name]
		row := vmRow{VM: vm, guest: guestOf(vm, active, status.Hypervisors[vm.Hypervisor])}
		row.search = vmSearch(row)
		t.going = t.going || !row.guest.offBy.IsZero()
		t.vms = append(t.vms, row)
		t.at[vm.Hypervisor] = append(t.at[vm.Hypervisor], i)
	}
	return t
}

func (c *cache) addHypervisor(hv model.Hypervisor, vms []int, active string) {
	row := hvRow{Hypervisor: hv, st: c.status.Hypervisors[hv.Name], vms: vms}
	if run, ok := c.status.Runs[row.st.Run]; ok && row.st.Run != 0 {
		row.run = &run
	}
	for _, i := range vms {
		vm := &c.vms[i]
		if vm.Enabled && vm.Running && slices.Contains(vm.Profiles, active) {
			row.guest.wanted++
			row.given += vm.MemoryMiB
		}
	}
	if row.st.Agent == model.AgentOnline {
		row.guest.running = row.st.RunningGuests()
	}
	c.machine.wanted++
	if isUp(row.st) {
		c.machine.running++
	}
	c.guest.running += row.guest.running
	c.guest.wanted += row.guest.wanted
	c.hvs = append(c.hvs, row)
}

// isUp tells whether a machine is known to be up.
func isUp(st model.HypervisorStatus) bool {
	return st.Power == model.PowerOn || st.Agent == model.AgentOnline
}

// guestOf says how a VM's guest is.
func guestOf(vm model.VM, active string, st model.HypervisorStatus) guest {
	for _, g := range st.Guests {
		if g.Conflict != "" && g.Conflict == vm.ID {
			return guest{word: "conflict", sign: signWarn, ink: inkBad}
		}
	}
	wanted := vm.Enabled && slices.Contains(vm.Profiles, active)
	g, found := st.Guest(vm.ID)
	switch {
	case vm.MovingTo != "" || vm.MovedFrom != "" && g.State != model.GuestRunning:
		return guest{word: "moving", sign: signHalf, ink: inkBusy, up: g.State == model.GuestRunning}
	case st.Agent != model.AgentOnline && wanted && st.Power == model.PowerOff:
		return guest{word: "off", sign: signOff, ink: inkDim}
	case st.Agent != model.AgentOnline && wanted:
		return guest{word: "unknown", sign: signUnknown, ink: inkDim}
	case !vm.Enabled && !found:
		return guest{word: "disabled", sign: signNone, ink: inkDim}
	case !wanted && !found:
		return guest{word: "inactive", sign: signNone, ink: inkDim}
	case !found && vm.Running:
		return guest{word: "pending", sign: signHalf, ink: inkBusy}
	case !found:
		return guest{word: "defined", sign: signOff, ink: inkDim}
	case !wanted:
		return guest{word: "leaving", sign: signHalf, ink: inkWarn, up: g.State == model.GuestRunning}
	}
	state := guestState(g.State, vm.Running)
	state.offBy = g.OffBy
	return state
}

func guestState(s model.GuestState, wanted bool) guest {
	switch s {
	case model.GuestRunning:
		if !wanted {
			return guest{word: "running", sign: signOn, ink: inkWarn, up: true}
		}
		return guest{word: "running", sign: signOn, ink: inkGood, up: true}
	case model.GuestStopped:
		if wanted {
			return guest{word: "stopped", sign: signOff, ink: inkWarn}
		}
		return guest{word: "stopped", sign: signOff, ink: inkDim}
	case model.GuestPaused:
		return guest{word: "paused", sign: signHalf, ink: inkWarn, up: true}
	case model.GuestStopping:
		return guest{word: "stopping", sign: signHalf, ink: inkBusy, up: true}
	case model.GuestCrashed:
		return guest{word: "crashed", sign: signFailed, ink: inkBad}
	}
	return guest{word: "unknown", sign: signUnknown, ink: inkDim}
}

// vmSearch is what a filter finds a VM by: plain words, and key:value for its
// fields.
func vmSearch(r vmRow) string {
	var b strings.Builder
	add := func(key, value string) {
		if value != "" {
			b.WriteString(key + ":" + value + " ")
		}
	}
	add("name", r.Name)
	add("hypervisor", r.Hypervisor)
	add("role", r.Role)
	add("image", r.Image)
	add("state", r.guest.word)
	add("ip", r.IP)
	for _, p := range r.Profiles {
		add("profile", p)
	}
	if r.Protected {
		b.WriteString("protected")
	}
	return strings.ToLower(b.String())
}

// hypervisor finds a hypervisor's row.
func (c *cache) hypervisor(name string) (*hvRow, bool) {
	i, ok := slices.BinarySearchFunc(c.hvs, name, func(r hvRow, n string) int { return strings.Compare(r.Name, n) })
	if !ok {
		return nil, false
	}
	return &c.hvs[i], true
}

// vm finds a VM's row.
func (c *cache) vm(name string) (*vmRow, bool) {
	i, ok := slices.BinarySearchFunc(c.vms, name, func(r vmRow, n string) int { return strings.Compare(r.Name, n) })
	if !ok {
		return nil, false
	}
	return &c.vms[i], true
}

// runningOn names the guests that run on a hypervisor.
func (c *cache) runningOn(row *hvRow) []string {
	var names []string
	for _, i := range row.vms {
		if c.vms[i].guest.up {
			names = append(names, c.vms[i].Name)
		}
	}
	return names
}

// fedBy names the hypervisors that an outlet feeds.
func (c *cache) fedBy(outlet string) []string {
	var names []string
	for i := range c.hvs {
		if slices.Contains(c.hvs[i].Outlets, outlet) {
			names = append(names, c.hvs[i].Name)
		}
	}
	return names
}

// runTag names a run as people do.
func runTag(id uint64) string { return "run " + strconv.FormatUint(id, 10) }
