package tui

import (
	"slices"
	"testing"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

func TestHypervisorForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("n")
	d.typed("shelf-1")
	d.press("tab", "right", "tab", "tab", "tab", "ctrl+u")
	d.typed("default=/srv/vms, fast")
	d.see("not work yet")
	d.press("ctrl+s")
	d.see("not saved: pools to put right", "pools must be name=/path")
	d.typed("=/srv/fast")
	d.press("tab", "r", "tab", "right", "space", "tab")
	d.typed("shelf-1.lan")
	d.press("tab", "p", "tab", "tab")
	d.typed("30")
	d.press("tab", "y", "tab", "y", "enter") // in the last field it saves
	d.see("Add hypervisor shelf-1, revision 9")
	hv := lab.State().Hypervisors["shelf-1"]
	pools := []model.Pool{{Name: "default", Path: "/srv/vms"}, {Name: "fast", Path: "/srv/fast"}}
	if hv.Platform != model.PlatformSandbox || hv.Policy != model.PolicyReview || !slices.Equal(hv.Outlets, []string{"plug-nas"}) ||
		!slices.Equal(hv.Pools, pools) || hv.Address != "shelf-1.lan" || !hv.AwaitSalt ||
		hv.PowerPolicy != model.PowerProfile || hv.IdleMinutes != 30 || !hv.Wake || len(hv.Schedules) > 0 {
		t.Errorf("added %+v", hv)
	}
	d.see("▌ shelf-1") // what was added is chosen
	d.press("e")
	d.see("edit hypervisor shelf-1", "/srv/fast", "[x] plug-nas")
	d.press("esc")
	d.press("D")
	d.see("Remove hypervisor shelf-1?")
	d.press("y")
	d.see("Remove hypervisor shelf-1, revision 10")
}

func TestHypervisorWithVMsStays(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("D")
	d.see("That did not work", "dns")
	if _, ok := lab.State().Hypervisors["nuc"]; !ok {
		t.Error("it is gone")
	}
}

func TestImageForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 80, 24)
	d.press("5", "n")
	d.typed("debian-13")
	d.press("tab", "tab", "tab")
	d.handle(tea.PasteMsg{Content: "/srv/images/debian\n"})
	d.see("is taken")
	d.press("shift+tab", "shift+tab", "shift+tab", "end")
	d.typed("-new")
	d.press("ctrl+s")
	d.see("Add image debian-13-new, revision 9", "/srv/images/debian")
	d.see("▌ debian-13-new")
	d.press("d")
	d.see("Remove image debian-13-new?", "It changes no guest")
	d.press("y")
	d.gone("/srv/images/debian")
}

func TestImageFormKnowsDistributions(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 30)
	d.press("5", "n", "tab", "right", "right")
	d.see("name          debian-12", "checksum      https://cloud.debian.org/images/cloud/bookworm")
	d.press("ctrl+s")
	d.see("Add image debian-12, revision 9")
	if im := lab.State().Images["debian-12"]; im != (model.Image{Name: "debian-12", URL: im.URL, Checksum: im.Checksum, Meta: im.Meta}) || !im.Verified() {
		t.Errorf("image %+v", im)
	}
}

func TestPruneImages(t *testing.T) {
	lab := newLab()
	hv := lab.status.Hypervisors["thinkpad"]
	hv.Images = []model.ImageFile{{Image: "debian-13", Volume: "debian-13-abc.qcow2", Bytes: 400 << 20, Used: true}, {Image: "old", Volume: "old-abc.qcow2", Bytes: 300 << 20}}
	lab.status.Hypervisors["thinkpad"] = hv
	d := drive(t, lab, 120, 30)
	d.press("5")
	d.press("P")
	d.see("image alpine-3.22 is removed: no VM is made from it", "thinkpad: old-abc.qcow2 of image old, 300MiB, is removed")
	d.press("y")
	d.see("removed, 300MiB of files")
	d.gone("alpine-3.22")
	if got := lab.ordered(); !slices.Equal(got, []string{"prune thinkpad [old-abc.qcow2]"}) {
		t.Errorf("ordered %q", got)
	}
}

func TestOutletForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("4", "n")
	d.typed("lamp")
	d.press("ctrl+s")
	d.see("not saved: on url is missing")
	d.typed("http://lamp.lan/on")
	d.press("tab")
	d.typed("http://lamp.lan/off")
	d.press("ctrl+s")
	d.see("Add outlet lamp, revision 9")
	if o := lab.State().Outlets["lamp"]; o.HTTP.OffURL != "http://lamp.lan/off" || o.Driver != model.DriverHTTP {
		t.Errorf("added %+v", o)
	}
}

func TestOutletFormOfEachDriver(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 40)
	d.press("4", "n")
	d.typed("plug-rack")
	d.press("tab")
	d.see("driver", "http", "on url", "whatever is switched by URLs")
	d.press("right")
	d.see("tasmota", "relay")
	d.gone("on url")
	d.press("tab", "tab", "tab", "tab", "tab", "tab")
	d.typed("10.0.0.41")
	d.press("tab")
	d.typed("two")
	d.see("relay is no number")
	d.press("ctrl+u")
	d.typed("2")
	d.press("tab", "tab")
	d.typed("hunter2")
	d.see("•••••••")
	d.gone("hunter2")
	d.press("ctrl+s")
	d.see("Add outlet plug-rack, revision 9")
	o := lab.State().Outlets["plug-rack"]
	if o.Driver != model.DriverTasmota || o.Tasmota != (model.TasmotaOutlet{Address: "10.0.0.41", Relay: 2}) || !slices.Equal(o.Secrets, []string{"password"}) || o.HTTP.OnURL != "" {
		t.Errorf("added %+v", o)
	}
	if got := lab.ordered(); !slices.Equal(got, []string{"outlet plug-rack password=hunter2"}) {
		t.Errorf("ordered %q", got)
	}
	d.see("plug-rack   ") // in the list
	d.press("end")
	d.press("e")
	d.see("set, and not shown", "10.0.0.41")
	d.press("tab", "left", "right") // trying another one loses nothing
	d.see("10.0.0.41", "set, and not shown")
	d.gone("on url")
	d.press("ctrl+s")
	if got := lab.State().Outlets["plug-rack"]; !slices.Equal(got.Secrets, []string{"password"}) || got.Tasmota.Relay != 2 {
		t.Errorf("left as it is, it became %+v", got)
	}
}

