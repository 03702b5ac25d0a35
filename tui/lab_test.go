package tui

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"homelab/model"
)

// noon is when the tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fakeLab is a lab of the real model that keeps nothing and drives nothing.
type fakeLab struct {
	hub model.Hub

	mu        sync.Mutex
	state     *model.State
	status    model.Status
	runs      map[uint64]model.Run
	logs      map[uint64][]model.Record
	revisions []model.Revision
	who       string
	orders    []string // what was asked of machines
	refuse    error    // what the next order or commit answers
	editors   map[model.Ref][]string
	notify    []string // secrets of the settings that are set
}

func (l *fakeLab) User() model.User { return model.User{Name: "ada", Role: model.RoleAdmin} }

func (l *fakeLab) State() *model.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *fakeLab) Status() model.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

func (l *fakeLab) Sessions() []model.Session {
	return []model.Session{
		{Who: "ada", Address: "192.168.1.20:50514", Key: "SHA256:uWk8rJ2rZC3xCk5yJrJ6S8b3Tt0m1e0Y2mP4u8cQx5A", KeyName: "ada@laptop", Client: "SSH-2.0-OpenSSH_10.0p2", Since: noon.Add(-42 * time.Minute), Doing: []string{"dashboard"}},
		{Who: "agent nuc", Address: "192.168.1.31:40022", Key: "SHA256:Zl0r7tZl0r7tZl0r7tZl0r7tZl0r7tZl0r7tZl0r7tE", Client: "SSH-2.0-Go", Since: noon.Add(-50 * time.Hour), Doing: []string{"subsystem agent"}},
	}
}

func (l *fakeLab) Audit(_ context.Context, before uint64, limit int) ([]model.Audited, error) {
	all := []model.Audited{
		{Number: 3, Time: noon.Add(-2 * time.Minute), Last: noon.Add(-time.Minute), Kind: model.AuditRefused, Who: "stranger", Address: "203.0.113.9", What: "unknown key", Count: 341},
		{Number: 2, Time: noon.Add(-42 * time.Minute), Last: noon.Add(-42 * time.Minute), Kind: model.AuditDid, Who: "ada", Address: "192.168.1.20", What: "dashboard opened", Count: 1},
		{Number: 1, Time: noon.Add(-42 * time.Minute), Last: noon.Add(-42 * time.Minute), Kind: model.AuditConnected, Who: "ada", Address: "192.168.1.20", What: "connected with ada@laptop", Count: 1},
	}
	all = slices.DeleteFunc(all, func(e model.Audited) bool { return before > 0 && e.Number >= before })
	return all[:min(limit, len(all))], nil
}

func (l *fakeLab) Invite(_ context.Context, _, hypervisor, _ string) (string, time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, "invite "+hypervisor)
	return "homelab-join-" + strings.Repeat("eyJhIjoiMTI3LjAuMC4xO", 9), noon.Add(time.Hour), l.refuse
}

func (l *fakeLab) Revoke(_ context.Context, _, hypervisor string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, "revoke "+hypervisor)
	return l.refuse
}

func (l *fakeLab) Watch() *model.Watcher { return l.hub.Watch() }

func (l *fakeLab) Runs(hypervisor string) ([]model.Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []model.Run
	for _, r := range l.runs {
		if hypervisor == "" || r.Hypervisor == hypervisor {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b model.Run) int { return int(b.ID) - int(a.ID) })
	return out, nil
}

func (l *fakeLab) Run(id uint64) (model.Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.runs[id]
	if !ok {
		return r, fmt.Errorf("there is no run %d", id)
	}
	return r, nil
}

