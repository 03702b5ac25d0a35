package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fleetSize is how many guests the fleet has, and fleetOn how many of them are
// on: emulated, they would take a small machine's CPUs for minutes.
const (
	fleetSize = 30
	fleetOn   = 4
)

// fleet is a bench with thirty VMs of one image on one hypervisor.
type fleet struct {
	*bench
	agent *process
}

// newFleet defines the VMs and lets the agent join: one run makes them all. The
// first on of them are on.
func newFleet(t testing.TB, on int) *fleet {
	t.Helper()
	f := &fleet{bench: newBenchOf(t, "fleet", "fleetimage")}
	f.must("image", "add", "fleetimage", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	f.must("hypervisor", "add", "fleet", "--network", "macvtap:enp0s20f0u4", "--accel", "tcg")
	f.must("pool", "edit", "fleet", "default", "--path", f.pool)
	f.defined(128, 0, fleetSize, on)
	f.agent = f.join("fleet", "")
	f.inSync("fleet", 5*time.Minute)
	return f
}

// defined gives the VMs from first to before end so much memory, as one change.
func (f *fleet) defined(memory, first, end, on int) {
	f.t.Helper()
	file := "format: homelab/2\nvms:\n"
	for i := first; i < end; i++ {
		file += fmt.Sprintf("- {name: %s, hypervisor: fleet, image: fleetimage, memory_mib: %d, running: %v}\n", f.vm(i), memory, i < on)
	}
	if out, err := f.ssh([]byte(file), "import", "--yes"); err != nil {
		f.t.Fatal(out, err)
	}
}

func (f *fleet) vm(i int) string     { return fmt.Sprintf("f%02d", i) }
func (f *fleet) domain(i int) string { return f.vm(i) + "_on_fleet" }

// starts identifies the start of each domain: its UUID and, of one that is on,
// QEMU's process.
func (f *fleet) starts() map[string]string {
	f.t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(f.virsh("list", "--all", "--uuid", "--name")) {
		if w := strings.Fields(line); len(w) == 2 && strings.HasSuffix(w[1], "_on_fleet") {
			pid, _ := os.ReadFile("/run/libvirt/qemu/" + w[1] + ".pid")
			all[w[1]] = w[0] + " " + strings.TrimSpace(string(pid))
		}
	}
	return all
}

// untouched fails unless the domains are those that they were, but for some.
func (f *fleet) untouched(t *testing.T, before map[string]string, but ...int) {
	t.Helper()
	now := f.starts()
	if len(now) != fleetSize {
		t.Errorf("there are %d domains", len(now))
	}
	for i := range fleetSize {
		if name := f.domain(i); !slices.Contains(but, i) && now[name] != before[name] {
			t.Errorf("%s was %q, is %q", name, before[name], now[name])
		}
	}
}

// seen is what the server says of the hypervisor.
func (f *fleet) seen() (st struct {
	Phase, Error string
	Drift        []struct{ VM, What string }
	LastRun      uint64 `json:"last_run"`
},
) {
	f.t.Helper()
	var h struct{ Status any }
	h.Status = &st
	f.decode(f.must("hypervisor", "show", "fleet", "--json"), &h)
	return st
}

// drifted waits until the server has noticed how VMs drifted.
func (f *fleet) drifted(t *testing.T, want ...string) {
	t.Helper()
	begun := time.Now()
	f.eventually("the drift is noticed", 15*time.Second, func() error {
		var got []string
		for _, d := range f.seen().Drift {
			got = append(got, d.VM+" "+d.What)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("drift %q, want %q", got, want)
		}
		return nil
	})
	t.Logf("noticed within %s", time.Since(begun).Round(100*time.Millisecond))
}

// TestLibvirtFleet makes thirty guests of one image in one run, and holds what
// happens to one of them, or to libvirt, to leaving the others alone. The
// predecessor would destroy and recreate all thirty at the first change.
func TestLibvirtFleet(t *testing.T) {
	f := newFleet(t, fleetOn)
	t.Run("one run and one copy of the image", f.madeInOneRun)
	before := f.starts()
	t.Run("one of thirty is changed", func(t *testing.T) {
		f.must("vm", "edit", f.vm(7), "--memory", "144MiB", "--yes")
		f.inSync("fleet", 2*time.Minute)
		f.untouched(t, before, 7)
		if now := f.starts(); now[f.domain(7)] == before[f.domain(7)] {
			t.Error("it was not changed")
		}
	})
	t.Run("drift is noticed and mended", f.mended)
	t.Run("a disk is gone", f.diskGone)
	t.Run("the state is lost", func(t *testing.T) {
		before := f.starts()
		f.agent.terminate()
		if err := os.Remove(filepath.Join(f.dir, "agent-fleet", "terraform.tfstate")); err != nil {
			t.Fatal(err)
		}
		f.agent = f.rejoin("fleet")
		f.must("vm", "edit", f.vm(8), "--memory", "144MiB", "--yes")
		f.inSync("fleet", 2*time.Minute)
		f.untouched(t, before, 8)
	})
	t.Run("libvirtd is stopped in mid-run", f.withoutLibvirtd)
	t.Run("a disk is full", f.diskFull)
}

func (f *fleet) madeInOneRun(t *testing.T) {
	var runs []struct {
		Kind, State string
		Summary     struct{ Add, Done, Total int }
	}
	f.decode(f.must("run", "list", "fleet", "--json"), &runs)
	if len(runs) != 1 || runs[0].State != "succeeded" || runs[0].Summary.Add < 3*fleetSize || runs[0].Summary.Done != runs[0].Summary.Total {
		t.Errorf("runs: %+v", runs)
	}
	images, _ := filepath.Glob(filepath.Join(f.pool, "fleetimage-*"))
	if len(images) != 1 {
		t.Errorf("images in the pool: %q", images)
	}
	var taken int64
	for i := range fleetSize {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(f.pool, f.domain(i)), &st); err != nil {
			t.Fatal(err)
		}
		taken += st.Blocks * 512
	}
	if taken > fleetSize<<20 {
		t.Errorf("the root disks take %d KiB: they are copies", taken>>10)
	}
	if g := f.console(f.domain(0)); g.name != "f00-on-fleet" || g.boots != "1" {
		t.Errorf("the first guest: %+v", g)
	}
}

