package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"homelab/model"
	"homelab/model/store"
)

// TestScripts runs what people type. In a script:
//
//	lab ARGS…            runs a command; `! lab` expects that it fails
//	lab2 ARGS…           the same, expecting wrong usage: exit status 2
//	tty INPUT ARGS…      runs a command on a terminal where a person types INPUT
//	                     (\r, \x03 and the like are read), 60 columns wide
//	tty2 ARGS…           runs a command on a terminal, expecting wrong usage
//	raw STRING…          runs a command of Go-quoted words; raw2 expects wrong usage
//	imagefile NAME IMAGE VOLUME [used]   its agent has that file of an image
//	online NAME [N]      the agent of NAME is connected, every guest desired runs
//	off NAME             NAME is off
//	play WORD            what becomes of runs: succeed, fail, wait, violate, noop
//	did restart|adopt VM tells what the agents were asked
//	minion VM STATE      what Salt knows of a VM
//	input FILE           is the standard input of the next command
//
// stdout, stderr and cmp work as they do for programs.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			s, err := store.Open(filepath.Join(env.WorkDir, "homelab.db"))
			if err != nil {
				return err
			}
			env.Values["lab"] = newLab(s)
			env.Setenv("KEY", testHostKey)
			env.Defer(func() { _ = s.Close() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"lab":  func(ts *testscript.TestScript, neg bool, args []string) { runLab(ts, status(neg), args, IO{}) },
			"lab2": func(ts *testscript.TestScript, _ bool, args []string) { runLab(ts, exitUsage, args, IO{}) },
			"tty":  scriptTTY,
			"tty2": func(ts *testscript.TestScript, _ bool, args []string) {
				runLab(ts, exitUsage, args, IO{In: strings.NewReader(""), PTY: true, Width: 60})
			},
			"raw":       scriptRaw,
			"raw2":      func(ts *testscript.TestScript, _ bool, args []string) { runRaw(ts, exitUsage, args) },
			"online":    scriptOnline,
			"seen":      scriptSeen,
			"off":       scriptOff,
			"play":      scriptPlay,
			"did":       scriptDid,
			"minion":    scriptMinion,
			"input":     scriptInput,
			"awake":     scriptAwake,
			"imagefile": scriptImageFile,
		},
	})
}

func status(neg bool) int {
	if neg {
		return exitFailed
	}
	return exitDone
}

func labOf(ts *testscript.TestScript) *testLab { return ts.Value("lab").(*testLab) }

// runLab runs one command and shows what it said as a program's output.
func runLab(ts *testscript.TestScript, want int, args []string, stdio IO) {
	var out, errs bytes.Buffer
	if stdio.In == nil {
		stdio.In = strings.NewReader(ts.Getenv("INPUT"))
		ts.Setenv("INPUT", "")
	}
	stdio.Out, stdio.Err, stdio.Address, stdio.Now = &out, &errs, "192.0.2.1:2222", testClock
	stdio.Screens = Screens{Names: []string{"hypervisors", "vms", "history"}, Things: []string{"vm", "hypervisor", "run"}}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	got := Run(ctx, labOf(ts), args, stdio)
	_, _ = ts.Stdout().Write(out.Bytes())
	_, _ = ts.Stderr().Write(errs.Bytes())
	if got != want {
		ts.Fatalf("%q: exit status %d, want %d\n%s%s", args, got, want, out.String(), errs.String())
	}
}

// scriptAwake plays what was found two minutes ago of a share's server.
func scriptAwake(ts *testscript.TestScript, _ bool, args []string) {
	l := labOf(ts)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Shares = map[string]model.ShareStatus{args[0]: {Awake: model.Power(args[1]), Why: args[2], Observed: testClock().Add(-2 * time.Minute)}}
}

// scriptInput takes a file (or -, for what the last command wrote) as the next
// command's standard input.
func scriptInput(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("INPUT", ts.ReadFile(args[0]))
}

func scriptTTY(ts *testscript.TestScript, neg bool, args []string) {
	typed, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	want := status(neg)
	if strings.Contains(typed, "\x03") {
		want = exitInterrupted
	}
	runLab(ts, want, args[1:], IO{In: io.MultiReader(strings.NewReader(typed)), PTY: true, Width: 60})
}

func scriptRaw(ts *testscript.TestScript, neg bool, args []string) { runRaw(ts, status(neg), args) }

func runRaw(ts *testscript.TestScript, want int, args []string) {
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := strconv.Unquote(`"` + arg + `"`)
		ts.Check(err)
		words[i] = word
	}
	runLab(ts, want, words, IO{})
}

func scriptImageFile(ts *testscript.TestScript, _ bool, args []string) {
	labOf(ts).observe(args[0], func(st *model.HypervisorStatus) {
		st.Images = append(slices.Clone(st.Images), model.ImageFile{Image: args[1], Volume: args[2], Bytes: 400 << 20, Used: len(args) > 3})
	})
}

func scriptOnline(ts *testscript.TestScript, _ bool, args []string) {
	lab := labOf(ts)
	lab.observe(args[0], func(st *model.HypervisorStatus) {
		*st = model.HypervisorStatus{Power: model.PowerOn, Agent: model.AgentOnline, AgentVersion: "test", Phase: model.PhaseInSync}
		for _, vm := range lab.State().VMsOn(args[0]) {
			if lab.State().HasDomain(vm) && vm.Running {
				st.Guests = append(st.Guests, model.Guest{ID: vm.ID, Name: model.DomainName(vm.Name, args[0]), State: model.GuestRunning})
			}
		}
		for _, stopped := range args[1:] {
			for i := range st.Guests {
				if st.Guests[i].Name == model.DomainName(stopped, args[0]) {
					st.Guests[i].State = model.GuestStopped
				}
			}
		}
	})
}

