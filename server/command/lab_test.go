package command

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// testClock is what commands in tests take for now.
var testClock = func() time.Time { return time.Now().UTC() }

const testHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

// testLab is a Lab on a real store. Only what needs agents and devices is
// played: outlets do as told, and a run is what play makes of it.
type testLab struct {
	*store.Store
	user string
	play func(l *testLab, run model.Run)

	mu        sync.Mutex
	status    model.Status
	restarted []string
	adopted   []string
	accepted  []string // keys of minions
	nextKey   []string
	seq       map[string]uint64
}

func openLab(t testing.TB) *testLab {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "homelab.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return newLab(s)
}

func newLab(s *store.Store) *testLab {
	return &testLab{
		Store: s, user: "alice", seq: map[string]uint64{},
		status: model.Status{Hypervisors: map[string]model.HypervisorStatus{}, Outlets: map[string]model.OutletStatus{}},
	}
}

func (l *testLab) User() model.User { return model.User{Name: l.user, Role: model.RoleAdmin} }

func (l *testLab) Status() model.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := model.Status{Hypervisors: map[string]model.HypervisorStatus{}, Outlets: map[string]model.OutletStatus{}, Runs: l.ActiveRuns()}
	for k, v := range l.status.Hypervisors {
		st.Hypervisors[k] = v
	}
	for k, v := range l.status.Outlets {
		st.Outlets[k] = v
	}
	st.Meters, st.Shares = l.status.Meters, l.status.Shares
	st.Minions, st.SaltMasters = l.status.Minions, l.status.SaltMasters
	return st
}

func (l *testLab) Watch() *model.Watcher { return l.Hub().Watch() }

func (l *testLab) History(before uint64, limit int) ([]model.Revision, error) {
	return l.Revisions(before, limit)
}

func (l *testLab) Audit(_ context.Context, before uint64, limit int) ([]model.Audited, error) {
	return l.Store.Audit(before, limit)
}

func (l *testLab) Commit(_ context.Context, via string, edit model.Edit) (model.Revision, error) {
	return l.Store.Commit(l.user, via, edit)
}

func (l *testLab) Undo(_ context.Context, via string, n uint64) (model.Revision, error) {
	return l.Store.Undo(l.user, via, n)
}

// Console is played: it says what it is and what is typed until Enter.
func (l *testLab) Console(_ context.Context, vm string, watch bool, t model.Terminal) (string, error) {
	fmt.Fprintf(t.Out, "%s says hello, watch=%v, typing=%v\n", vm, watch, t.In != nil)
	if _, ok := l.State().VMs[vm]; !ok {
		return "", &model.NotFoundError{Ref: model.Ref{Kind: model.KindVM, Name: vm}}
	}
	return "the guest is stopped", nil
}

func (l *testLab) NotifySet() []string { return l.Secrets(model.SettingsRef) }

func (l *testLab) SetNotify(field, value string) error {
	return l.Store.SetSecret(model.SettingsRef, field, value)
}

func (l *testLab) NotifyTest(context.Context) (map[string]error, error) {
	results := map[string]error{}
	for _, field := range l.NotifySet() {
		results[strings.TrimPrefix(field, "notify_")] = nil
	}
	if len(l.State().Settings.NotifyCommand) > 0 {
		results["command"] = fmt.Errorf("exit status 3")
	}
	return results, nil
}

// observe changes the observed state of a hypervisor.
func (l *testLab) observe(name string, change func(*model.HypervisorStatus)) {
	l.mu.Lock()
	st := l.status.Hypervisors[name]
	change(&st)
	l.status.Hypervisors[name] = st
	l.mu.Unlock()
	l.Hub().Publish(model.Ref{Kind: model.KindStatus, Name: name})
}

