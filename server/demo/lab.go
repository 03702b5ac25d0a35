package demo

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// The machines. Those that are on have an agent from the beginning; rack is
// off, and its agent boots when its simulated outlet is switched on.
const (
	thinkpad = "thinkpad"
	desktop  = "desktop"
	rack     = "rack"
)

// machines are all hypervisors of the demo.
var machines = []string{thinkpad, desktop, rack}

// machineFedBy returns the machine that an outlet feeds, or "".
func machineFedBy(outlet string) string {
	if name, ok := strings.CutSuffix(outlet, "-plug"); ok && slices.Contains(machines, name) {
		return name
	}
	return ""
}

// onAtFirst are the outlets that are on from the beginning.
var onAtFirst = []string{"switch-plug", "thinkpad-plug", "desktop-plug"}

// lab fills a new lab: three hypervisors, a dozen VMs in two profiles, their
// images and outlets.
func lab() model.Edit {
	edits := []model.Edit{
		model.Add(model.Profile{Name: "weekend"}),
		model.Add(model.Image{Name: "debian-12", Path: "/var/lib/libvirt/images/debian-12-genericcloud-amd64.qcow2"}),
		model.Add(model.Image{Name: "fedora-41", Path: "/var/lib/libvirt/images/fedora-cloud-41.qcow2"}),
		model.Add(model.SaltMaster{Name: "pi-vms", Address: "192.168.1.239"}),
		model.Add(plug("switch-plug", "networking")),
		func(s *model.State) error {
			s.Settings.PriceKWh, s.Settings.Currency = 0.31, "EUR"
			return nil
		},
	}
	for _, machine := range machines {
		outlet := machine + "-plug"
		edits = append(edits,
			model.Add(plug(outlet, "computers", "switch-plug")),
			model.Add(hypervisor(machine, outlet)))
	}
	for i, v := range vms {
		edits = append(edits, model.Add(vm(i, v)))
	}
	return model.Edits(edits...)
}

// draws is what the plugs measure while they are on, in watts.
var draws = map[string]float64{"switch-plug": 9, "thinkpad-plug": 24, "desktop-plug": 95, "rack-plug": 210}

func plug(name, group string, requires ...string) model.Outlet {
	o := model.Outlet{Name: name, Driver: model.DriverSimulated, Groups: []string{group}, Requires: requires, Essential: len(requires) == 0}
	o.Simulated.Watts = draws[name]
	return o
}

// yesterday makes up what the plugs measured in the day before the demo, so
// that its plots show something: the desktop is on by day, the rack was for an
// hour.
func yesterday(now time.Time) []store.WattMinute {
	var minutes []store.WattMinute
	for at := now.Add(-24 * time.Hour).Truncate(time.Minute); at.Before(now.Truncate(time.Minute)); at = at.Add(time.Minute) {
		busy := 0.5 - 0.5*math.Cos(2*math.Pi*float64(at.Hour()*60+at.Minute())/1440) // most at noon
		watts := map[string]float64{
			"switch-plug": draws["switch-plug"], "rack-plug": 0,
			"thinkpad-plug": draws["thinkpad-plug"] * (0.6 + 0.6*busy + 0.1*math.Sin(float64(at.Unix())/400)),
			"desktop-plug":  draws["desktop-plug"] * (0.5 + 0.7*busy + 0.15*math.Sin(float64(at.Unix())/700)),
		}
		if ago := now.Sub(at); ago > 5*time.Hour && ago < 6*time.Hour {
			watts["rack-plug"] = draws["rack-plug"] * (0.8 + 0.2*math.Sin(float64(at.Unix())/300))
		}
		minutes = append(minutes, store.WattMinute{At: at, Watts: watts})
	}
	return minutes
}

// loadsYesterday makes up likewise what the machines used in the day before.
func loadsYesterday(now time.Time) []store.LoadMinute {
	var minutes []store.LoadMinute
	for at := now.Add(-24 * time.Hour).Truncate(time.Minute); at.Before(now.Truncate(time.Minute)); at = at.Add(time.Minute) {
		busy := 0.5 - 0.5*math.Cos(2*math.Pi*float64(at.Hour()*60+at.Minute())/1440)
		wave := math.Sin(float64(at.Unix()) / 700)
		minutes = append(minutes, store.LoadMinute{At: at, Of: map[model.Ref]model.LoadPoint{
			{Kind: model.KindHypervisor, Name: thinkpad}: {CPUPercent: 8 + 14*busy + 4*math.Sin(float64(at.Unix())/400), MemoryMiB: 7000 + 900*busy},
			{Kind: model.KindHypervisor, Name: desktop}:  {CPUPercent: 12 + 40*busy + 9*wave, MemoryMiB: 9500 + 5200*busy + 400*wave},
		}})
	}
	return minutes
}

func hypervisor(name, outlet string) model.Hypervisor {
	h := model.NewHypervisor(name)
	h.Platform = model.PlatformSandbox
	h.Outlets = []string{outlet}
	return h
}

// guest is a VM in short.
type guest struct {
	name, hypervisor, role, profile string
	memory, cpus                    int // MiB, count
}

var vms = []guest{
	{"dns", thinkpad, "dns", "", 512, 1},
	{"git", thinkpad, "git", "", 2048, 2},
	{"web", thinkpad, "web", "default", 1024, 1},
	{"db", thinkpad, "postgres", "", 4096, 2},
	{"monitor", thinkpad, "grafana", "default", 2048, 1},
	{"ci", desktop, "builder", "default", 8192, 4},
	{"registry", desktop, "registry", "default", 1024, 1},
	{"devenv", desktop, "devenv", "default", 8192, 4},
	{"games", desktop, "games", "weekend", 16384, 6},
	{"media", desktop, "jellyfin", "weekend", 4096, 2},
	{"backup", rack, "backup", "", 2048, 2},
	{"k8s-1", rack, "k8s", "default", 8192, 4},
}

func vm(i int, g guest) model.VM {
	v := model.NewVM(g.name)
	v.Hypervisor, v.Role, v.Image = g.hypervisor, g.role, "debian-12"
	v.MemoryMiB, v.CPUs, v.DiskGiB = g.memory, g.cpus, 20
	v.IP = fmt.Sprintf("192.168.1.%d/24", 40+i)
	v.SaltMaster = "pi-vms"
	v.Profiles = []string{"default", "weekend"}
	if g.profile != "" {
		v.Profiles = []string{g.profile}
	}
	if g.role == "games" {
		v.Image = "fedora-41"
	}
	if g.name == "db" || g.name == "backup" {
		v.ExtraDiskGiB, v.Protected = 100, true
	}
	return v
}
