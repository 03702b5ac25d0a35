package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// says runs a command that has to succeed, and returns all that it said.
func (b *bench) says(args ...string) string {
	b.t.Helper()
	out, err := b.said(args...)
	if err != nil {
		b.t.Fatalf("ssh … %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (b *bench) said(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", append(b.sshArgs(), args...)...).CombinedOutput()
	return string(out), err
}

// refused runs a command that has to fail, and to say why.
func (b *bench) refused(why string, args ...string) {
	b.t.Helper()
	if out, err := b.said(args...); err == nil || !strings.Contains(out, why) {
		b.t.Errorf("%s: %v\n%s\nwant %q", strings.Join(args, " "), err, out, why)
	}
}

// is fails unless a domain is in a state.
func (b *bench) is(domain, want string) {
	b.t.Helper()
	if got := b.virsh("domstate", domain); got != want {
		b.t.Fatalf("%s is %s, not %s", domain, got, want)
	}
}

// TestLibvirtLifecycle starts, stops, restarts, rebuilds and protects a real
// guest, and sees each in the guest.
func TestLibvirtLifecycle(t *testing.T) {
	b := newBenchOf(t, "lifebench", "lifeguest")
	const web = "web_on_lifebench"
	b.must("hypervisor", "add", "lifebench", "--network", "macvtap:enp0s20f0u4")
	b.must("pool", "edit", "lifebench", "default", "--path", b.pool)
	b.must("image", "add", "lifeguest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	b.must("vm", "add", "web", "--hypervisor", "lifebench", "--image", "lifeguest", "--memory", "160MiB", "--extra-disk", "1GiB")
	b.join("lifebench", "")
	b.inSync("lifebench", 3*time.Minute)
	if g := b.console(web); g.boots != "1" || g.extra != "1" {
		t.Fatalf("at first: %+v", g)
	}
	b.stopsByItself(web)
	b.forcedAfterTheTimeShown(web)
	b.restarts(web)
	b.rebuilt(web)
	b.protected(web)
}

// stopsByItself: the guest hears the power button and goes, long before it would
// be switched off.
func (b *bench) stopsByItself(web string) {
	b.t.Helper()
	b.must("settings", "set", "--guest-grace-seconds", "600")
	ada := b.terminal("ada", "console web", 120, 30)
	ada.shows(30*time.Second, "guest up: name=web-on-lifebench")
	// That a run fails at another VM does not keep this one on.
	b.must("vm", "add", "huge", "--hypervisor", "lifebench", "--image", "lifeguest", "--memory", "4TiB")
	start := time.Now()
	b.t.Logf("vm stop web --wait:\n%s", b.says("vm", "stop", "web", "--wait"))
	ada.shows(10*time.Second, "guest: power button")
	b.is(web, "shut off")
	if took := time.Since(start); took > time.Minute {
		b.t.Errorf("it took %s", took)
	}
	log := b.says("logs", "lifebench")
	if !strings.Contains(log, "shutting "+web+" down because it is not wanted on") || strings.Contains(log, "was switched off") {
		b.t.Errorf("the run's log:\n%s", log)
	}
	if !strings.Contains(log, "Cannot allocate memory") {
		b.t.Errorf("the run did not fail at huge:\n%s", log)
	}
	b.must("vm", "remove", "huge", "--yes")
	b.t.Logf("vm start web --wait:\n%s", b.says("vm", "start", "web", "--wait"))
	b.is(web, "running")
}

// forcedAfterTheTimeShown: a guest that does not hear the power button is
// switched off, when it was said to be and not before.
func (b *bench) forcedAfterTheTimeShown(web string) {
	b.t.Helper()
	const grace = 6 * time.Second
	b.must("settings", "set", "--guest-grace-seconds", "6")
	b.deaf(web)
	start := time.Now()
	stopped := make(chan string, 1)
	go func() {
		out, err := b.said("vm", "stop", "web", "--wait")
		stopped <- fmt.Sprint(out, err)
	}()
	var vm struct {
		Status struct {
			State string
			OffBy time.Time `json:"off_by"`
		}
	}
	b.eventually("it says when the guest is switched off", 20*time.Second, func() error {
		b.decode(b.must("vm", "show", "web", "--json"), &vm)
		if vm.Status.State != "stopping" || vm.Status.OffBy.IsZero() {
			return fmt.Errorf("%+v", vm.Status)
		}
		return nil
	})
	if left := time.Until(vm.Status.OffBy); left <= 0 || left > grace {
		b.t.Errorf("%s are left of %s", left, grace)
	}
	for _, of := range []string{"list", "show"} {
		args := map[string][]string{"list": {"vm", "list"}, "show": {"vm", "show", "web"}}[of]
		b.t.Logf("vm %s:\n%s", of, b.must(args...))
	}
	out := <-stopped
	b.t.Logf("vm stop web --wait, after %s:\n%s", time.Since(start), out)
	if !strings.Contains(out, "web: asked to shut down, forced off in ") || !strings.Contains(out, "web: is off") || time.Since(start) < grace {
		b.t.Errorf("after %s it said\n%s", time.Since(start), out)
	}
	b.is(web, "shut off")
	if time.Now().Before(vm.Status.OffBy) {
		b.t.Errorf("it was off before %s", vm.Status.OffBy)
	}
	if log := b.says("logs", "lifebench"); !strings.Contains(log, web+" did not shut down in 6s and was switched off") {
		b.t.Errorf("the run's log:\n%s", log)
	}
	b.must("vm", "start", "web", "--wait")
}

// deaf waits until the guest is up and keeps it from hearing its power button.
func (b *bench) deaf(web string) {
	b.t.Helper()
	b.console(web)
	x := b.terminal(fmt.Sprint("deaf-", time.Now().UnixNano()), "console web", 120, 30)
	x.shows(30*time.Second, "guest up")
	x.typed("kill -STOP $(pidof dd) && echo de''af")
	x.keys("Enter")
	x.shows(20*time.Second, "deaf\n")
	x.keys("C-]", "q")
	x.shows(20*time.Second, "you have left")
}

// restarts: gently, and by force a guest that boots and does not hear yet.
func (b *bench) restarts(web string) {
	b.t.Helper()
	domain := b.domain(web)
	b.must("vm", "restart", "web")
	if now := b.domain(web); now == domain || strings.Fields(now)[0] != strings.Fields(domain)[0] {
		b.t.Errorf("the domain was %s, is %s: another process of the same is wanted", domain, now)
	}
	b.must("settings", "set", "--guest-grace-seconds", "600")
	domain = b.domain(web)
	start := time.Now()
	b.refused("would be switched off without being shut down", "vm", "restart", "web", "--force")
	b.must("vm", "restart", "web", "--force", "--yes")
	if b.domain(web) == domain {
		b.t.Error("it was not restarted by force")
	}
	b.refused("would be switched off without being shut down", "vm", "stop", "web", "--force")
	b.is(web, "running")
	b.must("vm", "stop", "web", "--force", "--yes", "--wait")
	b.is(web, "shut off")
	if took := time.Since(start); took > time.Minute {
		b.t.Errorf("force took %s", took)
	}
	b.must("vm", "start", "web", "--wait")
}

// rebuilt: the root disk and the instance are new, the extra disk is not.
func (b *bench) rebuilt(web string) {
	b.t.Helper()
	b.refused("lose its root disk", "vm", "rebuild", "web")
	b.must("vm", "rebuild", "web", "--yes")
	b.inSync("lifebench", 3*time.Minute)
	if g := b.console(web); g.boots != "1" || g.extra == "1" || g.extra == "none" || !strings.HasSuffix(g.id, "-1") {
		b.t.Errorf("rebuilt: %+v", g)
	}
}

func (b *bench) inode(volume string) string {
	b.t.Helper()
	out, err := exec.Command("stat", "-c", "%i", filepath.Join(b.pool, volume)).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// protected: no edit takes the disks, and no plan of terraform's either, though
// its state was tampered with by hand.
func (b *bench) protected(web string) {
	b.t.Helper()
	b.must("vm", "protect", "web")
	b.inSync("lifebench", time.Minute)
	inode, domain := b.inode(web), b.domain(web)
	for _, args := range [][]string{{"vm", "rebuild", "web"}, {"vm", "remove", "web"}, {"vm", "edit", "web", "--extra-disk", "0"}, {"hypervisor", "remove", "lifebench"}} {
		b.refused(map[bool]string{true: `VM "web" is protected`, false: `still used by VM "web"`}[args[0] == "vm"], append(args, "--yes")...)
	}
	b.taint("lifebench", "web")
	out, err := b.said("apply", "lifebench")
	if err == nil || !strings.Contains(out, "the plan would destroy what is protected: web root disk") {
		b.t.Errorf("apply: %v\n%s", err, out)
	}
	b.t.Logf("apply of a plan against the protection:\n%s", out)
	if b.inode(web) != inode || b.domain(web) != domain {
		b.t.Error("the guest or its disk is another one")
	}
}