func (l *testLab) SwitchOutlet(_ context.Context, name string, on, force bool) error {
	if !on && !force {
		for _, h := range feeds(l.State(), name) {
			if up(l.Status().Hypervisors[h]) {
				return fmt.Errorf("outlet %q feeds %s, which is up; shut it down first: power off %s", name, h, h)
			}
		}
	}
	l.mu.Lock()
	l.status.Outlets[name] = model.OutletStatus{State: power(on)}
	l.mu.Unlock()
	l.Hub().Publish(model.Ref{Kind: model.KindOutletStatus, Name: name})
	return nil
}

func (l *testLab) CycleOutlet(ctx context.Context, name string, force bool) error {
	if err := l.SwitchOutlet(ctx, name, false, force); err != nil {
		return err
	}
	return l.SwitchOutlet(ctx, name, true, force)
}

func (l *testLab) StartRun(_ context.Context, hypervisor string, kind model.RunKind) (model.Run, error) {
	if l.Status().Hypervisors[hypervisor].Agent != model.AgentOnline {
		return model.Run{}, fmt.Errorf("the agent of %s is not connected", hypervisor)
	}
	run, err := l.NewRun(model.Run{Hypervisor: hypervisor, Kind: kind, Digest: "0123456789abcdef", Revision: l.State().Revision, Started: testClock()}, nil)
	if err == nil && l.play != nil {
		l.play(l, run)
	}
	return run, err
}

// say writes records of a run, as its agent would.
func (l *testLab) say(run model.Run, records ...model.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range records {
		l.seq[run.Hypervisor]++
		records[i].Seq, records[i].Run = l.seq[run.Hypervisor], run.ID
		records[i].Time = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	}
	_, err := l.Ingest(run.Hypervisor, "spool", records)
	return err
}

func (l *testLab) Approve(_ context.Context, id uint64) error {
	run, err := l.Run(id)
	if err != nil {
		return err
	}
	return l.say(run, model.Record{State: model.RunApplying}, model.Record{State: model.RunSucceeded})
}

func (l *testLab) Cancel(_ context.Context, id uint64) error {
	run, err := l.Run(id)
	if err != nil {
		return err
	}
	if run.State.Ended() {
		return fmt.Errorf("run %d is over: it %s", id, run.State)
	}
	return l.say(run, model.Record{State: model.RunCancelled})
}

func (l *testLab) RestartGuest(_ context.Context, vm string, force bool) error {
	st := l.State().VMs[vm]
	if err := model.CanRestart(st, l.Status().Hypervisors[st.Hypervisor]); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if force {
		vm += " by force"
	}
	l.restarted = append(l.restarted, vm)
	return nil
}

func (l *testLab) CutGuest(_ context.Context, vm string) error {
	st := l.State().VMs[vm]
	if err := model.CanCut(st, l.Status().Hypervisors[st.Hypervisor]); err != nil {
		return err
	}
	l.guest(vm, model.GuestStopped, time.Time{})
	return nil
}

// guest changes what is seen of the guest of a VM.
func (l *testLab) guest(vm string, is model.GuestState, offBy time.Time) {
	of := l.State().VMs[vm]
	l.observe(of.Hypervisor, func(st *model.HypervisorStatus) {
		st.Guests = slices.Clone(st.Guests)
		for i := range st.Guests {
			if st.Guests[i].ID == of.ID {
				st.Guests[i].State, st.Guests[i].OffBy = is, offBy
			}
		}
	})
}

func (l *testLab) PruneImages(_ context.Context, hypervisor string, files []string) error {
	l.observe(hypervisor, func(st *model.HypervisorStatus) {
		st.Images = slices.DeleteFunc(slices.Clone(st.Images), func(f model.ImageFile) bool { return slices.Contains(files, f.Volume) && !f.Used })
	})
	return nil
}

func (l *testLab) Adopt(_ context.Context, vm string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adopted = append(l.adopted, vm)
	return nil
}

func (l *testLab) Unlock(_ context.Context, hypervisor string) error {
	lock := l.Status().Hypervisors[hypervisor].Lock
	if lock == nil || lock.Live {
		return errors.New("box: process 4711 works on terraform's state")
	}
	l.observe(hypervisor, func(st *model.HypervisorStatus) { st.Lock = nil })
	return nil
}

