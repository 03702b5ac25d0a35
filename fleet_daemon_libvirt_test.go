package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const libvirtdPID = "/run/libvirtd.pid"

// withoutLibvirtd kills libvirtd while terraform changes some VMs and makes others,
// and starts it again: what was half made is no hindrance, and a guest that libvirt
// cannot let go of any more is told of with what to do.
func (f *fleet) withoutLibvirtd(t *testing.T) {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("libvirtd is systemd's here")
	}
	before := f.starts()
	last := f.seen().LastRun
	f.defined(136, 24, fleetSize+4, fleetOn)
	f.eventually("the first of the new disks is made", time.Minute, func() error {
		_, err := os.Stat(filepath.Join(f.pool, f.domain(fleetSize)))
		return err
	})
	defer f.startLibvirtd(t)
	f.endLibvirtd(t, syscall.SIGKILL)
	f.stuck(t, f.domain(3))
	f.eventually("the run has failed and says why", time.Minute, func() error {
		st := f.seen()
		if st.LastRun > last && st.Phase != "in sync" && strings.Contains(st.Error, "libvirt") {
			t.Logf("it says: %s", st.Error)
			return nil
		}
		return fmt.Errorf("%+v", st)
	})
	f.startLibvirtd(t)

	_, err := f.ssh(nil, "apply", "fleet")
	if err == nil || !strings.Contains(err.Error(), f.domain(3)+".xml") {
		t.Fatalf("it does not say which guest libvirt cannot let go of: %v", err)
	}
	f.endLibvirtd(t, syscall.SIGTERM)
	files := regexp.MustCompile(`sed -i '(/<job /d)' (/\S+\.xml)`).FindAllStringSubmatch(err.Error(), -1)
	for _, file := range files { // others may have been about to start when it was killed
		t.Logf("as it says: %s", file[0])
		if out, err := exec.Command("sed", "-i", file[1], file[2]).CombinedOutput(); err != nil {
			t.Errorf("%v %s", err, out)
		}
	}
	f.startLibvirtd(t)
	f.must("apply", "fleet")
	f.must("vm", "remove", f.vm(30), f.vm(31), f.vm(32), f.vm(33), "--yes")
	f.inSync("fleet", time.Minute)
	f.untouched(t, before, 3, 24, 25, 26, 27, 28, 29)
}

// startLibvirtd starts libvirtd unless it runs.
func (f *fleet) startLibvirtd(t *testing.T) {
	t.Helper()
	if out := f.tryVirsh("version"); out != "" && !strings.Contains(out, "error") {
		return
	}
	_ = os.Remove(libvirtdPID)
	if out, err := exec.Command("libvirtd", "-d", "-p", libvirtdPID).CombinedOutput(); err != nil {
		t.Errorf("libvirtd: %v %s", err, out)
	}
}

// endLibvirtd sends libvirtd a signal and waits until it is gone.
func (f *fleet) endLibvirtd(t *testing.T, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(libvirtdPID)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, signal)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.eventually("libvirtd is gone", time.Minute, func() error {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			return fmt.Errorf("process %d: %v", pid, err)
		}
		return nil
	})
}

// stuck leaves of a guest that is on what a libvirtd leaves that is killed between
// noting that it starts a guest and starting QEMU.
func (f *fleet) stuck(t *testing.T, domain string) {
	t.Helper()
	of := "/run/libvirt/qemu/" + domain
	text, err := os.ReadFile(of + ".pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(of + ".xml")
	if err != nil {
		t.Fatal(err)
	}
	on := regexp.MustCompile(`<domstatus state='running' [^>]*>`)
	if !on.Match(status) {
		t.Fatalf("the status of %s is not that of one that is on:\n%s", domain, status)
	}
	status = on.ReplaceAll(status, []byte("<domstatus state='paused' reason='starting up' pid='0'>\n<job type='none' async='start' phase='none' flags='0x0'/>"))
	if err := os.WriteFile(of+".xml", status, 0o600); err != nil {
		t.Fatal(err)
	}
}
