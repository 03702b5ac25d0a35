package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"homelab/model"
)

// The size of TestCuts.
const (
	cuts    = 30
	cutVMs  = 40
	changed = 5 // VMs that the edits change; the others must not be touched
)

// TestCuts cuts the connection and kills agent, server and terraform at random
// moments of 30 applies, while two sessions watch.
func TestCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	needTerraform(t)
	t.Parallel() // with the other that waits most of its time
	l := newLab(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HOMELAB_CUTS_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("seed %d (HOMELAB_CUTS_SEED repeats the order)", seed)
	c := &chaos{lab: l, rand: rand.New(rand.NewPCG(seed, 1)), net: newProxy(t, l.listen), seen: map[string]map[recordKey]string{}}
	c.setUp()
	before := c.states()
	stop := make(chan struct{})
	var watchers sync.WaitGroup
	for i := range 2 {
		watchers.Add(1)
		go func() { defer watchers.Done(); c.watch(fmt.Sprintf("watcher %d", i+1), stop) }()
	}
	for i := range cuts {
		c.edit(i)
		c.disturb(i)
	}
	l.inSync("h1", 5*time.Minute)
	c.checkStore()
	c.eventuallyWatched()
	close(stop)
	watchers.Wait()
	c.checkUntouched(before)
}

func needTerraform(t testing.TB) {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		if _, err := exec.LookPath(name); err == nil {
			return
		}
	}
	t.Skip("neither terraform nor tofu is on PATH")
}

// chaos is a lab whose parts are cut and killed.
type chaos struct {
	*lab
	rand  *rand.Rand
	net   *proxy
	agent *process

	mu   sync.Mutex
	seen map[string]map[recordKey]string // by watcher
	bad  []string                        // what a watcher should not have seen
}

type recordKey struct{ run, seq uint64 }

func keyOf(r model.Record) recordKey { return recordKey{r.Run, r.Seq} }

// byServer tells that the server wrote a record, which ended a run that was lost on
// its way to the agent: it is not numbered among the agent's.
func byServer(r model.Record) bool {
	return strings.HasPrefix(r.Error, "the agent does not have this run")
}

func (c *chaos) setUp() {
	c.must("hypervisor", "add", "h1", "--platform", "sandbox")
	c.must("image", "add", "img", "--path", "/srv/img.qcow2")
	var script strings.Builder
	for i := range cutVMs {
		fmt.Fprintf(&script, "vm add v%d --hypervisor h1 --image img\n", i)
	}
	for _, line := range strings.Split(strings.TrimSpace(script.String()), "\n") {
		c.must(strings.Fields(line)...)
	}
	c.agent = c.join("h1", c.net.addr())
	c.inSync("h1", 2*time.Minute)
}

// edit changes the memory of one of the first VMs, which replaces its domain.
func (c *chaos) edit(i int) {
	name := fmt.Sprintf("v%d", i%changed)
	c.eventually("the edit is taken", 30*time.Second, func() error {
		_, err := c.ssh(nil, "vm", "edit", name, "--memory", strconv.Itoa(512+i), "--yes")
		return err
	})
}

// disturb waits until the run is at work, then for a random moment, and then
// cuts or kills something and puts it up again.
func (c *chaos) disturb(i int) {
	c.eventually("a run is under way or over", 2*time.Minute, func() error {
		out, err := c.ssh(nil, "hypervisor", "show", "h1", "--json")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc([]string{"planning", "applying", "in sync"}, func(p string) bool {
			return strings.Contains(out, `"phase": "`+p+`"`) || strings.Contains(out, `"phase":"`+p+`"`)
		}) {
			return errors.New(out)
		}
		return nil
	})
	<-time.After(time.Duration(c.rand.IntN(700)) * time.Millisecond) // the random moment is the test
	switch what := i % 4; what {
	case 0:
		c.net.cut()
	case 1:
		c.agent.kill()
		c.agent = c.rejoin("h1")
	case 2:
		c.server.kill()
		c.serve()
	case 3:
		c.killTerraform()
	}
	if c.rand.IntN(3) == 0 {
		c.net.cut()
	}
}

// killTerraform kills the terraform that is the agent's child, if there is one.
func (c *chaos) killTerraform() {
	out, _ := exec.Command("pgrep", "-P", strconv.Itoa(c.agent.cmd.Process.Pid)).Output()
	for _, f := range strings.Fields(string(out)) {
		if pid, err := strconv.Atoi(f); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// watch follows the log as a session would, and comes back when it is cut off.
func (c *chaos) watch(name string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond): // not to spin while the server is away
		}
		args := append(c.sshArgs()[:len(c.sshArgs())-1], "-T", c.sshArgs()[len(c.sshArgs())-1], "logs", "h1", "-f", "--json")
		cmd := exec.Command("ssh", args...)
		out, err := cmd.StdoutPipe()
		if err != nil || cmd.Start() != nil {
			continue
		}
		ended := make(chan struct{})
		go func() {
			select {
			case <-stop:
				_ = cmd.Process.Kill()
			case <-ended:
			}
		}()
		c.collect(name, json.NewDecoder(out))
		close(ended)
		_ = cmd.Wait()
	}
}