func (l *testLab) Config(hypervisor string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	content := "resource \"x\" {}\n# \x1b[31m of " + hypervisor + "\n"
	err := w.WriteHeader(&tar.Header{Name: "main.tf", Mode: 0o644, Size: int64(len(content))})
	_, err2 := w.Write([]byte(content))
	return b.Bytes(), errors.Join(err, err2, w.Close())
}

func (l *testLab) Invite(ctx context.Context, via, hypervisor, address string) (string, time.Time, error) {
	expires := testClock().Add(time.Hour)
	_, err := l.Commit(ctx, via, func(st *model.State) error {
		st.Invites[hypervisor] = model.Invite{Hypervisor: hypervisor, Fingerprint: "SHA256:" + fmt.Sprintf("%043d", 0), Expires: expires}
		return nil
	})
	return "homelab-join-TOKEN", expires, err
}

func (l *testLab) Revoke(ctx context.Context, via, hypervisor string) error {
	_, err := l.Commit(ctx, via, func(st *model.State) error {
		delete(st.Agents, hypervisor)
		delete(st.Invites, hypervisor)
		return nil
	})
	return err
}

func (l *testLab) Backup(w io.Writer) error { return l.Store.Backup(w) }

func (l *testLab) OpenBackup(r io.Reader) (Restoration, error) {
	copied, err := l.ReadCopy(r)
	if err != nil {
		return Restoration{}, err
	}
	return Restoration{State: copied.State, Changed: copied.Report.Changed, Secrets: func() error { return l.RestoreSecrets(copied) }}, nil
}

// The host key that comes is another one; the agent of rack has not learnt it.
func (l *testLab) HostKeys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{testHostKey}, l.nextKey...)
}

func (l *testLab) RotateHostKey(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextKey = []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAQBAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"}
	return nil
}

func (l *testLab) FinishHostKey(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextKey = nil
	return nil
}

func (l *testLab) HostKeyUnknownTo() []string {
	if _, ok := l.State().Hypervisors["rack"]; ok {
		return []string{"rack"}
	}
	return nil
}

// The minions of testLab answer as their names say: those of VMs named bad
// fail, those of VMs named down do not answer.
func (l *testLab) SaltApply(_ context.Context, names []string, begun func(), each func(model.SaltAnswer)) error {
	begun()
	for _, name := range names {
		r := model.SaltResult{OK: name != "bad", At: testClock(), Steps: []model.SaltStep{
			{ID: "motd", Name: "/etc/motd", Function: "file.managed", SLS: "core", OK: true, Changes: []string{"diff"}, Comment: "File /etc/motd updated", Seconds: 0.25},
		}}
		if !r.OK {
			r.Steps = append(r.Steps, model.SaltStep{ID: "bad", Function: "cmd.run", OK: false, Comment: "it \x1b[31mfailed\nreally"})
		}
		a := model.SaltAnswer{Name: name, Minion: name + "-on-thinkpad", Result: &r}
		if name == "down" {
			a.Result, a.Error = nil, "no answer came"
		}
		each(a)
	}
	return nil
}

func (l *testLab) SaltCall(_ context.Context, names []string, fun string, args []string, each func(model.SaltAnswer)) error {
	for _, name := range names {
		value, _ := json.Marshal(append([]string{fun}, args...))
		a := model.SaltAnswer{Name: name, Minion: name + "-on-thinkpad", Value: value}
		if name == "down" {
			a.Value, a.Down = nil, true
		}
		each(a)
	}
	return nil
}

func (l *testLab) SaltKeys(context.Context) ([]model.SaltKey, error) {
	return []model.SaltKey{
		{Master: "pi", ID: "new-on-thinkpad", State: "pending", Fingerprint: "df:56", VM: "new"},
		{Master: "pi", ID: "rogue", State: "pending", Fingerprint: "ab:cd", Stranger: true},
		{Master: "pi", ID: "web-on-thinkpad", State: "accepted", VM: "web"},
	}, nil
}