func (l *fakeLab) Log(run, after uint64, limit int) ([]model.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []model.Record
	for _, r := range l.logs[run] {
		if r.Seq > after && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (l *fakeLab) History(before uint64, limit int) ([]model.Revision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []model.Revision
	for _, r := range slices.Backward(l.revisions) {
		if (before == 0 || r.Number < before) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (l *fakeLab) Preview(edit model.Edit) ([]model.Impact, error) {
	before := l.State()
	after := before.Clone()
	if err := edit(after); err != nil {
		return nil, err
	}
	if err := model.Validate(after); err != nil {
		return nil, err
	}
	if err := model.CheckTransition(before, after, l.kept()); err != nil {
		return nil, err
	}
	return model.Preview(before, after, l.kept()), nil
}

// kept are the disks of the VMs that have no domain: all of them have been made.
func (l *fakeLab) kept() map[string][]model.Disk {
	out := map[string][]model.Disk{}
	for _, vm := range l.State().VMs {
		out[vm.Hypervisor] = append(out[vm.Hypervisor], model.Disk{VM: vm.ID, Disk: model.DiskRoot})
	}
	return out
}

func (l *fakeLab) Commit(_ context.Context, via string, edit model.Edit) (model.Revision, error) {
	return l.commit(l.who, via, 0, edit)
}

func (l *fakeLab) commit(who, via string, undoes uint64, edit model.Edit) (model.Revision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse; err != nil {
		l.refuse = nil
		return model.Revision{}, err
	}
	before := l.state
	after := before.Clone()
	if err := edit(after); err != nil {
		if c, ok := err.(*model.ConflictError); ok {
			c.Who = l.revisions[c.Version-1].Who
		}
		return model.Revision{}, err
	}
	if err := model.Validate(after); err != nil {
		return model.Revision{}, err
	}
	changes, err := model.Diff(before, after)
	if err != nil || len(changes) == 0 {
		return model.Revision{}, err
	}
	n := before.Revision + 1
	at := noon.Add(time.Duration(int(n)-60) * time.Minute)
	model.Stamp(before, after, changes, n, at)
	rev := model.Revision{Number: n, Time: at, Who: who, Via: via, Undoes: undoes, Changes: changes}
	l.revisions = append(l.revisions, rev)
	l.state = after
	var refs []model.Ref
	for _, c := range changes {
		refs = append(refs, c.Ref)
	}
	l.hub.Publish(refs...)
	return rev, nil
}

func (l *fakeLab) Undo(_ context.Context, via string, n uint64) (model.Revision, error) {
	l.mu.Lock()
	rev := l.revisions[n-1]
	l.mu.Unlock()
	return l.commit(l.who, via, n, revert(rev))
}

func (l *fakeLab) Editing(ref model.Ref) func() {
	l.hub.Publish(model.Ref{Kind: model.KindEditing, Name: string(ref.Kind) + " " + ref.Name})
	return func() {}
}

func (l *fakeLab) Editors(ref model.Ref) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.editors[ref]
}

func (l *fakeLab) order(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, fmt.Sprintf(format, args...))
	err := l.refuse
	l.refuse = nil
	return err
}

func (l *fakeLab) ordered() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.orders)
}

func (l *fakeLab) SwitchOutlet(_ context.Context, name string, on, force bool) error {
	return l.order("outlet %s on=%v force=%v", name, on, force)
}

func (l *fakeLab) SetSecret(_ context.Context, _, outlet, field, value string) error {
	return l.order("outlet %s %s=%s", outlet, field, value)
}

func (l *fakeLab) NotifySet() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.notify)
}

func (l *fakeLab) SetNotify(field, value string) error {
	l.mu.Lock()
	l.notify = slices.DeleteFunc(l.notify, func(f string) bool { return f == field })
	if value != "" {
		l.notify = append(l.notify, field)
	}
	l.mu.Unlock()
	l.hub.Publish(model.SettingsRef)
	return l.order("settings %s=%s", field, value)
}

func (l *fakeLab) CycleOutlet(_ context.Context, name string, force bool) error {
	return l.order("outlet %s cycle force=%v", name, force)
}

// WattHistory is a made-up day: a plug that draws more in the evening, with a
// hole in which nothing was measured. The NAS's meter has never said anything.
func (l *fakeLab) WattHistory(_ context.Context, outlets []string, span model.Span) (map[string][]model.WattPoint, error) {
	out := map[string][]model.WattPoint{}
	n := int(span.Length() / span.Step())
	for _, name := range outlets {
		if name == "plug-nas" {
			continue
		}
		for i := range n {
			w := 60 + 50*math.Sin(2*math.Pi*float64(i)/float64(n)*3)
			if i > n/2 && i < n*6/10 {
				w = math.NaN()
			}
			out[name] = append(out[name], model.WattPoint{At: noon.Add(span.Step() * time.Duration(i-n)), Watts: w})
		}
	}
	return out, nil
}