// TestOutletFormsKeepWhatTheyRead opens and fills the form of each driver with
// what it holds: nothing is lost on the way.
func TestOutletFormsKeepWhatTheyRead(t *testing.T) {
	for _, o := range []model.Outlet{
		{Driver: model.DriverHTTP, DelaySeconds: 2, IdleWatts: 3.5, HTTP: model.HTTPOutlet{
			Method: "POST", OnURL: "http://a/on", OffURL: "http://a/off", OnBody: "{}", Headers: []string{"A: b", "C: d"}, User: "me", Insecure: true,
		}},
		{Driver: model.DriverTasmota, Tasmota: model.TasmotaOutlet{Address: "a", Relay: 3, User: "me"}, Secrets: []string{"password"}},
		{Driver: model.DriverShelly, Shelly: model.ShellyOutlet{Address: "a", Channel: 1}},
		{Driver: model.DriverESPHome, ESPHome: model.ESPHomeOutlet{Address: "a", Switch: "Rack Relay", PowerSensor: "p", EnergySensor: "e", User: "me"}},
		{Driver: model.DriverHomeAssistant, HomeAssistant: model.HomeAssistantOutlet{Address: "a", Entity: "switch.x", PowerSensor: "sensor.p", Insecure: true}, Secrets: []string{"token"}},
		{Driver: model.DriverRedfish, Redfish: model.RedfishOutlet{Address: "a", User: "me", System: "1", Insecure: true}},
		{Driver: model.DriverIPMI, IPMI: model.IPMIOutlet{Address: "a", User: "me"}},
		{Driver: model.DriverWOL, WOL: model.WOLOutlet{MAC: "52:54:00:12:34:56", Broadcast: "10.0.0.255"}},
		{Driver: model.DriverCommand, Command: model.CommandOutlet{On: []string{"/bin/a", "b c", ""}, Off: []string{"/bin/a", "it's"}, TimeoutSeconds: 5}},
		{Driver: model.DriverSimulated, Simulated: model.SimulatedOutlet{Watts: 12.5}},
	} {
		o.Name = "plug"
		v := values{}
		for _, f := range append(outletFields(model.NewState(), o), deviceFields(o)...) {
			v[f.key] = f.value()
		}
		got := o
		if err := fillOutlet(&got, v); err != nil || !got.SameDevice(o) || got.DelaySeconds != o.DelaySeconds || got.IdleWatts != o.IdleWatts {
			t.Errorf("%s: %v\n%+v\n%+v", o.Driver, err, o, got)
		}
	}
}

func TestProfileForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("3", "n")
	d.typed("travel")
	d.press("enter")
	d.see("Add profile travel, revision 9", "▌ travel")
	d.press("end", "d")
	d.see("Remove profile travel, revision 10")
}

// TestMovingLosesDisks checks that the form says what moving a VM costs, and
// that it wants the name for it.
func TestMovingLosesDisks(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 100, 30)
	d.press("2", "down", "down", "enter", "tab", "left")
	d.see("was thinkpad", "root disk is lost")
	d.press("ctrl+s")
	d.see("Type db to save it")
	d.typed("db")
	d.press("enter")
	d.see("revision 9")
	if vm := lab.State().VMs["db"]; vm.Hypervisor != "pi5" {
		t.Errorf("on %s", vm.Hypervisor)
	}
}

func TestInput(t *testing.T) {
	in := newInput("web one")
	for _, k := range []string{"home", "x", "end", "backspace", "ctrl+w", "left", "ü"} {
		in.key(key(k))
	}
	if got := in.value(); got != "xwebü " {
		t.Errorf("%q", got)
	}
	in.insert("a\nb\x1bc\u0085")
	if got := in.value(); got != "xwebüa bc " {
		t.Errorf("%q", got)
	}
}

// TestSettingsForm: the preview of settings that were changed before is no
// conflict, and says whom the change reaches.
func TestSettingsForm(t *testing.T) {
	lab := newLab()
	d := drive(t, lab, 120, 40)
	d.press("9", "e", "tab", "tab")
	d.typed("Europe/Berlin")
	d.see("SAVING WILL", "timezone")
	d.gone("was changed by")
	d.press("ctrl+s")
	d.see("revision 9")
	d.press("e", "tab", "tab", "ctrl+u")
	d.typed("Europe/Rome")
	d.see("timezone")
	d.gone("was changed by")
}

func TestMemoryThatNoHypervisorHas(t *testing.T) {
	d := drive(t, newLab(), 120, 40)
	d.press("2", "n")
	d.typed("big")
	f := d.a.top().(*form)
	f.field("hypervisor").set("thinkpad")
	f.field("memory_mib").set("100GiB")
	d.see("100GiB", "! thinkpad has 15.5 GiB")
	f.field("memory_mib").set("4GiB")
	d.gone("thinkpad has")
}
