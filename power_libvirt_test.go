package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// events are what happened, in order.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) is(want ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if got := strings.Join(e.all, ", "); got != strings.Join(want, ", ") {
		return fmt.Errorf("it happened: %s", got)
	}
	return nil
}

// plug is an outlet's device that tells when it is switched.
func plug(t *testing.T, happened *events) *httptest.Server {
	var mu sync.Mutex
	state := "ON"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if want := strings.ToUpper(strings.Trim(r.URL.Path, "/")); want != "" {
			state = want
			happened.add("outlet " + want)
		}
		_, _ = io.WriteString(w, state)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestLibvirtPowerOff switches a hypervisor with a real guest off: the guest
// hears its power button before the machine goes, and the machine goes before
// its outlet is cut.
func TestLibvirtPowerOff(t *testing.T) {
	b := newBench(t)
	var happened events
	device := plug(t, &happened)
	halt := filepath.Join(b.dir, "halt")
	// In the place of the machine: its agent ends.
	script := "#!/bin/sh\nkill -9 $PPID\n"
	if err := os.WriteFile(halt, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "HOMELAB_SHUTDOWN_COMMAND="+halt)

	b.must("image", "add", "guest", "--path", os.Getenv("HOMELAB_LIBVIRT_GUEST"))
	b.must("outlet", "add", "plug", "--driver", "http", "--on-url", device.URL+"/on", "--off-url", device.URL+"/off", "--status-url", device.URL+"/", "--on-match", "ON", "--off-match", "OFF")
	b.must("hypervisor", "add", "thinkpad", "--network", "macvtap:enp0s20f0u4", "--outlet", "plug")
	b.must("pool", "edit", "thinkpad", "default", "--path", b.pool)
	b.must("settings", "set", "--power-grace-seconds", "5")
	b.must("vm", "add", "web", "--hypervisor", "thinkpad", "--image", "guest", "--memory", "160MiB", "--ip", "192.168.1.247")
	agent := b.join("thinkpad", "")
	b.inSync("thinkpad", 3*time.Minute)
	b.console("web_on_thinkpad")
	b.hear("web_on_thinkpad", "guest: power button", func() { happened.add("guest hears its button") })
	go func() { <-agent.done; happened.add("machine gone") }()

	b.must("power", "off", "thinkpad", "--yes")
	b.eventually("guest, machine and outlet have gone in this order", 2*time.Minute, func() error {
		return happened.is("guest hears its button", "machine gone", "outlet OFF")
	})
	if s := b.virsh("domstate", "web_on_thinkpad"); s != "shut off" {
		t.Errorf("the guest is %s", s)
	}
	b.eventually("the sequence is shown as done", 20*time.Second, func() error {
		var h struct {
			PowerBy string `json:"power_by"`
			Status  struct {
				Power    string
				Phase    string
				Sequence struct {
					Goal, By, Error string
					Ended           time.Time
					Steps           []struct{ Kind, State string }
				}
			}
		}
		b.decode(b.must("hypervisor", "show", "thinkpad", "--json"), &h)
		seq := h.Status.Sequence
		if h.Status.Power != "off" || h.Status.Phase != "off" || seq.Goal != "off" || seq.By == "" || seq.By != h.PowerBy || seq.Error != "" || seq.Ended.IsZero() || len(seq.Steps) != 4 {
			return fmt.Errorf("%+v", h)
		}
		for _, s := range seq.Steps {
			if s.State != "done" {
				return fmt.Errorf("%+v", seq)
			}
		}
		return nil
	})
}

// hear calls heard when a guest says something on its console.
func (b *bench) hear(domain, text string, heard func()) {
	b.t.Helper()
	tty, err := os.Open(b.virsh("ttyconsole", domain))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { tty.Close() })
	go func() { // ends with the console
		for s := bufio.NewScanner(tty); s.Scan(); {
			if strings.Contains(s.Text(), text) {
				heard()
				return
			}
		}
	}()
}