// LoadHistory is made up likewise: all that is asked for works in waves.
func (l *fakeLab) LoadHistory(_ context.Context, of []model.Ref, span model.Span) (map[model.Ref][]model.LoadPoint, error) {
	out := map[model.Ref][]model.LoadPoint{}
	n := int(span.Length() / span.Step())
	for _, ref := range of {
		for i := range n {
			wave := math.Sin(2 * math.Pi * float64(i) / float64(n) * 3)
			p := model.LoadPoint{At: noon.Add(span.Step() * time.Duration(i-n)), CPUPercent: 40 + 30*wave, MemoryMiB: 3000 + 500*wave}
			if i > n/2 && i < n*6/10 {
				p.CPUPercent, p.MemoryMiB = math.NaN(), math.NaN()
			}
			out[ref] = append(out[ref], p)
		}
	}
	return out, nil
}

// Config is a config with a bit of all that there is in one.
func (l *fakeLab) Config(hypervisor string) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, f := range [][2]string{
		{"manifest.json", "{\"version\": 1}\n"},
		{"main.tf", "terraform {\n  required_version = \">= 1.4\"\n}\n\n# web\nresource \"libvirt_domain\" \"vm_000000000001\" {\n  name      = \"web_on_" + hypervisor +
			"\"\n  memory    = 2048\n  autostart = true\n  disks     = [libvirt_volume.vm_000000000001_root.id]\n}\n"},
		{"seeds/000000000001/user-data", "#cloud-config\nhostname: web-on-" + hypervisor + "\nusers:\n  - name: homelab\n    shell: /bin/bash\n"},
	} {
		if err := t.WriteHeader(&tar.Header{Name: f[0], Size: int64(len(f[1])), Mode: 0o600}); err != nil {
			return nil, err
		}
		if _, err := t.Write([]byte(f[1])); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), t.Close()
}

func (l *fakeLab) PruneImages(_ context.Context, hv string, files []string) error {
	return l.order("prune %s %v", hv, files)
}

func (l *fakeLab) StartRun(_ context.Context, hv string, kind model.RunKind) (model.Run, error) {
	return model.Run{ID: 99, Hypervisor: hv, Kind: kind}, l.order("%s %s", kind, hv)
}

func (l *fakeLab) Approve(_ context.Context, run uint64) error { return l.order("approve %d", run) }
func (l *fakeLab) Cancel(_ context.Context, run uint64) error  { return l.order("cancel %d", run) }

func (l *fakeLab) RestartGuest(_ context.Context, vm string, force bool) error {
	return l.order("restart %s %v", vm, force)
}
func (l *fakeLab) CutGuest(_ context.Context, vm string) error { return l.order("cut %s", vm) }
func (l *fakeLab) Adopt(_ context.Context, vm string) error    { return l.order("adopt %s", vm) }

func (l *fakeLab) SaltApply(_ context.Context, names []string, _ func(), each func(model.SaltAnswer)) error {
	for _, name := range names {
		each(model.SaltAnswer{Name: name, Result: &model.SaltResult{OK: true, Steps: []model.SaltStep{{ID: "motd", OK: true}}}})
	}
	return l.order("salt apply %v", names)
}

func (l *fakeLab) Console(_ context.Context, vm string, _ bool, t model.Terminal) (string, error) {
	_, _ = t.Out.Write([]byte("console of " + vm))
	return "the guest is stopped", l.order("console %s", vm)
}