// collect reads one session's records: those of a run ascending, none twice,
// and the same as in any other session.
func (c *chaos) collect(name string, records *json.Decoder) {
	last := map[uint64]uint64{} // by run
	for {
		var r model.Record
		if records.Decode(&r) != nil {
			return // cut off
		}
		text := fmt.Sprintf("%d %s %s %s", r.Run, r.State, r.Level, r.Message)
		c.mu.Lock()
		if r.Seq <= last[r.Run] {
			c.bad = append(c.bad, fmt.Sprintf("%s saw record %d of run %d after %d in one session", name, r.Seq, r.Run, last[r.Run]))
		}
		if c.seen[name] == nil {
			c.seen[name] = map[recordKey]string{}
		}
		if old, ok := c.seen[name][keyOf(r)]; ok && old != text {
			c.bad = append(c.bad, fmt.Sprintf("%s saw two records %d: %q and %q", name, r.Seq, old, text))
		}
		c.seen[name][keyOf(r)] = text
		c.mu.Unlock()
		last[r.Run] = r.Seq
	}
}

// kept returns the store's records of every kept run, oldest run first.
func (c *chaos) kept() []model.Record {
	c.t.Helper()
	var runs []model.Run
	c.decode(c.must("run", "list", "h1", "--json"), &runs)
	slices.SortFunc(runs, func(a, b model.Run) int { return int(a.ID) - int(b.ID) })
	var all []model.Record
	for _, r := range runs {
		var records []model.Record
		c.decode(c.must("logs", strconv.FormatUint(r.ID, 10), "--json"), &records)
		all = append(all, records...)
		if !r.State.Ended() {
			c.t.Errorf("run %d is still %s", r.ID, r.State)
		}
	}
	return all
}

// checkStore fails unless every record is there once and in order. Gaps are
// only between runs: a plan without changes leaves nothing behind.
func (c *chaos) checkStore() {
	c.t.Helper()
	all := c.kept()
	ends := map[uint64]int{}
	all = slices.DeleteFunc(all, func(r model.Record) bool {
		if byServer(r) {
			ends[r.Run]++
		}
		return byServer(r)
	})
	// A run that is superseded while it waits ends among another's records.
	slices.SortStableFunc(all, func(a, b model.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	for i, r := range all {
		if r.State.Ended() {
			ends[r.Run]++
		}
		if i == 0 {
			continue
		}
		switch last := all[i-1]; {
		case r.Seq == last.Seq:
			c.t.Errorf("record %d is there twice, in run %d and run %d", r.Seq, last.Run, r.Run)
		case r.Run == last.Run && r.Seq != last.Seq+1:
			c.t.Errorf("run %d has no record between %d and %d", r.Run, last.Seq, r.Seq)
		}
	}
	for run, n := range ends {
		if n != 1 {
			c.t.Errorf("run %d ended %d times", run, n)
		}
	}
	if len(all) < cuts*5 {
		c.t.Errorf("only %d records of %d applies", len(all), cuts)
	}
}

// eventuallyWatched waits until both watchers have seen every record of the
// store, and nothing that they should not.
func (c *chaos) eventuallyWatched() {
	c.t.Helper()
	all := c.kept()
	c.eventually("both watchers have seen every record", time.Minute, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, name := range []string{"watcher 1", "watcher 2"} {
			for _, r := range all {
				if got, want := c.seen[name][keyOf(r)], fmt.Sprintf("%d %s %s %s", r.Run, r.State, r.Level, r.Message); got != want {
					return fmt.Errorf("%s: record %d of run %d is %q, not %q", name, r.Seq, r.Run, got, want)
				}
			}
		}
		return nil
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		c.t.Errorf("%d wrong: %s", len(c.bad), strings.Join(c.bad[:min(5, len(c.bad))], "; "))
	}
}

// states are the terraform IDs of every VM's domain, by VM ID: a domain that
// was made anew has another.
func (c *chaos) states() map[string]string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, "agent-h1", "terraform.tfstate"))
	if err != nil {
		c.t.Fatal(err)
	}
	var state struct {
		Resources []struct {
			Name      string
			Instances []struct{ Attributes struct{ ID string } }
		}
	}
	c.decode(string(text), &state)
	ids := map[string]string{}
	for _, r := range state.Resources {
		if id, part, ok := model.ParseResource("terraform_data." + r.Name); ok && part == model.PartDomain && len(r.Instances) == 1 {
			ids[id] = r.Instances[0].Attributes.ID
		}
	}
	return ids
}

// checkUntouched fails if a guest that no edit changed was destroyed.
func (c *chaos) checkUntouched(before map[string]string) {
	c.t.Helper()
	after := c.states()
	if len(after) != cutVMs {
		c.t.Errorf("terraform has %d domains, want %d", len(after), cutVMs)
	}
	var vms []model.VM
	c.decode(c.must("vm", "list", "--json"), &vms)
	for _, vm := range vms {
		n, _ := strconv.Atoi(strings.TrimPrefix(vm.Name, "v"))
		if n >= changed && before[vm.ID] != after[vm.ID] {
			c.t.Errorf("%s was never changed, yet its domain was made anew", vm.Name)
		}
		if n < changed && before[vm.ID] == after[vm.ID] {
			c.t.Errorf("%s was changed, yet its domain is the same", vm.Name)
		}
	}
}