// mended stops one guest, undefines one that is on and one that is off, as
// somebody would by hand.
func (f *fleet) mended(t *testing.T) {
	f.must("hypervisor", "edit", "fleet", "--policy", "review")
	f.inSync("fleet", time.Minute)
	before := f.starts()
	f.virsh("destroy", f.domain(1))
	f.virsh("undefine", f.domain(2))
	f.virsh("undefine", f.domain(20))
	f.drifted(t, "f01 stopped", "f02 undefined", "f20 undefined")
	if st := f.seen(); st.Phase != "drifted" || !strings.Contains(st.Error, "apply fleet") {
		t.Errorf("with policy review it is for people: %+v", st)
	}
	f.must("hypervisor", "edit", "fleet", "--policy", "auto")
	f.inSync("fleet", 2*time.Minute)
	f.untouched(t, before, 1, 20)
	for _, i := range []int{1, 2} {
		if s := f.virsh("domstate", f.domain(i)); s != "running" {
			t.Errorf("%s is %s", f.domain(i), s)
		}
	}
	if s := f.virsh("dominfo", f.domain(2)); !strings.Contains(s, "Persistent:     yes") {
		t.Errorf("%s was not defined again:\n%s", f.domain(2), s)
	}
}

// diskGone removes the disks of two guests that are off: that is seen, and left to
// people, who have one made anew and let the other go.
func (f *fleet) diskGone(t *testing.T) {
	before := f.starts()
	for _, i := range []int{22, 23} {
		if err := os.Remove(filepath.Join(f.pool, f.domain(i))); err != nil {
			t.Fatal(err)
		}
	}
	f.drifted(t, "f22 disk_gone", "f23 disk_gone")
	if st := f.seen(); !strings.Contains(st.Error, "`vm rebuild f22` makes a new one") {
		t.Errorf("it does not say what to do: %+v", st)
	}
	if out, err := f.ssh(nil, "apply", "fleet"); err == nil || !strings.Contains(err.Error(), "`vm rebuild f23` makes a new one") {
		t.Errorf("a run beside disks that are gone: %s %v", out, err)
	}
	f.must("hold", "fleet") // so that one run sees to both
	f.must("vm", "rebuild", "f22", "--yes")
	f.must("vm", "remove", "f23", "--yes")
	f.must("release", "fleet")
	f.inSync("fleet", time.Minute)
	if _, err := os.Stat(filepath.Join(f.pool, f.domain(22))); err != nil {
		t.Error(err)
	}
	f.defined(128, 23, 24, 0) // for those that come
	f.inSync("fleet", time.Minute)
	f.untouched(t, before, 22, 23)
}

// diskFull gives one VM a disk that does not fit into its pool.
func (f *fleet) diskFull(t *testing.T) {
	small := filepath.Join(f.dir, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small file system cannot be made: %v", err)
	}
	defer func() {
		f.tryVirsh("pool-destroy", "small")
		f.tryVirsh("pool-undefine", "small")
		_ = syscall.Unmount(small, syscall.MNT_DETACH)
	}()
	before := f.starts()
	f.must("pool", "add", "fleet", "small", "--path", small)
	f.must("vm", "add", "full", "--memory", "128MiB", "--running=false", "--extra-disk", "1GiB", "--extra-pool", "small", "--extra-format", "raw")
	f.eventually("the run has failed and says why", time.Minute, func() error {
		if st := f.seen(); st.Phase != "retrying" || !strings.Contains(strings.ToLower(st.Error), "space") {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	t.Logf("it says: %s", f.seen().Error)
	f.must("vm", "remove", "full", "--yes")
	f.inSync("fleet", 2*time.Minute)
	f.untouched(t, before)
}