// record lets a run's log grow, and the run with it.
func (l *fakeLab) record(run uint64, recs ...model.Record) {
	l.mu.Lock()
	r := l.runs[run]
	for _, rec := range recs {
		rec.Run = run
		rec.Seq = uint64(len(l.logs[run]) + 1)
		rec.Time = noon.Add(-20*time.Second + time.Duration(rec.Seq)*time.Second)
		l.logs[run] = append(l.logs[run], rec)
		r.Fold(rec)
	}
	l.runs[run] = r
	if _, active := l.status.Runs[run]; active {
		runs := map[uint64]model.Run{}
		for id, old := range l.status.Runs {
			runs[id] = old
		}
		runs[run] = r
		l.status.Runs = runs
	}
	l.mu.Unlock()
	name := strconv.FormatUint(run, 10)
	l.hub.Publish(model.Ref{Kind: model.KindLog, Name: name}, model.Ref{Kind: model.KindRun, Name: name})
}

// newLab is a lab of four machines in which a lot goes on.
func newLab() *fakeLab {
	l := &fakeLab{state: model.NewState(), who: "ada", runs: map[uint64]model.Run{}, logs: map[uint64][]model.Record{}}
	must := func(who, via string, edits ...model.Edit) {
		if _, err := l.commit(who, via, 0, model.Edits(edits...)); err != nil {
			panic(err)
		}
	}
	hv := func(name, network string, outlets ...string) model.Edit {
		h := model.NewHypervisor(name)
		h.Network, h.Outlets, h.Address = network, outlets, name+".lan"
		h.Pools = []model.Pool{{Name: "default", Path: "/var/lib/libvirt/images"}, {Name: "fast", Path: "/srv/fast"}}
		return model.Add(h)
	}
	outlet := func(name string, essential bool, groups ...string) model.Edit {
		return model.Add(model.Outlet{Name: name, Driver: model.DriverSimulated, Groups: groups, Essential: essential})
	}
	share := func(name, server, export, outlet string) model.Edit {
		sh := model.NewShare(name)
		sh.Server, sh.Export, sh.Outlet = server, export, outlet
		return model.Add(sh)
	}
	must("ada", "serve: first start",
		model.Add(model.Profile{Name: "evening"}), model.Add(model.Profile{Name: "offline"}), model.Activate("evening"),
		model.Add(model.Image{Name: "debian-13", Path: "/var/lib/libvirt/images/debian-13.qcow2"}),
		model.Add(model.Image{Name: "alpine-3.22", Path: "/var/lib/libvirt/images/alpine-3.22.qcow2"}),
		outlet("plug-desk", false, "office"), outlet("plug-shelf", false, "shelf", "night"), outlet("plug-nas", true, "shelf"),
		share("media", "nas.lan", "/volume1/media", "plug-nas"), share("backup", "fd00::9", "/backup", ""))
	must("ada", "hypervisor add thinkpad", hv("thinkpad", "macvtap:enp0s20f0u4", "plug-shelf"))
	must("ada", "hypervisor add nuc", hv("nuc", "bridge:br0", "plug-shelf"))
	must("grace", "hypervisor add tower", hv("tower", "bridge:br0", "plug-desk"))
	must("grace", "hypervisor add pi5", hv("pi5", "nat:default"))
	id := 0
	vm := func(name, hv, role string, mem, cpus int, ip string, profiles ...string) model.Edit {
		id++
		v := model.NewVM(name)
		v.ID = fmt.Sprintf("%012x", id)
		v.Hypervisor, v.Role, v.MemoryMiB, v.CPUs, v.IP, v.Profiles, v.Image = hv, role, mem, cpus, ip, profiles, "debian-13"
		return model.Add(v)
	}
	must("ada", "import homelabmanager",
		vm("web", "thinkpad", "web", 2048, 2, "192.168.1.20/24", "evening", "offline"),
		vm("db", "thinkpad", "db", 4096, 2, "192.168.1.21/24", "evening"),
		vm("ci", "thinkpad", "runner", 8192, 8, "", "evening"),
		vm("devenv", "thinkpad", "devenv", 4096, 8, "192.168.1.245/24", "offline"),
		vm("dns", "nuc", "dns", 512, 1, "192.168.1.5/24", "evening", "offline"),
		vm("media", "nuc", "media", 3072, 4, "", "evening"),
		vm("games", "tower", "games", 16384, 8, "192.168.1.60/24", "evening"),
		vm("backup", "nuc", "", 1024, 1, "192.168.1.61/24", "offline"))
	must("grace", "vm edit db --memory 6GiB", changeVM("db", func(v *model.VM) { v.MemoryMiB = 6144 }), changeVM("web", func(v *model.VM) { v.Protected = true }), changeVM("media", func(v *model.VM) { v.Shares = []string{"media"} }))
	must("ada", "dashboard: Disable ci", changeVM("ci", func(v *model.VM) { v.Enabled = false }))
	l.status = busyStatus(l)
	return l
}