func (l *testLab) SaltAccept(_ context.Context, master, id, fingerprint string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = append(l.accepted, master+" "+id+" "+fingerprint)
	return nil
}

func (l *testLab) SaltSetup(master string) (string, error) { return "for " + master + "\n", nil }

func (l *testLab) SetSecret(_ context.Context, _, outlet, field, value string) error {
	return l.Store.SetSecret(model.Ref{Kind: model.KindOutlet, Name: outlet}, field, value)
}

func (l *testLab) MissingSecrets(outlet string) []string {
	var missing []string
	for _, field := range l.State().Outlets[outlet].Secrets {
		if _, ok := l.Secret(model.Ref{Kind: model.KindOutlet, Name: outlet}, field); !ok {
			missing = append(missing, field)
		}
	}
	return missing
}

// Probe finds a Shelly at 10.0.0.30, two things at 10.0.0.31, a plug of plain
// URLs at 10.0.0.32 and nothing elsewhere.
func (l *testLab) Probe(_ context.Context, address string) ([]model.FoundDevice, error) {
	shelly := model.FoundDevice{Address: address, Outlet: model.Outlet{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: address}}, About: "a Shelly Plug"}
	switch address {
	case "10.0.0.30":
		return []model.FoundDevice{shelly}, nil
	case "10.0.0.31":
		return []model.FoundDevice{shelly, {Outlet: model.Outlet{Driver: model.DriverIPMI}, About: "a controller with IPMI"}}, nil
	case "10.0.0.33":
		return []model.FoundDevice{{
			Address: address, About: "a device with Tasmota", Needs: []string{model.SecretPassword},
			Outlet: model.Outlet{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: address}},
		}}, nil
	case "10.0.0.32":
		return []model.FoundDevice{{About: "an old plug", Outlet: model.Outlet{
			Driver: model.DriverHTTP, HTTP: model.HTTPOutlet{OnURL: "http://10.0.0.32/on", OffURL: "http://10.0.0.32/off"},
		}}}, nil
	}
	return nil, nil
}

// Discover finds what Probe finds at two addresses.
func (l *testLab) Discover(ctx context.Context) ([]model.FoundDevice, error) {
	var all []model.FoundDevice
	for _, address := range []string{"10.0.0.30", "10.0.0.33"} {
		found, err := l.Probe(ctx, address)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// TestOutlet answers what is known of the outlet.
func (l *testLab) TestOutlet(_ context.Context, name string) (model.DeviceReport, error) {
	o := l.State().Outlets[name]
	if strings.HasPrefix(name, "dead") {
		return model.DeviceReport{}, errors.New("the device at 10.0.0.9 did not answer in time")
	}
	watts := 12.5
	return model.DeviceReport{State: l.Status().Outlets[name].State, Askable: o.Askable(), Cycles: true, Watts: &watts, TookMS: 20}, nil
}

var _ Lab = (*testLab)(nil)

func (l *testLab) AddBinary(r io.Reader) (model.AgentBinary, error) {
	text, err := io.ReadAll(r)
	if err == nil && !strings.HasPrefix(string(text), "ELF") {
		err = errors.New("it is no program that Go has built")
	}
	return model.AgentBinary{Platform: "linux_arm64", Version: "0.5.0", SHA256: strings.Repeat("ab", 32), Bytes: 21 << 20, Added: testClock()}, err
}

func (l *testLab) Binaries() ([]model.AgentBinary, error) {
	return []model.AgentBinary{{Platform: "linux_arm64", Version: "0.5.0", SHA256: strings.Repeat("ab", 32), Bytes: 21 << 20, Added: testClock()}}, nil
}

func (l *testLab) UpdateAgent(_ context.Context, hypervisor string) (model.AgentBinary, bool, error) {
	if l.Status().Hypervisors[hypervisor].Agent != model.AgentOnline {
		return model.AgentBinary{}, false, fmt.Errorf("the agent of %s is not connected", hypervisor)
	}
	return model.AgentBinary{Version: "0.5.0"}, false, nil
}
