package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// publisher serves the bench's small guest as a distribution does: beside a
// list of checksums. The first request for the image is cut in its middle.
type publisher struct {
	url  string
	gets atomic.Int64 // of the image
	full atomic.Int64 // of these, from the beginning
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	data, err := os.ReadFile(os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	if err != nil {
		t.Fatal(err)
	}
	p := &publisher{}
	mux := http.NewServeMux()
	mux.HandleFunc("/images/guest.qcow2", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"first"`)
		if r.Header.Get("Range") == "" {
			p.full.Add(1)
		}
		if p.gets.Add(1) > 1 {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/images/SHA256SUMS", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%x *guest.qcow2\n%064d *other.qcow2\n", sha256.Sum256(data), 0)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	p.url = "http://" + ln.Addr().String() + "/images/"
	return p
}

// TestLibvirtImages boots guests from an image that arrives by itself, and
// grows their disks.
func TestLibvirtImages(t *testing.T) {
	b := newBenchOf(t, "imagebench", "imagebench-guest")
	from := newPublisher(t)
	ram := filepath.Join(b.dir, "ramdisk")
	t.Cleanup(func() {
		b.clean() // whose guests have their disks there
		b.tryVirsh("vol-delete", "db_on_imagebench_extra", "imagebench-ram")
		b.tryVirsh("pool-destroy", "imagebench-ram")
		b.tryVirsh("pool-undefine", "imagebench-ram")
		unmountTmpfs(t, ram)
	})
	b.must("hypervisor", "add", "imagebench", "--network", "macvtap:enp0s20f0u4")
	b.must("pool", "edit", "imagebench", "default", "--path", b.pool)
	b.must("pool", "add", "imagebench", "imagebench-ram", "--path", ram, "--tmpfs", "64MiB")
	b.must("image", "add", "imagebench-guest", "--url", from.url+"guest.qcow2", "--checksum", from.url+"SHA256SUMS")
	b.must("vm", "add", "web", "--hypervisor", "imagebench", "--memory", "160MiB", "--nics", "2", "--extra-disk", "1GiB", "--extra-format", "raw")
	b.must("vm", "add", "db", "--hypervisor", "imagebench", "--memory", "160MiB", "--disk", "1GiB", "--extra-disk", "1GiB", "--extra-pool", "imagebench-ram")
	b.join("imagebench", "")
	b.inSync("imagebench", 3*time.Minute)

	const web, db = "web_on_imagebench", "db_on_imagebench"
	t.Run("one download, resumed, and no copies", func(t *testing.T) {
		if gets, full := from.gets.Load(), from.full.Load(); gets != 2 || full != 1 {
			t.Errorf("the image was asked for %d times, %d times from the beginning", gets, full)
		}
		log := b.must("logs", b.newestRun("imagebench"))
		for _, want := range []string{"fetching image", "going on from", "its publisher says sha256:"} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not say %q:\n%s", want, log)
			}
		}
		files, _ := filepath.Glob(filepath.Join(b.pool, "imagebench-guest-*"))
		if len(files) != 1 {
			t.Fatalf("in the pool: %q", files)
		}
		for _, domain := range []string{web, db} {
			if xml := b.virsh("vol-dumpxml", domain, "default"); !strings.Contains(xml, "<path>"+files[0]+"</path>") {
				t.Errorf("%s does not stand on the image:\n%s", domain, xml)
			}
		}
	})
	first := b.console(web)
	t.Run("extra disks", func(t *testing.T) {
		if first.extra != "1" || b.console(db).extra != "1" {
			t.Errorf("web has no extra disk: %+v", first)
		}
		if xml := b.virsh("vol-dumpxml", web+"_extra", "default"); !strings.Contains(xml, "<format type='raw'/>") {
			t.Errorf("web's extra disk is not raw:\n%s", xml)
		}
		if xml := b.virsh("vol-dumpxml", db+"_extra", "imagebench-ram"); !strings.Contains(xml, "<format type='qcow2'/>") || !strings.Contains(xml, ram) {
			t.Errorf("db's extra disk is not qcow2 in memory:\n%s", xml)
		}
		if nics := strings.Count(b.virsh("domiflist", web), "52:54:"); nics != 2 {
			t.Errorf("web has %d NICs", nics)
		}
	})
	t.Run("disks grow while the guest runs", func(t *testing.T) {
		domain := b.domain(web)
		out := b.must("vm", "edit", "web", "--disk", "2GiB", "--extra-disk", "2GiB")
		if !strings.Contains(out, "its root and extra disks grow in place") {
			t.Errorf("the preview says: %s", out)
		}
		b.inSync("imagebench", time.Minute)
		for _, disk := range []string{"vda", "vdb"} {
			if info := b.virsh("domblkinfo", web, disk); !strings.Contains(info, fmt.Sprint(2<<30)) {
				t.Errorf("%s: %s", disk, info)
			}
		}
		b.untouched(t, web, domain, first)
		if _, err := b.ssh(nil, "vm", "edit", "web", "--disk", "1GiB", "--yes"); err == nil || !strings.Contains(err.Error(), "never shrunk") {
			t.Errorf("it was shrunk: %v", err)
		}
	})
	t.Run("a disk grows while the guest is off", func(t *testing.T) {
		b.must("vm", "stop", "db", "--yes")
		b.must("vm", "edit", "db", "--disk", "3GiB")
		b.inSync("imagebench", 2*time.Minute)
		if xml := b.virsh("vol-dumpxml", db, "default"); !strings.Contains(xml, fmt.Sprint(3<<30)) {
			t.Errorf("db's root disk did not grow:\n%s", xml)
		}
		b.must("vm", "start", "db")
		b.inSync("imagebench", time.Minute)
		// The guest counts its boots in the last sector of the root disk.
		if g := b.console(db); g.boots != "1" || g.extra != "2" {
			t.Errorf("db does not see a larger disk, or lost the other: %+v", g)
		}
	})
	t.Run("a wrong checksum leaves nothing behind", func(t *testing.T) { b.wrongChecksum(t, from, web, first) })
	t.Run("prune", func(t *testing.T) { b.prunes(t, from) })
}

// wrongChecksum adds a VM whose image is not what it should be: the others go
// on, and the run fails.
func (b *bench) wrongChecksum(t *testing.T, from *publisher, web string, first guestReport) {
	domain := b.domain(web)
	b.must("image", "add", "imagebench-guest-bad", "--url", from.url+"guest.qcow2", "--sha256", strings.Repeat("0", 64))
	b.must("vm", "add", "bad", "--hypervisor", "imagebench", "--image", "imagebench-guest-bad", "--memory", "160MiB")
	b.eventually("the run fails by the checksum", time.Minute, func() error {
		out, err := b.ssh(nil, "hypervisor", "show", "imagebench", "--json")
		if err == nil && !strings.Contains(out, "nothing of it was kept") {
			err = errors.New(out)
		}
		return err
	})
	if files, _ := filepath.Glob(filepath.Join(b.pool, "*imagebench-guest-bad*")); len(files) != 0 {
		t.Errorf("left behind: %q", files)
	}
	if files, _ := filepath.Glob(filepath.Join(b.pool, ".homelab-*")); len(files) != 0 {
		t.Errorf("left behind: %q", files)
	}
	b.untouched(t, web, domain, first)
	b.must("vm", "remove", "bad", "--yes")
	b.inSync("imagebench", 3*time.Minute)
}

// prunes removes what nothing uses, and nothing else.
func (b *bench) prunes(t *testing.T, from *publisher) {
	b.must("image", "add", "imagebench-guest-two", "--url", from.url+"guest.qcow2", "--checksum", "none")
	b.must("vm", "add", "two", "--hypervisor", "imagebench", "--image", "imagebench-guest-two", "--memory", "160MiB", "--running=false")
	b.inSync("imagebench", time.Minute)
	theirs := filepath.Join(b.pool, "imagebench-guest-theirs.qcow2")
	if err := os.WriteFile(theirs, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(theirs) })
	b.must("vm", "remove", "two", "--yes")
	b.inSync("imagebench", time.Minute)
	b.eventually("the file is unused", 20*time.Second, func() error {
		out := b.must("image", "prune", "--dry-run")
		if !strings.Contains(out, "imagebench: imagebench-guest-two-") || strings.Contains(out, "theirs") || strings.Contains(out, "image imagebench-guest is") {
			return errors.New(out)
		}
		return nil
	})
	b.must("image", "prune", "--yes")
	if files, _ := filepath.Glob(filepath.Join(b.pool, "imagebench-guest-*")); len(files) != 2 {
		t.Errorf("in the pool: %q", files)
	}
	if out := b.must("image", "list"); strings.Contains(out, "imagebench-guest-two") || strings.Contains(out, "imagebench-guest-bad") || !strings.Contains(out, "imagebench-guest ") {
		t.Errorf("images: %s", out)
	}
}

// newestRun is the number of a hypervisor's newest run.
func (b *bench) newestRun(hypervisor string) string {
	b.t.Helper()
	var runs []struct{ ID uint64 }
	b.decode(b.must("run", "list", hypervisor, "--json"), &runs)
	if len(runs) == 0 {
		b.t.Fatal("there is no run")
	}
	return fmt.Sprint(runs[0].ID)
}