func load(cpu, used int, load1 float64) *model.Load {
	return &model.Load{
		CPUPercent: cpu, MemoryUsedMiB: used, MemoryMiB: 15872, Load1: load1, Load5: load1 * 0.9, Load15: load1 * 0.8, Booted: noon.Add(-50 * time.Hour),
		Pools:  []model.PoolLoad{{Name: "default", CapacityMiB: 230000, AvailableMiB: 81000}, {Name: "fast", CapacityMiB: 470000, AvailableMiB: 12000}},
		Guests: map[string]model.GuestLoad{"db_on_thinkpad": {CPUPercent: 12, MemoryUsedMiB: 3480, MemoryMiB: 6144, DiskUsedMiB: 9200, DiskMiB: 20480}},
	}
}

func busyStatus(l *fakeLab) model.Status {
	on := func(names ...string) []model.Guest {
		var out []model.Guest
		for _, n := range names {
			vm := l.state.VMs[n]
			out = append(out, model.Guest{ID: vm.ID, Name: model.DomainName(n, vm.Hypervisor), State: model.GuestRunning, Since: noon.Add(-26 * time.Hour), Addresses: []string{"192.168.1.21", "fd00::21"}})
		}
		return out
	}
	facts := model.Facts{Hostname: "thinkpad", OS: "Debian 13", Arch: "amd64", CPUs: 8, MemoryMiB: 15872, Accel: "kvm", Terraform: "terraform 1.11.4"}
	run := model.Run{
		ID: 41, Hypervisor: "thinkpad", Kind: model.RunApply, Digest: "4f0c12ab99ee", Revision: 8, State: model.RunApplying,
		Summary: model.Summary{Add: 3, Change: 1, Done: 2, Total: 4}, Started: noon.Add(-19 * time.Second),
		Resources: []model.Resource{
			{Address: "libvirt_volume.vm_000000000001_root", Label: "web root disk", Action: "create", Status: model.ResourceDone, Seconds: 1.2},
			{Address: "libvirt_volume.vm_000000000001_seed", Label: "web seed", Action: "create", Status: model.ResourceDone},
			{Address: "libvirt_domain.vm_000000000001", Label: "web domain", Action: "create", Status: model.ResourceRunning, Seconds: 11, Changes: []model.AttributeChange{
				{Path: "memory", After: "2048"}, {Path: "name", After: `"web_on_thinkpad"`}, {Path: "network_interface[0].macvtap", After: `"enp0s20f0u4"`}, {Path: "vcpu", After: "2"},
			}},
			{Address: "libvirt_domain.vm_000000000002", Label: "db domain", Action: "update", Status: model.ResourcePending, Changes: []model.AttributeChange{
				{Path: "memory", Before: "4096", After: "6144"}, {Path: "user_data", Before: "(secret)", After: "(secret)"}, {Path: "disk[0].volume_id", Before: `"/srv/a.qcow2"`, After: "(known after apply)", Forces: true},
			}},
		},
	}
	waiting := model.Run{
		ID: 40, Hypervisor: "tower", Kind: model.RunApply, Digest: "aa31", Revision: 8, State: model.RunWaiting,
		Summary: model.Summary{Add: 1, Destroy: 2, Total: 3}, Started: noon.Add(-9 * time.Minute),
		Violations: []model.Violation{{Address: "libvirt_volume.vm_000000000007_root", Label: "games root disk", Action: "replace"}, {Address: "libvirt_domain.vm_000000000007", Label: "games domain", Action: "replace"}},
	}
	l.runs[41], l.runs[40] = run, waiting
	l.runs[39] = model.Run{
		ID: 39, Hypervisor: "nuc", Kind: model.RunApply, Digest: "bb", Revision: 7, State: model.RunFailed, Summary: model.Summary{Add: 2, Done: 1, Total: 2},
		Started: noon.Add(-3 * time.Minute), Finished: noon.Add(-150 * time.Second), Error: "no space left on device in pool default: free some, or move VMs",
	}
	for id := uint64(30); id < 39; id++ {
		l.runs[id] = model.Run{
			ID: id, Hypervisor: []string{"thinkpad", "nuc"}[id%2], Kind: model.RunApply, Digest: "cc", State: model.RunSucceeded,
			Summary: model.Summary{Add: int(id % 3), Change: int(id % 2), Done: 2, Total: 2}, Started: noon.Add(-time.Duration(45-id) * time.Hour), Finished: noon.Add(-time.Duration(45-id)*time.Hour + 14*time.Second),
		}
	}
	log := []string{
		"terraform init: providers are up to date", "refreshing pools default, fast", "made the seed of web", "plan: 3 to add, 1 to change, 0 to destroy",
		"libvirt_volume.vm_000000000001_root: Creating...", "libvirt_volume.vm_000000000001_root: Creation complete after 1s", "libvirt_domain.vm_000000000001: Creating...",
	}
	for i, m := range log {
		l.logs[41] = append(l.logs[41], model.Record{Seq: uint64(i + 1), Run: 41, Time: noon.Add(time.Duration(i-19) * time.Second), Level: model.LevelInfo, Message: m})
	}
	shelf := 96.0
	recent := make([]float64, 60)
	for i := range recent {
		recent[i] = 40 + float64(i%20)*5
		if i < 10 {
			recent[i] = math.NaN()
		}
	}
	return model.Status{
		Shares: map[string]model.ShareStatus{
			"media":  {Awake: model.PowerOff, Why: "it answers no ping", Observed: noon.Add(-3 * time.Minute)},
			"backup": {Awake: model.PowerOn, Why: "it answers a ping", Observed: noon.Add(-20 * time.Second)},
		},
		Meters: map[string]model.Metered{"plug-shelf": {Since: noon.Add(-90 * 24 * time.Hour), TodayWh: 830, TotalWh: 61000, Recent: recent}},
		Hypervisors: map[string]model.HypervisorStatus{
			"thinkpad": {
				Power: model.PowerOn, Agent: model.AgentOnline, AgentSince: noon.Add(-3 * time.Hour), Phase: model.PhaseApplying, Run: 41, LastRun: 38,
				Load: load(34, 6240, 1.27), DesiredDigest: "4f", AppliedDigest: "3e", AppliedAt: noon.Add(-7 * time.Minute), Facts: facts, Guests: on("db"),
			},
			"nuc": {
				Power: model.PowerOn, Agent: model.AgentOnline, AgentSince: noon.Add(-50 * time.Hour), Phase: model.PhaseRetrying, LastRun: 39, RetryAt: noon.Add(3 * time.Minute),
				Load: load(3, 3980, 0.08), AppliedAt: noon.Add(-26 * time.Hour), Error: l.runs[39].Error, Facts: facts, Guests: on("dns", "media"),
			},
			"tower": {
				Power: model.PowerOn, Agent: model.AgentOnline, AgentSince: noon.Add(-10 * time.Minute), Phase: model.PhaseWaiting, Run: 40, LastRun: 36,
				Load: load(92, 14700, 11.4), AppliedAt: noon.Add(-3 * 24 * time.Hour), Facts: facts, Guests: on("games"),
			},
			"pi5": {Power: model.PowerUnknown, Agent: model.AgentNever, Phase: model.PhaseNew},
		},
		Outlets: map[string]model.OutletStatus{
			"plug-shelf": {State: model.PowerOn, Since: noon.Add(-50 * time.Hour), Observed: noon.Add(-4 * time.Second), Watts: &shelf},
			"plug-desk":  {State: model.PowerOn, Since: noon.Add(-11 * time.Minute), Observed: noon.Add(-5 * time.Minute)},
			"plug-nas":   {State: model.PowerUnknown, Error: "no answer within 5 s from 192.168.1.33"},
		},
		Runs: map[uint64]model.Run{41: run, 40: waiting},
	}
}