// scriptSeen plays what an agent reports: loads, drift, a lock and what is
// foreign.
func scriptSeen(ts *testscript.TestScript, _ bool, args []string) {
	lab := labOf(ts)
	lab.observe(args[0], func(st *model.HypervisorStatus) {
		st.Phase = model.PhaseDrifted
		st.Load = &model.Load{
			CPUPercent: 23, Load1: 0.5, Load5: 0.25, Load15: 0.1, MemoryUsedMiB: 6000, MemoryMiB: 16000, Booted: testClock().Add(-3 * 24 * time.Hour),
			Pools: []model.PoolLoad{{Name: "default", CapacityMiB: 400 << 10, AvailableMiB: 1500}}, Guests: map[string]model.GuestLoad{},
		}
		for i := range st.Guests {
			g := &st.Guests[i]
			g.Addresses, g.Since = []string{"192.0.2.7", "2001:db8::7"}, testClock().Add(-time.Hour)
			st.Load.Guests[g.Name] = model.GuestLoad{CPUPercent: 7, MemoryUsedMiB: 300, MemoryMiB: 1024, DiskUsedMiB: 2500, DiskMiB: 20480}
		}
		st.Guests = append(st.Guests, model.Guest{Name: "router", State: model.GuestRunning},
			model.Guest{Name: "web_on_shed", MadeFor: "0123456789ab", State: model.GuestStopped})
		for _, vm := range lab.State().VMsOn(args[0]) {
			st.Drift = append(st.Drift, model.Drift{VM: vm.Name, What: model.DriftPaused, At: testClock().Add(-time.Minute)})
			st.ForeignVolumes = append(st.ForeignVolumes, model.ForeignVolume{VM: vm.ID, Pool: "default", Name: vm.Name + "_on_" + args[0]})
		}
		st.Lock = &model.StateLock{Who: "ann@" + args[0], Created: testClock().Add(-2 * time.Minute)}
	})
}

func scriptOff(ts *testscript.TestScript, _ bool, args []string) {
	labOf(ts).observe(args[0], func(st *model.HypervisorStatus) {
		*st = model.HypervisorStatus{Power: model.PowerOff, Agent: model.AgentOffline, Phase: model.PhaseOff}
	})
}

// scriptPlay says what becomes of runs that are started after it.
func scriptPlay(ts *testscript.TestScript, _ bool, args []string) {
	labOf(ts).play = func(l *testLab, run model.Run) {
		begin := []model.Record{
			{State: model.RunPlanning},
			{Level: model.LevelInfo, Message: "Initializing \x1b[31mprovider"},
			{Resource: &model.Resource{Address: "libvirt_domain.vm_0", Label: "web domain", Action: "create", Status: model.ResourcePending}},
			{Summary: &model.Summary{Add: 1, Total: 1}},
		}
		const full = "pool \"x\" is full: make room"
		end := map[string][]model.Record{
			"succeed": {{State: model.RunApplying}, {State: model.RunSucceeded}},
			"fail":    {{State: model.RunApplying}, {State: model.RunFailed, Level: model.LevelError, Message: full, Error: full}},
			"noop":    {{State: model.RunNoop}},
			"wait":    {{State: model.RunWaiting}},
			"violate": {{State: model.RunWaiting, Violations: []model.Violation{{Address: "libvirt_volume.vm_0_root", Label: "web root disk", Action: "delete"}}}},
		}[args[0]]
		ts.Check(l.say(run, append(begin, end...)...))
	}
}

func scriptDid(ts *testscript.TestScript, _ bool, args []string) {
	l := labOf(ts)
	l.mu.Lock()
	defer l.mu.Unlock()
	list := map[string][]string{"restart": l.restarted, "adopt": l.adopted, "accept": l.accepted}[args[0]]
	if fmt.Sprint(list) != fmt.Sprint(args[1:]) {
		ts.Fatalf("%s was asked for %v", args[0], list)
	}
}

// scriptMinion says what the masters know of a VM, and counts for its
// hypervisor.
func scriptMinion(ts *testscript.TestScript, _ bool, args []string) {
	lab := labOf(ts)
	st := lab.State()
	vm := st.VMs[args[0]]
	status := model.SaltStatus{Master: st.Master(vm), Minion: model.HostName(vm.Name, vm.Hypervisor), State: model.SaltState(args[1])}
	switch status.State {
	case model.SaltConfigured:
		status.Result = &model.SaltResult{OK: true, Steps: []model.SaltStep{{ID: "motd", Function: "file.managed", OK: true, Changes: []string{"diff"}, Seconds: 1.5}, {ID: "ssh", Function: "service.running", OK: true}}}
	case model.SaltFailed:
		status.Result = &model.SaltResult{Steps: []model.SaltStep{{ID: "nginx", Function: "pkg.installed", Comment: "no such\x1b[2J package\nat all"}}}
	}
	lab.mu.Lock()
	minions := maps.Clone(lab.status.Minions)
	if minions == nil {
		minions = map[string]model.SaltStatus{}
	}
	minions[vm.ID] = status
	lab.status.Minions = minions
	lab.mu.Unlock()
	lab.observe(vm.Hypervisor, func(h *model.HypervisorStatus) {
		c := st.Configured(vm.Hypervisor, minions)
		if h.Configured = &c; c.Done < c.Total {
			h.Phase = model.PhaseConfiguring
		}
	})
}
